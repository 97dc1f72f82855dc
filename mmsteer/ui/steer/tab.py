"""The tab "Steer": prompt, seed, a rack of feature sliders, before and after; the tour and the sweep panel."""

import random
from typing import Any

import gradio as gr

from mmsteer.recipes.presets import Preset
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.from_pictures import panel as from_pictures
from mmsteer.ui.own import panel as own
from mmsteer.ui.progress.stop import stopping
from mmsteer.ui.prompt.known_words import known_words
from mmsteer.ui.shared.events import AT_ONCE, DRAW_EVERY, DRAW_NEWEST, READ, READ_NEWEST, SILENT, Settings
from mmsteer.ui.shared.page_state import Controls, PageState
from mmsteer.ui.shared.uploads import read_recipe
from mmsteer.ui.steer.compare import drawn_ahead
from mmsteer.ui.steer.history import history
from mmsteer.ui.steer.image import image
from mmsteer.ui.steer.live import frame, live
from mmsteer.ui.steer.opening import Opening
from mmsteer.ui.steer.options import options
from mmsteer.ui.steer.pair import PairDrawer
from mmsteer.ui.steer.part import measured, part
from mmsteer.ui.steer.rack import rack
from mmsteer.ui.steer.region import region
from mmsteer.ui.steer.typed import make, typed
from mmsteer.ui.steer.words import by_words, words
from mmsteer.ui.sweep import panel as sweep
from mmsteer.ui.talk import panel as talk
from mmsteer.ui.visit import panel as visit_panel

TITLE = "Steer"
_SEEDS = 10_000  # that "New picture" takes one of: short enough to be read out
_FALLBACK = Preset("", "", "a cat at night", 0, ())  # for a bank without any feature of the presets


def build(page: PageState, _: gr.Tab) -> None:
    """Fill the tab."""
    first = page.presets[0] if page.presets else _FALLBACK
    with gr.Row(elem_id="mm-columns"):
        with gr.Column(scale=5, min_width=320, elem_id="mm-left"):
            left = _Left(page, first)
        with gr.Column(scale=6, min_width=320, elem_id="mm-right"):
            right = _Right(page)
    with gr.Row(elem_id="mm-under"):
        visit = history()
        file = gr.UploadButton(
            "Open a PNG or JSON", file_types=[".png", ".json"], size="sm", elem_id="mm-open", min_width=150
        )
    opening = Opening(page)
    page.controls = _controls(page, left, right)
    _draw_on_change(page.controls, left)
    _open_recipes(page, opening, visit, file, left)
    right.moving.ask(
        lambda value: frame(page.known, page.loading, value),
        right.moving,
        right.moving,
        api_name="frame",
        **DRAW_NEWEST,
    )
    right.moving.stop(stopping(page, "pair"), None, None, **AT_ONCE)
    every: Settings = DRAW_NEWEST | right.progress | {"trigger_mode": "multiple"}
    right.third.ask(
        lambda value: by_words(page.bank, page.loading, page.reading, value), right.third, right.third, **every
    )
    left.own.upload(lambda value: own.receive(page.loading, value), left.own, [left.prompt, left.own], **READ_NEWEST)
    left.part.ask(lambda value: measured(page.known, page.loading, value), left.part, left.part, **DRAW_EVERY)
    left.typed.ask(lambda value: make(page.known, value), left.typed, left.typed, **READ_NEWEST)
    visit_panel.build(page)
    from_pictures.build(page)
    sweep.build(page)


