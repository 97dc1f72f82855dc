"""What promises most on a visitor's prompt, one feature more in each picture: which features, and what is said of them."""

from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.bank import FeatureBank
from mmsteer.bank.modality import LABELS, SHAPES
from mmsteer.bank.promising import Trial, promising
from mmsteer.errors import SteerError
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.shared.badge import score_tooltip
from mmsteer.ui.shared.loading import Loading

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steerer

RULE = (
    "Twelve features: up to three that the prompt contains, taken out; three that exclude one of those, the nearest first; two others "
    "that are seen and said, three only seen and one only said, the surest names first. Each acts beside the active features; how "
    "much it changes the picture is the mean difference of all pixels."
)


class OnPrompt(NamedTuple):
    """The edits, and what the browser is to know of each beside its picture."""

    edits: tuple[Edit, ...]
    cells: list[dict[str, Any]]


def on_prompt(bank: FeatureBank, loading: Loading, recipe: Recipe) -> OnPrompt:
    """The features that promise most on a recipe's prompt beside its edits (`mmsteer.bank.promising`).

    Raises:
        SteerError: there is none, or the model could not be loaded.
    """
    active = {feature.id for edit in recipe.edits if (feature := bank.find(edit.feature)) is not None}

    def chosen(steerer: "Steerer") -> list[Trial]:
        return promising(bank, steerer.features_of(recipe.prompt), active, steerer.backbone.steers_image_only)

    trials = loading.run(chosen)
    if not trials:
        raise SteerError("every named feature of this bank is active already: take some out")
    edits = tuple(
        Edit(bank.reference(one.feature), "remove" if one.takes_out else "add", min(1.0, one.feature.usable[1]))
        for one in trials
    )
    cells = [
        {
            "puts": [[trial.feature.id, -edit.strength if trial.takes_out else edit.strength]], "caption": _why(trial),
            "modality": trial.feature.modality, "shape": SHAPES[trial.feature.modality], "tooltip": score_tooltip(trial.feature),
        } for trial, edit in zip(trials, edits, strict=True)
    ]  # fmt: skip
    return OnPrompt(edits, cells)


def _why(trial: Trial) -> str:
    """What the picture shows, in words: "dog instead of cat"."""
    feature = trial.feature
    if trial.takes_out:
        return f"without {feature.name}"
    return (
        f"{feature.name} instead of {trial.instead_of.name}"
        if trial.instead_of
        else f"{feature.name}, {LABELS[feature.modality]}"
    )
