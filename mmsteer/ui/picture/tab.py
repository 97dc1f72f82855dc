"""The tab "From a picture": its strongest features by modality, and each modality's part added to a prompt, with one strength.

The paper's control experiment as three sliders. What comes from a browser is checked here; how it looks is `picture.js` (the
picture and where it comes from) and `parts.js` (the sliders and features).
"""

import base64
import time
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta

from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.image_file import FORMATS, decode
from mmsteer.steering.edit import Edit
from mmsteer.steering.picture_features import MOST, Parts, edits, strongest
from mmsteer.steering.recipe import LARGEST_SEED, Recipe
from mmsteer.ui.badge import SHAPES, score_told
from mmsteer.ui.compare import alternative, picture_data, status
from mmsteer.ui.keep import LARGEST_FILE, read_bytes
from mmsteer.ui.loading import Loading, attempt, told
from mmsteer.ui.steer.rack import rows
from mmsteer.ui.steer.reading import Reading

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steering.steerer import Steered, Steerer

HERE = Path(__file__).parent
STRONGEST = 1.5  # of a part; 1 is as strong as the picture has it
TITLES = {"vision": "only its vision", "cross": "only its cross-modal", "language": "only its language"}
EMPTY = {
    "vision": "No vision-only feature fires for this picture.",
    "cross": "No cross-modal feature fires for this picture.",
    "language": "A picture has none by itself: they come from the words of its caption.",
}
_EXAMPLE = "please draw a lovely penguin in the middle in the snow", (Edit("warm light"), Edit("white frame")), 12
_FIRST = {"strengths": {"vision": 1.0, "cross": 0.0, "language": 0.0}, "parts": {}}
_LARGEST_SHOWN = 512  # pixels a side


class _Tab:
    """What the handlers need. Holds nothing of any visitor."""

    def __init__(self, bank: FeatureBank, loading: Loading) -> None:
        self.bank, self.loading, self.reading = bank, loading, Reading()

    def look(self, asked: Any) -> list[Any]:
        """The picture that is asked for, its vision and cross-modal features, and its caption; on bad input a sentence that
        says why, and all else stays. The sliders, who hear of new features, ask for what they draw.
        """

        def looked() -> list[Any]:
            picture, caption, alt = self._picture(asked)
            found = strongest(self.loading.run(lambda _: self.loading.reader().features_of(picture)))
            shown = {"picture": _small(picture), "told": alt}
            return [gr.HTML(shown=shown), gr.HTML(found={m: _offers(found[m]) for m in ("vision", "cross")}), caption]

        done, wrong = told(looked)
        # the time makes the same sentence news to a browser that has just shown it
        return done or [gr.HTML(shown={"wrong": wrong, "at": time.time()}), gr.skip(), gr.skip()]

    def first(self, value: Any, prompt: str, seed: float | None) -> list[Any]:
        """The first look: the example, with the prompt and seed of the tab Steer. Later ones find all as it was left."""
        return [*self.look({"ask": "example"}), prompt, seed] if value == _FIRST else [gr.skip()] * 5

    def draw(self, value: Any, caption: str, prompt: str, seed: float | None) -> list[Any]:
        """The language features of the caption, before and after, and what there is to say about them."""

        def drawn() -> list[Any]:
            if seed is None or seed != int(seed):
                raise SteerError("the seed is empty or not a whole number: type one")
            parts, number = self._parts(value, caption), int(seed)
            added = edits(self.bank, parts, _strengths(value))

            def pair(steerer: "Steerer") -> "tuple[Steered, str]":
                result = steerer.steer(prompt, added, number)
                return result, self.reading.told(steerer, result)

            result, read = self.loading.run(pair)
            about = status(result, self.bank.faithfulness) + read
            return [gr.HTML(said=_offers(parts["language"])), _pair(result), about]

        done, wrong = attempt(drawn)
        return done or [gr.skip(), gr.skip(), wrong]

    def open(self, value: Any, caption: str, prompt: str, seed: float | None) -> list[Any]:
        """The parts as rows of the rack, with prompt and seed, in the tab Steer."""
        found, wrong = attempt(
            lambda: rows(self.bank, edits(self.bank, self._parts(value, caption), _strengths(value)))
        )
        if found is None:
            return [*[gr.skip()] * 6, wrong]
        return [gr.Tabs(selected="steer"), prompt, seed, found, None, "", gr.skip()]

    def _parts(self, value: Any, caption: str) -> Parts:
        """The parts that a browser sends back, with what the caption says; SteerError for those that no picture has."""
        said = self.loading.run(lambda steerer: steerer.features_of(caption)) if caption.strip() else []
        return _checked(self.bank, value) | {"language": strongest(said)["language"]}

    def _picture(self, asked: Any) -> "tuple[Image.Image, str, str]":
        """The picture, its caption where there is one, and what it is."""
        steerer = self.loading.wait()
        match asked:
            case {"ask": "file", "file": file} if is_file_obj_with_meta(file):  # gradio lets through what was uploaded
                return decode(BytesIO(read_bytes(file["path"]))), "", "the picture you gave"
            case {"ask": "before" | "after" as which, "query": str(query)}:
                recipe = Recipe.from_query(query)
                recipe = recipe.plain if which == "before" else recipe
            case {"ask": "example"}:
                prompt, added, seed = _EXAMPLE
                names = {feature.name for feature in self.bank.features}
                which, own = "after", tuple(edit for edit in added if edit.feature in names)
                recipe = Recipe(prompt, seed, steerer.sampler, own, steerer.origin)
            case _:
                raise SteerError("the picture asked for cannot be read: load the page again")
        picture = self.loading.run(lambda steerer: steerer.picture(recipe))
        return picture, recipe.prompt, alternative(which, recipe)


