"""A recipe from elsewhere beside the bank and the models that are to draw it: which features are missing, and what else differs. Pure."""

from typing import NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import quoted
from mmsteer.recipes.direction import is_direction
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Origin, Recipe

_DIGITS = 8  # of a commit or digest in a sentence


class Missing(NamedTuple):
    """An edit whose feature this bank does not have."""

    edit: Edit
    near: list[Feature]
    """The features whose names are spelt most like its own, nearest first; none if the edit gives a number."""

    @property
    def note(self) -> str:
        """What is missing, in one sentence."""
        return (
            f"There is no feature {quoted(self.edit.feature)} in this bank: the edit {str(self.edit):.120} is left out."
        )

    @property
    def note_with_names(self) -> str:
        """The same, with the nearest names."""
        near = ", ".join(feature.name for feature in self.near)
        return f"{self.note} The nearest by name are {near}." if near else self.note


def missing(bank: FeatureBank, recipe: Recipe) -> list[Missing]:
    """The edits of a recipe whose features a bank does not have. Directions are made, so no bank needs to have them."""
    named = [edit for edit in recipe.edits if not is_direction(edit.feature)]
    absent = [edit for edit in named if bank.find(edit.feature) is None]
    return [Missing(edit, bank.near(edit.feature) if isinstance(edit.feature, str) else []) for edit in absent]


def not_read(recipe: Recipe, image_width: int | None, adapter: bool, starts: bool = True) -> list[str]:
    """What of a recipe a backbone does not read, a sentence each.

    Args:
        recipe: from elsewhere.
        image_width: of the image embeddings that the backbone reads; None if it reads none.
        adapter: whether it has an image adapter.
        starts: whether it draws from a picture too.
    """
    sentences = []
    if recipe.start is not None and not starts:
        sentences.append("The backbone here starts from noise alone: the recipe's own picture is left out.")
    if recipe.sampler.adapter_scale != 1 and not adapter:
        sentences.append(f"There is no image adapter here: its scale {recipe.sampler.adapter_scale:g} is left out.")
    if recipe.picture is not None and image_width is None:
        sentences.append("The backbone here reads no image embedding: the recipe's whole picture is left out.")
    elif recipe.picture is not None and (width := len(recipe.picture.vector)) != image_width:
        sentences.append(
            f"The recipe's whole picture is left out: its embedding is {width} wide, and the backbone here reads {image_width}."
        )
    return sentences


def differences(recipe: Recipe, current: Origin, bank: FeatureBank) -> list[str]:
    """How the backbone, scheduler and bank that a recipe was made with differ from the current ones, a sentence each.

    Args:
        recipe: what its origin leaves open counts as the same.
        current: what is to draw it.
        bank: the bank of `current`.
    """
    made, sentences = recipe.origin, []
    if made.model != current.model:
        if made.backbone not in ("", current.backbone):
            sentences.append(
                f"This recipe was made for the backbone {quoted(made.backbone)}; here it is drawn with {current.backbone!r}."
            )
        elif made.model:
            sentences.append(
                f"This recipe was made with other weights ({made.model[:_DIGITS]}) than those of {current.backbone!r} here "
                f"({current.model[:_DIGITS]}): the picture will be another."
            )
    if made.scheduler and made.scheduler != current.scheduler:
        sentences.append(f"This recipe was drawn by {made.scheduler}; here pictures are drawn by {current.scheduler}.")
    if made.bank and made.bank != current.bank:
        sentences.append(
            "This recipe was made with another bank of features: one of the same name may act differently here."
        )
        numbered = {edit.feature: bank.find(edit.feature) for edit in recipe.edits if isinstance(edit.feature, int)}
        if meanings := ", ".join(f"{number} is {feature.name!r}" for number, feature in numbered.items() if feature):
            sentences.append(f"Feature numbers mean other features in another bank; in the one here {meanings}.")
    return sentences
