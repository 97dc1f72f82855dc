"""The tab "From a picture": its strongest features by modality; each modality's part can be added to a prompt.

The paper's control experiment as three sliders. Looks and behaviour: `picture.js` (the picture and where it comes from) and
`parts.js` (the sliders and features).
"""

import time
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.bank import Feature
from mmsteer.bank.modality import SHAPES
from mmsteer.image_file import FORMATS, decode
from mmsteer.pictures.picture_features import edits, share_that_fits, strongest
from mmsteer.recipes.data_url import recipe_url, thumbnail_url
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.recipe import LARGEST_SEED, Recipe
from mmsteer.ui.own.panel import taken, words
from mmsteer.ui.picture.payloads import STRONGEST, FileQuestion, ShownQuestion, read_parts, read_question
from mmsteer.ui.shared.badge import score_tooltip
from mmsteer.ui.shared.events import DRAW_NEWEST, READ, READ_NEWEST, SILENT
from mmsteer.ui.shared.loading import attempt, attempt_html
from mmsteer.ui.shared.notices import note
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.pair import alternative, status
from mmsteer.ui.shared.payload import whole_seed
from mmsteer.ui.shared.script import script
from mmsteer.ui.shared.uploads import LARGEST_FILE, read_bytes
from mmsteer.ui.steer.opening import beside
from mmsteer.ui.steer.rack import ROWS, with_rows_of

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer

TITLE = "From a picture"
HERE = Path(__file__).parent
PARTS = {
    "vision": "what it looks like, minus what can be said",
    "cross": "what is seen and can be said",
    "language": "what only its caption says",
}
EMPTY = {
    "vision": "No vision-only feature fires for this picture.",
    "cross": "No cross-modal feature fires for this picture.",
    "language": "Type its caption: a picture alone has nothing that is only said.",
}
_EXAMPLE = "please draw a lovely penguin in the middle in the snow", (Edit("warm light"), Edit("white frame")), 12
_FIRST = {"strengths": {"vision": 1.0, "cross": 0.0, "language": 0.0, "whole": 0.0}, "parts": {}}
_NO_IMAGE = "This backbone reads no image embedding, only words: give it an image adapter with --ip-adapter."

_SIDE = 512  # pixels, of the picture in the page


def build(page: PageState, tab: gr.Tab) -> None:
    """Fill the tab."""
    with gr.Row(elem_id="mm-from"):
        with gr.Column(scale=5, min_width=220):
            source = gr.HTML(
                html_template='<div class="mm-source"></div>', apply_default_css=False, elem_id="mm-source",
                js_on_load=script(HERE / "picture.js"), largest=LARGEST_FILE,
                types=[f"image/{kind.lower()}" for kind in FORMATS], answer={},
            )  # fmt: skip
            caption = gr.Textbox(
                label="Its caption", placeholder="how somebody would describe it", max_lines=3, elem_id="mm-caption"
            )
        with gr.Column(scale=7, min_width=300):
            parts = gr.HTML(
                _FIRST, html_template='<div class="mm-parts"></div>', apply_default_css=False, elem_id="mm-parts",
                js_on_load=script(HERE / "parts.js"), shapes=SHAPES, most=STRONGEST, titles=PARTS, empty=EMPTY,
                in_picture={}, in_caption=[], no_whole="The model is loading.",
            )  # fmt: skip
        with gr.Column(scale=9, min_width=320, elem_id="mm-into"):
            with gr.Row():
                prompt = gr.Textbox(
                    label="Prompt it is added to", max_lines=2, elem_id="mm-into-prompt", scale=5, min_width=160
                )
                seed = gr.Number(
                    label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED, elem_id="mm-into-seed", scale=2, min_width=90
                )  # fmt: skip
            pair = gr.HTML(_WAITING, elem_id="mm-pair")
            about = gr.HTML('<div class="mm-status"></div>', elem_id="mm-picture-status")
            with gr.Row():
                open_button = gr.Button("Open with the active features", size="sm", elem_id="mm-into-rack")
                edit_button = gr.Button("Edit this picture itself", size="sm", elem_id="mm-into-own")

    handlers, steer, inputs = _Handlers(page), page.controls, [parts, caption, prompt, seed]
    draw: dict[str, Any] = {"fn": handlers.draw, "inputs": inputs, "outputs": [parts, pair, about]}
    first = [source, parts, caption, prompt, seed]
    tab.select(handlers.first, [parts, steer.prompt, steer.seed], first, **DRAW_NEWEST)
    source.upload(handlers.look_at_file, source, [source, parts, caption], **READ_NEWEST)
    source.ask(handlers.look, source, [source, parts, caption], **DRAW_NEWEST)
    parts.release(**draw, **DRAW_NEWEST)
    gr.on([prompt.submit, seed.submit, caption.submit], **draw, **DRAW_NEWEST)
    opened = open_button.click(
        handlers.open, [*inputs, steer.rack], [page.tabs, *steer.restored, about], **READ, **SILENT
    )
    opened.then(**steer.draw)
    given = edit_button.click(
        handlers.edit, [source, caption], [page.tabs, steer.prompt, steer.own, about], **DRAW_NEWEST
    )
    given.then(**steer.draw)