def from_picture(
    bank: FeatureBank, loading: Loading, tab: gr.Tab, prompt: gr.Textbox, seed: gr.Number, steer: Sequence[Any]
) -> Any:
    """Fill the tab. `prompt` and `seed` are those of the tab Steer; `steer` are the components that open a recipe there. Returns
    the event after which it is to be drawn.
    """
    own = _Tab(bank, loading)
    with gr.Row(elem_id="mm-from"):
        with gr.Column(scale=5, min_width=220):
            source = gr.HTML(
                html_template='<div class="mm-source"></div>', apply_default_css=False, elem_id="mm-source",
                js_on_load=(HERE / "picture.js").read_text(encoding="utf-8"), largest=LARGEST_FILE,
                types=[f"image/{kind.lower()}" for kind in FORMATS], shown={},
            )  # fmt: skip
            caption = gr.Textbox(
                label="Its caption", placeholder="what somebody would say of it", max_lines=3, elem_id="mm-caption"
            )
        with gr.Column(scale=7, min_width=300):
            parts = gr.HTML(
                _FIRST, html_template='<div class="mm-parts"></div>', apply_default_css=False, elem_id="mm-parts",
                js_on_load=(HERE / "parts.js").read_text(encoding="utf-8"), shapes=SHAPES, most=STRONGEST, titles=TITLES,
                empty=EMPTY, found={}, said=[],
            )  # fmt: skip
        with gr.Column(scale=9, min_width=320, elem_id="mm-into"):
            with gr.Row():
                into = gr.Textbox(
                    label="Prompt it is added to", max_lines=2, elem_id="mm-into-prompt", scale=5, min_width=160
                )
                noise = gr.Number(
                    label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED, elem_id="mm-into-seed", scale=2, min_width=90
                )  # fmt: skip
            pair = gr.HTML(_WAITING, elem_id="mm-pair")
            about = gr.HTML('<div class="mm-status"></div>', elem_id="mm-pair-told")
            opens = gr.Button("Open in the rack", size="sm", elem_id="mm-into-rack")

    shared: dict[str, Any] = {
        "concurrency_id": "draw", "concurrency_limit": 1, "trigger_mode": "always_last", "show_progress": "hidden",
        "api_visibility": "private",
    }  # fmt: skip
    asked: dict[str, Any] = {"fn": own.draw, "inputs": [parts, caption, into, noise], "outputs": [parts, pair, about]}
    tab.select(own.first, [parts, prompt, seed], [source, parts, caption, into, noise], **shared)
    source.upload(own.look, source, [source, parts, caption], **shared)
    parts.release(**asked, **shared)
    gr.on([into.submit, noise.submit, caption.submit], **asked, **shared)
    return opens.click(
        own.open, [parts, caption, into, noise], [*steer, about], show_progress="hidden", api_visibility="private"
    )


def _offers(features: Sequence[tuple[Feature, float]]) -> list[dict[str, Any]]:
    """Features as the browser shows them, and sends them back."""
    return [
        {"id": f.id, "name": f.name, "named": f.named_by is not None, "activation": round(activation, 3), "told": score_told(f)}
        for f, activation in features
    ]  # fmt: skip


def _strengths(value: Any) -> dict[Any, float]:
    """How strong each part is; SteerError for what no slider says."""
    try:
        strengths = {modality: float(value["strengths"][modality]) for modality in MODALITIES}
        if not all(0 <= strength <= STRONGEST for strength in strengths.values()):
            raise ValueError
    except (TypeError, ValueError, KeyError):
        raise SteerError("the sliders cannot be read: load the page again") from None
    return strengths


def _checked(bank: FeatureBank, value: Any) -> Parts:
    """The vision and cross-modal parts that a browser sends back; SteerError for those that no picture has."""
    try:
        parts: Parts = {
            modality: [(bank.get(int(row["id"])), float(row["activation"])) for row in value["parts"].get(modality, [])]
            for modality in ("vision", "cross")
        }
        for modality, found in parts.items():
            if len(found) > MOST[modality] or not all(f.modality == modality and 0 <= a < 1e6 for f, a in found):
                raise ValueError
    except (TypeError, ValueError, KeyError, AttributeError):
        raise SteerError("the picture's features cannot be read: load the page again") from None
    return parts


_WAITING = '<div class="mm-pair">' + '<div class="mm-tile mm-waiting"></div>' * 2 + "</div>"


def _pair(result: "Steered") -> str:
    """Before and after side by side."""
    tiles = ""
    for which, picture, recipe in (
        ("before", result.before, result.recipe.plain), ("after", result.after, result.recipe)
    ):  # fmt: skip
        tiles += (
            f'<figure class="mm-tile"><img src="{picture_data(picture, recipe)}" alt="{escape(alternative(which, recipe), quote=True)}">'
            f'<span class="mm-tag mm-tag-before" aria-hidden="true">{which}</span></figure>'
        )
    return f'<div class="mm-pair">{tiles}</div>'


def _small(picture: "Image.Image") -> str:
    """A picture as a data address, no larger than it is shown."""
    small, buffer = picture.copy(), BytesIO()
    small.thumbnail((_LARGEST_SHOWN, _LARGEST_SHOWN))
    small.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
