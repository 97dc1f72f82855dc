"""What covers the pair for a while: live frames, as it follows a slider that moves, and previews of the next pair.

`scripts/live.js` asks for one frame after the other. A frame is no picture of the visit: it enters neither history nor link. The pair
that is drawn on release replaces it.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.errors import SteerError
from mmsteer.models.sampler import LARGEST_SCALE
from mmsteer.pictures.change import changed_text
from mmsteer.recipes.data_url import picture_url
from mmsteer.recipes.recipe import Recipe
from mmsteer.recipes.start import LEAST
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.pair import alternative, ood_distance
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.steer.rack import RackValue, edits_of

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.bank import FeatureBank
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer
    from mmsteer.ui.shared.known import Known

LIVE = 0.5
"""Seconds that a picture may take for sliders to be live. At two frames a second a picture no longer seems to move, and a release
has to wait for the frame before it."""


class FrameQuestion(Payload):
    """What the browser asks for while a slider moves: the pair that is shown, with what is not None as the slider has it."""

    number: int = Field(ge=1)
    query: str
    """The link of the pair."""
    rack: RackValue | None = None
    freedom: float | None = Field(None, ge=LEAST, le=1)
    """Of the visitor's own picture."""
    scale: float | None = Field(None, ge=0, le=LARGEST_SCALE)
    """Of the image adapter."""
    share: float | None = Field(None, ge=0, le=1)
    """Of the whole picture."""


_QUESTION = TypeAdapter(FrameQuestion)


def live() -> gr.HTML:
    """The component, a bar over the pictures that shows while a pair is drawn. It triggers `ask` with a `FrameQuestion`, and `stop`."""
    return gr.HTML(
        None, html_template='<div class="mm-drawing"></div>', elem_id="mm-live", apply_default_css=False, limit=LIVE,
        js_on_load=script(Path(__file__).parent / "scripts" / "live.js"),
    )  # fmt: skip


def frame(known: "FeatureBank | Known", loading: Loading, value: Any) -> dict[str, Any]:
    """*After* of the pair that is shown, as the question changes it; and *before*, where that changes, too.

    Returns:
        `{"frame": {number, after, ood, changed, seconds}}`, maybe with `before`: the properties of the elements that change. Only the
        number if something is wrong: the release will then show the error.
    """

    def drawn() -> dict[str, Any]:
        question = read(_QUESTION, value, "the frame")
        shown = Recipe.from_query(question.query)
        recipe = _moved(known, shown, question)
        if isinstance(loading.wait(), ZeroGPUSteerer):
            raise SteerError("no GPU is borrowed for a frame")
        result, seconds = loading.run(lambda steerer: timed(steerer, recipe))
        pictures = {"after": result.after} | ({"before": result.before} if recipe.plain != shown.plain else {})
        frames = {
            which: {"src": _light(picture), "alt": alternative(which, result.recipe)}
            for which, picture in pictures.items()
        }
        changed = changed_text(result.before, result.after)
        return frames | {"ood": ood_distance(result.ood_distance), "changed": changed, "seconds": seconds}

    answer, _ = attempt(drawn)
    # a refused frame still says which one it is: the browser waits for it
    number = value.get("number") if isinstance(value, dict) else None
    return {"frame": {"number": number if type(number) is int else 0, **(answer or {})}}


def _moved(known: "FeatureBank | Known", recipe: Recipe, question: FrameQuestion) -> Recipe:
    """A recipe, with what the question says."""
    if question.rack is not None:
        recipe = replace(recipe, edits=tuple(edits_of(known, question.rack)))
    if question.freedom is not None and recipe.start is not None:
        recipe = replace(recipe, start=replace(recipe.start, freedom=question.freedom))
    if question.scale is not None:
        recipe = replace(recipe, sampler=replace(recipe.sampler, adapter_scale=question.scale))
    if question.share is not None and recipe.picture is not None:
        recipe = replace(recipe, picture=replace(recipe.picture, share=question.share) if question.share else None)
    return recipe


def timed(steerer: "Steerer", recipe: Recipe) -> "tuple[Steered, float | None]":
    """Draw the pair of a recipe, and measure the seconds that one picture took.

    Returns:
        The result of `Steerer.pair`, and the seconds. They are None if no picture had to be drawn, and on ZeroGPU, where
        frames would use up a visitor's share of the day.

    Raises:
        SteerError: as `Steerer.pair` does.
    """
    cached = steerer.befores.get(recipe.plain) is not None
    result = steerer.pair(recipe)
    drawn = (not cached) + (result.after is not result.before)
    return result, result.seconds / drawn if drawn and not isinstance(steerer, ZeroGPUSteerer) else None


def _light(picture: "Image.Image") -> str:
    """A picture as a data URL that costs next to nothing: 0.3 ms and 15 kB at 256x256."""
    return picture_url(picture, "JPEG", quality=90, subsampling=0)