class _Handlers:
    """Answers to the tab's events."""

    def __init__(self, page: PageState) -> None:
        self.bank, self.loading, self.reading = page.bank, page.loading, page.reading

    def look(self, value: Any) -> list[Any]:
        """Read a picture.

        Args:
            value: a `FileQuestion`, `ShownQuestion` or `ExampleQuestion`.

        Returns:
            Values of the picture, its vision-only and cross-modal features, and its caption. On bad input a sentence says why, and all
            else stays. The sliders learn of the new features, and then ask for what they draw.
        """

        def looked() -> list[Any]:
            picture, caption, alt = self._picture(value)
            reader, steerer = self.loading.reader(), self.loading.wait()
            x = self.loading.run(lambda _: reader.embed([picture])[0])
            features = strongest(reader.features_at(x))
            offers: dict[str, Any] = {modality: _offers(features[modality]) for modality in ("vision", "cross")}
            reads = steerer.backbone.image_width is not None
            offers |= {"embedding": Picture.of(x.tolist()).embedding} if reads else {}
            parts = gr.HTML(in_picture=offers, no_whole="" if reads else _NO_IMAGE)
            return [gr.HTML(answer={"picture": thumbnail_url(picture, _SIDE, "PNG"), "alt": alt}), parts, caption]

        values, error = attempt(looked)
        # with the time, a browser notices a sentence that it already shows
        return values or [gr.HTML(answer={"error": error, "at": time.time()}), gr.skip(), gr.skip()]

    def look_at_file(self, value: Any) -> list[Any]:
        """Read a picture that is not drawn here: a `FileQuestion`, and no other."""
        return self.look({**value, "ask": "file"} if isinstance(value, dict) else value)

    def first(self, value: Any, prompt: str, seed: float | None) -> list[Any]:
        """At the first visit of the tab: the example, with prompt and seed of the tab Steer. Later visits change nothing."""
        return [*self.look({"ask": "example"}), prompt, seed] if value == _FIRST else [gr.skip()] * 5

    def draw(self, value: Any, caption: str, prompt: str, seed: float | None) -> list[Any]:
        """The language features of the caption, the pair, and its status line."""

        def drawn() -> list[Any]:
            number = whole_seed(seed)
            parts, added, whole = self._parts(value, caption)

            def pair(steerer: "Steerer") -> "tuple[Steered, str]":
                result = steerer.steer(prompt, added, number, None, whole)
                return result, self.reading.judged(steerer, result)

            result, judged = self.loading.run(pair)
            about = status(result, self.bank.faithfulness) + self._scaled(value, parts) + judged
            return [gr.HTML(in_caption=_offers(parts["language"])), _pair(result), about]

        values, error = attempt_html(drawn)
        return values or [gr.skip(), gr.skip(), error]

    def open(self, value: Any, caption: str, prompt: str, seed: float | None, rack: Any) -> list[Any]:
        """The parts beside the active features of the tab Steer, with prompt, seed and whole picture. *Undo* there takes them back."""

        def opened() -> list[Any]:
            _, added, whole = self._parts(value, caption)
            together, left_out = with_rows_of(self.bank, rack, added)
            full = f"There is room for {ROWS} active features: {left_out} of the picture's are left out."
            shown = [
                prompt,
                seed,
                together,
                None,
                *beside(Recipe("any", picture=whole)),
                note(full) if left_out else "",
            ]
            return [gr.Tabs(selected="steer"), *shown, gr.skip()]

        values, error = attempt_html(opened)
        return values or [*[gr.skip()] * 11, error]

    def edit(self, value: Any, caption: str) -> list[Any]:
        """The picture itself as the visitor's own in the tab Steer, and what is known of its caption as the prompt."""

        def opened() -> list[Any]:
            picture, known, _ = self._picture(value or {"ask": "example"})
            prompt = caption.strip() or known or words(self.loading, picture) or gr.skip()
            return [
                gr.Tabs(selected="steer"),
                prompt,
                taken(self.loading.wait(), picture),
                gr.skip(),
            ]

        values, error = attempt_html(opened)
        return values or [*[gr.skip()] * 3, error]

    def _parts(
        self, value: Any, caption: str
    ) -> "tuple[dict[Any, list[tuple[Feature, float]]], list[Edit], Picture | None]":
        """The parts that a browser sends back, with the caption's language features; their edits; and the whole picture."""
        in_picture, strengths, whole = read_parts(self.bank, value)
        in_caption = self.loading.run(lambda steerer: steerer.features_of(caption)) if caption.strip() else []
        parts = in_picture | {"language": strongest(in_caption)["language"]}
        return parts, edits(self.bank, parts, strengths), whole

    def _scaled(self, value: Any, parts: Any) -> str:
        """A note if the parts are drawn weaker than their sliders say."""
        share = share_that_fits(self.bank, parts, read_parts(self.bank, value)[1])
        if share > 0.99:
            return ""
        return note(
            f"Together that is more than prompts usually say: {100 * share:.0f} % of it is added, so that the picture holds together."
        )

    def _picture(self, value: Any) -> "tuple[Image.Image, str, str]":
        """The picture, its caption (empty if unknown), and its alternative text."""
        steerer, question = self.loading.wait(), read_question(value)
        if isinstance(question, FileQuestion):
            return decode(BytesIO(read_bytes(question.file["path"]))), "", "the picture you gave"
        if isinstance(question, ShownQuestion):
            which, recipe = question.ask, Recipe.from_query(question.query)
            recipe = recipe.plain if which == "before" else recipe
        else:
            prompt, added, seed = _EXAMPLE
            names = {feature.name for feature in self.bank.features}
            which, known = "after", tuple(edit for edit in added if edit.feature in names)
            recipe = Recipe(prompt, seed, steerer.sampler, known, steerer.origin)
        picture = self.loading.run(lambda steerer: steerer.picture(recipe))
        return picture, recipe.prompt, alternative(which, recipe)


def _offers(features: Sequence[tuple[Feature, float]]) -> list[dict[str, Any]]:
    """Features as the browser shows them, and sends them back."""
    return [
        {
            "id": f.id, "name": f.name, "named": f.named_by is not None, "activation": round(activation, 3),
            "scoreTooltip": score_tooltip(f),
        } for f, activation in features
    ]  # fmt: skip


_WAITING = '<div class="mm-pair">' + '<div class="mm-tile mm-waiting"></div>' * 2 + "</div>"


def _pair(result: "Steered") -> str:
    """Before and after side by side."""
    tiles = ""
    for which, picture, recipe in (
        ("before", result.before, result.recipe.plain), ("after", result.after, result.recipe)
    ):  # fmt: skip
        tiles += (
            f'<figure class="mm-tile"><img src="{recipe_url(picture, recipe)}" alt="{escape(alternative(which, recipe), quote=True)}">'
            f'<span class="mm-tag mm-tag-before" aria-hidden="true">{which}</span></figure>'
        )
    return f'<div class="mm-pair">{tiles}</div>'
