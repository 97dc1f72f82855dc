"""What steering gives back: two pictures of one recipe, and what there is to know about them. Pure data."""

from typing import TYPE_CHECKING, NamedTuple

from mmsteer.bank import Feature
from mmsteer.bank.ood import meaning
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.notebook import pair
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image


class NegativePrompt(NamedTuple):
    """What the model read of a negative prompt."""

    unknown: tuple[str, ...] = ()
    """Words of it that the model does not know."""
    cut: tuple[str, ...] = ()
    """Words of it that did not fit."""
    used: bool = True
    """Whether it acts: not where there is no guidance."""

    @property
    def notes(self) -> list[str]:
        """What did not act, a sentence each."""
        if not self.used:
            return [
                "The negative prompt has no effect: this model draws without guidance, or its guidance is 1 or less."
            ]
        notes = [f"The model does not know, of the negative prompt: {', '.join(self.unknown)}."] if self.unknown else []
        return notes + ([f"The negative prompt is too long; left out: {', '.join(self.cut)}."] if self.cut else [])


class Steered(NamedTuple):
    """The two pictures of one recipe, and what there is to know about them."""

    before: "Image.Image"
    after: "Image.Image"
    recipe: Recipe
    ood_distance: float
    """How far the edited hidden states lie from what ordinary prompts give: at 1 only 1 % of prompts lie farther, past 1.5
    pictures break."""
    seconds: float
    """Wall time of this call."""
    unknown: tuple[str, ...]
    """Words of the prompt that the model does not know."""
    cut: tuple[str, ...]
    """Words of the prompt that did not fit."""
    features: list[tuple[Feature, float]]
    """The features that the prompt itself contains, as `Steerer.features_of` gives them."""
    blanked: tuple[bool, bool]
    """Whether the checkpoint's own safety checker made *before*, *after* black."""
    negative: NegativePrompt | None = None
    """What became of the negative prompt; None without one."""
    edited: tuple[Feature | Direction, ...] = ()
    """The feature or direction of each edit of the recipe."""

    def _repr_html_(self) -> str:
        """What notebooks show: both pictures, the edits with their modality, and the OOD distance."""
        distance = f"OOD distance {self.ood_distance:.2f}: {meaning(self.ood_distance)[1]}"
        region = self.recipe.region
        where = [f"the edits act in {100 * region.share:.0f} % of the picture"] if region else []
        return pair(self.before, self.after, self.recipe, self.edited, [distance, *where, *self.notes])

    @property
    def notes(self) -> list[str]:
        """What the model did not read of the prompt and of the negative prompt, a sentence each."""
        notes = [f"The model does not know: {', '.join(self.unknown)}."] if self.unknown else []
        notes += [f"The prompt is too long; left out: {', '.join(self.cut)}."] if self.cut else []
        return notes + (self.negative.notes if self.negative else [])

    @property
    def gauge(self) -> float:
        """`ood_distance`, under the name that programs of the first release use."""
        return self.ood_distance
