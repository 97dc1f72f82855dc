"""Talk mode: the presets as a tour, one before and after on the whole screen. For a stage, or for a first minute with the page.

Looks and behaviour are `talk.js`. A step's pictures were drawn ahead, with the bank; else they are drawn when it, or the step before
it, is shown, and the browser keeps them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.bank import FeatureBank
from mmsteer.bank.modality import LABELS, SHAPES
from mmsteer.errors import SteerError
from mmsteer.recipes.data_url import recipe_url
from mmsteer.recipes.presets import Preset
from mmsteer.ui.shared.badge import score_tooltip
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.pair import ahead_pictures, alternative
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import DrawnAhead


class StepQuestion(Payload):
    """What the browser asks for."""

    step: int = Field(ge=0)


_QUESTION = TypeAdapter(StepQuestion)


def talk(bank: FeatureBank, presets: Sequence[Preset], ahead: "DrawnAhead | None" = None) -> gr.HTML:
    """A line that describes the preset last chosen, and the button of talk mode. Triggers `ask` with a `StepQuestion`."""
    return gr.HTML(
        {}, html_template='<div class="mm-tour"></div>', elem_id="mm-tour", apply_default_css=False, shapes=SHAPES, labels=LABELS,
        steps=[_step(bank, preset) | _pair(ahead, preset) for preset in presets], js_on_load=script(Path(__file__).parent / "talk.js"),
    )  # fmt: skip


def _step(bank: FeatureBank, preset: Preset) -> dict[str, Any]:
    """What the browser needs to know of a step before it is drawn."""
    features = [bank.get(edit.feature) for edit in preset.edits]
    return {
        "title": preset.title, "lesson": preset.lesson, "prompt": preset.prompt,
        "features": [
            {"name": f.name, "modality": f.modality, "mds": f.mds, "scoreTooltip": score_tooltip(f)} for f in features
        ],
    }  # fmt: skip


def _pair(ahead: "DrawnAhead | None", preset: Preset) -> dict[str, Any]:
    """The step's pair, where it was drawn ahead, as `drawn` gives it."""
    pair = ahead.find(preset.prompt, preset.seed, preset.edits) if ahead else None
    return {"pair": ahead_pictures(pair)} if pair else {}


def drawn(loading: Loading, presets: Sequence[Preset], value: Any) -> dict[str, Any]:
    """The pair of a `StepQuestion`.

    Returns:
        `{step, before, after}`, each picture with its alternative text; or `{step, error}`.
    """

    def pair() -> dict[str, Any]:
        step = read(_QUESTION, value, "the step of the tour").step
        if step >= len(presets):
            raise SteerError(f"the tour has no step {step}, only 0 to {len(presets) - 1}: load the page again")
        preset = presets[step]
        result = loading.run(lambda steerer: steerer.steer(preset.prompt, preset.edits, preset.seed))
        recipes = {"before": result.recipe.plain, "after": result.recipe}
        pictures = {"before": result.before, "after": result.after}
        return {
            which: {"src": recipe_url(pictures[which], recipe), "alt": alternative(which, recipe)}
            for which, recipe in recipes.items()
        }

    answer, error = attempt(pair)
    step = value.get("step") if isinstance(value, dict) else None
    return {"step": step, **(answer or {"error": error})}