class _Left:
    """Components of the left column: what is drawn, and examples."""

    def __init__(self, page: PageState, first: Preset) -> None:
        with gr.Group(elem_id="mm-ask"):
            self.prompt = gr.Textbox(first.prompt, label="Prompt", lines=1, max_lines=3, elem_id="mm-prompt")
            self.go = gr.Button("Draw", variant="primary", elem_id="mm-draw", min_width=0)
        self.known = known_words()
        with gr.Row(elem_id="mm-buttons"):
            self.dice = gr.Button("⚄ New picture", elem_id="mm-dice", min_width=90)
        self.rack = rack(page.bank, first.edits)
        self.typed = typed()
        self.part = part()
        self.image = image()
        self.own = own.own()
        self.region = region()
        with gr.Accordion("Options", open=False, elem_id="mm-options") as self.options:
            options()
            self.features = gr.HTML(elem_id="mm-active")
            # no limits of its own: gradio answers a number outside them with an error that says nothing
            self.seed = gr.Number(first.seed, label="Seed of the noise", elem_id="mm-seed", min_width=110)
            self.negative_prompt = gr.Textbox(
                "", label="Negative prompt", lines=1, max_lines=3, elem_id="mm-negative-prompt",
                placeholder="what guidance steers away from, in both pictures",
            )  # fmt: skip
        with gr.Row(elem_id="mm-presets"):
            self.shortcuts = [
                gr.Button(p.title, size="sm", elem_id=f"mm-preset-{k}") for k, p in enumerate(page.presets)
            ]


class _Right:
    """Components of the right column: the pictures, and what is said of them."""

    def __init__(self, page: PageState) -> None:
        with gr.Row(elem_id="mm-trio"):
            self.pictures = gr.HTML(
                drawn_ahead(page.ahead.pair(0) if page.ahead else None, first=True), elem_id="mm-pictures"
            )
            self.third = words()
            self.moving = live()
        self.notice = gr.HTML(elem_id="mm-notice")
        self.status = gr.HTML('<div class="mm-status"></div>', elem_id="mm-status")
        talk.build(page)
        self.sampler = gr.State(None)
        self.progress: Settings = {"show_progress": "minimal", "show_progress_on": self.pictures}


def _controls(page: PageState, left: _Left, right: _Right) -> Controls:
    """What other tabs fill, and the event that draws the pair."""
    drawer = PairDrawer(page)
    seen = [left.prompt, left.seed, left.rack, left.region]
    look = {"fn": drawer.look, "inputs": seen, "outputs": right.pictures} | AT_ONCE
    beside = left.negative_prompt, left.image, left.own, left.region
    recipe = left.prompt, left.seed, left.rack, right.sampler, *beside
    draw: dict[str, Any] = {
        "fn": drawer.draw, "api_name": "pair",
        "inputs": list(recipe),
        "outputs": [right.pictures, right.status, left.features, right.moving],
    }  # fmt: skip
    return Controls(*recipe, left.options, right.notice, draw | DRAW_NEWEST | right.progress, look)


def _draw_on_change(controls: Controls, left: _Left) -> None:
    """Draw when the visitor asks for it or has changed something."""
    gr.on([left.go.click, left.prompt.submit, left.negative_prompt.submit], **controls.draw)
    rolled = left.dice.click(lambda: random.randrange(_SEEDS), None, left.seed, **AT_ONCE)
    rolled.then(**controls.draw)
    left.seed.submit(**controls.draw)
    left.rack.release(**controls.draw)
    left.image.release(**controls.draw)
    left.own.release(**controls.draw)
    left.region.release(**controls.draw)


def _open_recipes(page: PageState, opening: Opening, visit: gr.HTML, file: gr.UploadButton, left: _Left) -> None:
    """Open recipes from links, history, files and presets, and draw them."""
    draw, look, restored = page.controls.draw, page.controls.look, page.controls.restored
    link = gr.State("")
    arriving = page.blocks.load(opening.arrive, None, [*restored, link], **AT_ONCE)
    arriving.then(**look)
    learning = [page.controls.rack, page.controls.image, left.known, page.controls.notice]
    # once the model is there, what stands in the fields by then is drawn, unless the visitor has asked for it meanwhile
    arriving.then(opening.loaded, link, learning, **READ, **SILENT).then(**draw | {"trigger_mode": "once"})
    again = visit.restore(
        lambda query: opening.restore(lambda: Recipe.from_query(query), wait=True),
        visit,
        restored,
        api_name="restore",
        **AT_ONCE,
    )
    again.then(**draw)
    uploaded = file.upload(
        lambda path: opening.restore(lambda: read_recipe(path), wait=True), file, restored, **AT_ONCE
    )
    uploaded.then(**draw)
    for shortcut, preset in zip(left.shortcuts, page.presets, strict=True):
        chosen = shortcut.click(lambda preset=preset: opening.preset(preset), None, restored, **AT_ONCE)
        chosen.then(**look)
        chosen.then(**draw)
