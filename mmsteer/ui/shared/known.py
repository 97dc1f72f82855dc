"""What the rows of a page may stand for: the bank's features, at hand at once, and directions, which take the model."""

from typing import TYPE_CHECKING

from mmsteer.bank import Feature, FeatureBank
from mmsteer.recipes.direction import Contrast, Direction, is_direction, read_source
from mmsteer.steering.cache import Cache
from mmsteer.ui.shared.loading import attempt

if TYPE_CHECKING:
    from mmsteer.recipes.edit import Edit
    from mmsteer.recipes.recipe import Recipe
    from mmsteer.ui.shared.loading import Loading

_CACHED = 256  # directions


class Known:
    """Features and directions by name, one for all visitors."""

    def __init__(self, bank: FeatureBank, loading: "Loading") -> None:
        self.bank, self._loading = bank, loading
        self._made: Cache[str, Direction] = Cache(_CACHED)  # on ZeroGPU to make one takes a GPU

    def get(self, feature: str | int) -> Feature | Direction:
        """The feature or direction of a name (`mmsteer.steering.directions`); for a direction, once the model is loaded.

        Raises:
            SteerError: there is no such feature, the model does not know a word, or it could not be loaded.
        """
        if self.bank.find(feature) is not None or not is_direction(feature):
            return self.bank.get(feature)
        source = read_source(str(feature))
        name = str(source)
        made = self._made.get(name)
        if made is None:
            steerer = self._loading.wait()  # of pictures only the bank is asked: on ZeroGPU that takes no GPU
            found = steerer.known.get(name) if isinstance(source, Contrast) else steerer.feature(name)
            assert isinstance(found, Direction)
            self._made.put(name, made := found)
        return made

    def unmade(self, recipe: "Recipe") -> list[tuple["Edit", str]]:
        """The edits of a recipe whose directions cannot be made here, and a sentence on why each is left out. Waits for the model where
        there is any direction.
        """
        directions = [edit for edit in recipe.edits if is_direction(edit.feature)]
        tried = [(edit, attempt(lambda edit=edit: self.get(edit.feature))) for edit in directions]  # type: ignore[misc]
        return [(edit, f"The edit {edit.brief:.120} is left out: {why}.") for edit, (_, why) in tried if why]

    def reference(self, feature: Feature | Direction) -> str | int:
        """How an edit refers to it: a direction by its definition, which makes it again."""
        return feature.id if isinstance(feature, Direction) else self.bank.reference(feature)
