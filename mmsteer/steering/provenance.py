"""A recipe from outside beside the bank and the models that are to draw it: what is not here, and what else is another. Pure."""

from typing import NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.steering.edit import Edit
from mmsteer.steering.recipe import Origin, Recipe

_SHOWN = 8  # digits of a commit or digest in a sentence


class Missing(NamedTuple):
    """An edit whose feature this bank does not have."""

    edit: Edit
    near: list[Feature]
    """The features whose names are spelt most like its own, nearest first; none for one said by its number."""

    @property
    def note(self) -> str:
        """What is missing, in one sentence."""
        return (
            f"There is no feature {self.edit.feature!r:.80} in this bank: the edit {str(self.edit):.120} is left out."
        )

    @property
    def told(self) -> str:
        """The same, with the nearest names."""
        near = ", ".join(feature.name for feature in self.near)
        return f"{self.note} The nearest by name are {near}." if near else self.note


def missing(bank: FeatureBank, recipe: Recipe) -> list[Missing]:
    """The edits of a recipe whose features a bank does not have."""
    strange = [edit for edit in recipe.edits if bank.find(edit.feature) is None]
    return [Missing(edit, bank.near(edit.feature) if isinstance(edit.feature, str) else []) for edit in strange]


def differences(recipe: Recipe, here: Origin, bank: FeatureBank) -> list[str]:
    """In which ways a recipe was made with something else than `here`, whose bank is `bank`: a sentence each.

    What the recipe does not say of its origin is not held against it.
    """
    made, found = recipe.origin, []
    if made.model != here.model:
        if made.backbone not in ("", here.backbone):
            found.append(
                f"This recipe was made for the backbone {made.backbone!r}; here it is drawn with {here.backbone!r}."
            )
        elif made.model:
            found.append(
                f"This recipe was made with other weights ({made.model[:_SHOWN]}) than those of {here.backbone!r} here "
                f"({here.model[:_SHOWN]}): the picture will be another."
            )
    if made.scheduler and made.scheduler != here.scheduler:
        found.append(f"This recipe was drawn by {made.scheduler}; here pictures are drawn by {here.scheduler}.")
    if made.bank and made.bank != here.bank:
        found.append(
            "This recipe was made with another bank of features: one of the same name may act differently here."
        )
        numbers = {edit.feature: bank.find(edit.feature) for edit in recipe.edits if isinstance(edit.feature, int)}
        if told := ", ".join(f"{number} is {feature.name!r}" for number, feature in numbers.items() if feature):
            found.append(f"Features said by their numbers are others in another bank; in the one here {told}.")
    return found
