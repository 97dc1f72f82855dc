"""What steering gives back: two pictures of one recipe, and what there is to know about them. Pure data."""

from typing import TYPE_CHECKING, NamedTuple

from mmsteer.bank import Feature
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image


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

    @property
    def gauge(self) -> float:
        """`ood_distance`, under the name that programs of the first release use."""
        return self.ood_distance
