"""Talk mode: the presets as a tour, one before and after on the whole screen. For a stage, and for who has one minute.

How it looks and moves is `talk.js`. Pictures are drawn as everywhere, when a step or the one before it is shown, and then
kept in the browser.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.ui.badge import SHAPES, score_told
from mmsteer.ui.compare import alternative, picture_data
from mmsteer.ui.loading import Loading, told
from mmsteer.ui.presets import Preset


def talk(bank: FeatureBank, presets: Sequence[Preset]) -> gr.HTML:
    """A line that tells what a preset shows, and the button of talk mode; says `ask` with `{"step": k}` as its value."""
    return gr.HTML(
        {}, html_template='<div class="mm-tour"></div>', elem_id="mm-tour", apply_default_css=False, shapes=SHAPES,
        steps=[_told(bank, preset) for preset in presets],
        js_on_load=(Path(__file__).parent / "talk.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def _told(bank: FeatureBank, preset: Preset) -> dict[str, Any]:
    """What the browser needs to know of a step before it is drawn."""
    features = [bank.get(edit.feature) for edit in preset.edits]
    return {
        "title": preset.title, "told": preset.told, "prompt": preset.prompt,
        "features": [
            {"name": f.name, "modality": f.modality, "mds": f.mds, "told": score_told(f), "strength": edit.strength}
            for f, edit in zip(features, preset.edits, strict=True)
        ],
    }  # fmt: skip


def drawn(loading: Loading, presets: Sequence[Preset], value: Any) -> dict[str, Any]:
    """The pair that a browser asks for, with alternative texts; or, in `wrong`, why there is none."""
    step = value.get("step") if isinstance(value, dict) else None

    def pair() -> dict[str, Any]:
        if type(step) is not int or not 0 <= step < len(presets):
            raise SteerError("the tour has no such step: load the page again")
        preset = presets[step]
        result = loading.run(lambda steerer: steerer.steer(preset.prompt, preset.edits, preset.seed))
        recipes = {"before": result.recipe.plain, "after": result.recipe}
        pictures = {"before": result.before, "after": result.after}
        return {
            which: {"src": picture_data(pictures[which], recipe), "alt": alternative(which, recipe)}
            for which, recipe in recipes.items()
        }

    shown, wrong = told(pair)
    return {"step": step, **(shown or {"wrong": wrong})}
