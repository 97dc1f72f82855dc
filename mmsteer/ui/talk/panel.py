"""Talk mode: the presets, or a visitor's own talk, one before and after at a time on the whole screen. For a stage, or for a first minute
with the page.

Looks and behaviour are `scripts/`. A step shows the pictures that were drawn ahead, with the bank, until it, or the step before it, has
been drawn; the browser keeps what was drawn.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.bank.modality import LABELS, SHAPES
from mmsteer.pictures.change import MEANING, changed_text
from mmsteer.recipes.edit import STRONGEST
from mmsteer.recipes.presets import Preset
from mmsteer.ui.shared.events import AT_ONCE, DRAW_EVERY, DRAW_NEWEST
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.pair import ahead_pictures
from mmsteer.ui.shared.script import script
from mmsteer.ui.steer.live import LIVE, frame
from mmsteer.ui.talk.own import checked, own_talk
from mmsteer.ui.talk.stage import Stage, shown_feature

SCRIPTS = Path(__file__).parent / "scripts"


def build(page: PageState) -> None:
    """Talk mode, a line that describes the preset last chosen, and the panel of the visitor's own talk."""
    tour, moving, own = _talk(page), _frames(), own_talk()
    tour.ask(Stage(page).answer, tour, tour, **DRAW_EVERY)
    moving.ask(lambda value: frame(page.known, page.loading, value), moving, moving, **DRAW_NEWEST)
    own.check(lambda value: checked(page.bank, value), own, own, **AT_ONCE)


def _talk(page: PageState) -> gr.HTML:
    """Triggers `ask` with a question of `Stage`."""
    return gr.HTML(
        {}, html_template='<div class="mm-tour"></div>', elem_id="mm-tour", apply_default_css=False, shapes=SHAPES, labels=LABELS,
        steps=[_step(page, preset) for preset in page.presets], meaning=MEANING, strongest=STRONGEST,
        js_on_load=script(SCRIPTS / "talk.js"),
    )  # fmt: skip


def _frames() -> gr.HTML:
    """Live frames of talk mode; takes no room. Triggers `ask` with a `FrameQuestion`."""
    return gr.HTML(
        None, html_template="", elem_id="mm-stage-frames", apply_default_css=False, limit=LIVE,
        js_on_load=script(SCRIPTS / "frames.js"),
    )  # fmt: skip


def _step(page: PageState, preset: Preset) -> dict[str, Any]:
    """What the browser needs to know of a step before it is drawn, with `pair` where it was drawn ahead."""
    pair = page.ahead.find(preset.prompt, preset.seed, preset.edits) if page.ahead else None
    changed = {"changed": changed_text(pair.before, pair.after)} if pair else {}
    return {
        "title": preset.title, "lesson": preset.lesson, "prompt": preset.prompt,
        "features": [shown_feature(page.bank.get(edit.feature)) for edit in preset.edits],
        "pair": ahead_pictures(pair) | changed if pair else None,
    }  # fmt: skip
