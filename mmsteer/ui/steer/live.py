"""Live: while a slider of the rack moves, *after* follows it. `live.js` asks for one frame after the other.

A frame is no picture of the visit: it enters neither history nor link, and nobody reads it. The pair that the release draws
takes its place.
"""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.steering.recipe import Recipe
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.compare import alternative, gauge
from mmsteer.ui.loading import Loading, told
from mmsteer.ui.steer.rack import edits_of

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.bank import FeatureBank
    from mmsteer.steering.edit import Edit
    from mmsteer.steering.steerer import Steered, Steerer

LIVE = 0.5
"""Seconds a picture may take for sliders to be live. At two a second they no longer look like one that moves, and a release
waits for the frame before it."""
_UNREADABLE = "the frame cannot be read: load the page again"


def live() -> gr.HTML:
    """The component, which takes no room; it says `ask` with {number, query of the pair shown, rack}."""
    return gr.HTML(
        None, html_template="", elem_id="mm-live", apply_default_css=False, limit=LIVE,
        js_on_load=(Path(__file__).parent / "live.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def frame(bank: "FeatureBank", loading: Loading, asked: Any) -> dict[str, Any]:
    """*After* of the pair shown with the rack as it stands at this moment: what of the page changes, by place.

    Of what goes wrong nothing is told: the release will tell it.
    """
    number = asked["number"] if isinstance(asked, dict) and type(asked.get("number")) is int else 0

    def drawn() -> dict[str, Any]:
        if not number:
            raise SteerError(_UNREADABLE)
        recipe, edits = Recipe.from_query(str(asked.get("query"))), edits_of(bank, asked.get("rack"))
        if isinstance(loading.wait(), ZeroGPUSteerer):
            raise SteerError("a GPU is not borrowed for a frame")
        result, seconds = loading.run(lambda steerer: timed(steerer, recipe.prompt, edits, recipe.seed, recipe.sampler))
        after = {"src": _light(result.after), "alt": alternative("after", result.recipe)}
        return {"after": after, "gauge": gauge(result.ood_distance), "seconds": seconds}

    answer, _ = told(drawn)
    return {"frame": {"number": number, **(answer or {})}}


def timed(
    steerer: "Steerer", prompt: str, edits: "Sequence[Edit]", seed: int, sampler: Sampler | None
) -> "tuple[Steered, float | None]":
    """Steer, and tell the seconds that one picture took.

    None where none was drawn, both being known; and on ZeroGPU, where a picture costs a visitor's share of the day.
    SteerError as of `Steerer.steer`.
    """
    plain = Recipe(prompt, seed, sampler or steerer.sampler, (), steerer.origin)
    known = steerer.befores.get(plain) is not None
    result = steerer.steer(prompt, edits, seed, sampler)
    drawn = (not known) + (result.after is not result.before)
    return result, result.seconds / drawn if drawn and not isinstance(steerer, ZeroGPUSteerer) else None


def _light(picture: "Image.Image") -> str:
    """A picture as a data address that costs next to nothing: 0.3 ms and 15 kB at 256x256."""
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
