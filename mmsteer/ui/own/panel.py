"""A visitor's own picture to edit: where it comes from, its thumbnail, and the slider from keep to free. Nothing shows without one.

The picture is in the component's value, as the recipe carries it: the server keeps nothing. Looks and behaviour: `scripts/panel.js`.
"""

import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.errors import SteerError
from mmsteer.image_file import FORMATS, decode
from mmsteer.pictures.kept import MEANING, kept
from mmsteer.recipes.recipe import Recipe
from mmsteer.recipes.start import FREEDOM, LEAST, LONGEST, Start
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.shared.uploads import LARGEST_FILE, Uploaded, read_bytes

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer


class OwnValue(Payload):
    """The value of the component."""

    freedom: float = Field(ge=LEAST, le=1)
    picture: str = Field(max_length=LONGEST)
    """As a recipe carries it (`mmsteer.recipes.start`); empty without one."""
    file: Uploaded | None = None
    """A picture on its way here. Only `receive` reads it."""


_OWN = TypeAdapter(OwnValue)


def own() -> gr.HTML:
    """The component. It triggers `upload` with a file, and `release` when the picture or its freedom has changed."""
    return gr.HTML(
        own_of(None), html_template='<div class="mm-own-picture"></div>', apply_default_css=False, elem_id="mm-own", answer={},
        js_on_load=script(Path(__file__).parent / "scripts" / "panel.js"), largest=LARGEST_FILE, least=LEAST,
        types=[f"image/{kind.lower()}" for kind in FORMATS],
    )  # fmt: skip


def own_of(recipe: Recipe | None) -> dict[str, Any]:
    """The value that shows what a recipe starts from; None: from noise alone."""
    start = recipe.start if recipe else None
    return {"freedom": start.freedom, "picture": start.picture} if start else {"freedom": FREEDOM, "picture": ""}


def start_of(steerer: "Steerer", value: Any) -> Start | None:
    """The start that the component's value says; None without a picture, and for a backbone that starts from noise alone.

    Raises:
        SteerError: for a value that the component cannot have.
    """
    shown = _read(value)
    return Start(shown.freedom, shown.picture) if shown.picture and steerer.backbone.family.from_picture else None


def receive(loading: Loading, value: Any) -> tuple[Any, Any]:
    """A picture that a visitor gives.

    Returns:
        What CLIP reads in it, for the prompt, which stays as it is where there is nothing to be read; and the component, which learns of
        the picture, or of what is wrong with it, by its property `answer`.
    """

    def received() -> "tuple[dict[str, Any], Image.Image]":
        shown = _read(value)
        if shown.file is None:
            raise SteerError("no picture came: choose a file")
        picture = decode(BytesIO(read_bytes(shown.file["path"])))
        return taken(loading.wait(), picture, shown.freedom), picture

    given, error = attempt(received)
    at = {"at": time.time()}  # so that a browser notices an answer that it has had before
    if given is None:
        return gr.skip(), gr.HTML(answer={"error": error} | at)
    return words(loading, given[1]) or gr.skip(), gr.HTML(answer=given[0] | at)


def words(loading: Loading, picture: "Image.Image") -> str:
    """What CLIP reads in a picture, as a prompt; empty where there is nothing, or no CLIP."""
    return attempt(lambda: loading.run(lambda _: loading.reader().words_of(picture)))[0] or ""


def taken(steerer: "Steerer", picture: "Image.Image", freedom: float = FREEDOM) -> dict[str, Any]:
    """The value of the component with a picture; SteerError where the backbone starts from noise alone."""
    backbone = steerer.backbone
    backbone.from_picture  # noqa: B018  refuses what starts from noise alone
    start = Start.of(picture, backbone.side, freedom)
    return {"freedom": start.freedom, "picture": start.picture}


def keeping(steered: "Steered") -> str:
    """How much of the visitor's own picture is kept, as HTML that shows once figures are asked for; empty without one."""
    measured = kept(steered)
    return (
        f'<div class="mm-similarity mm-figure mm-kept" role="status" title="{MEANING}">Kept of your picture: {measured}</div>'
        if measured
        else ""
    )


def _read(value: Any) -> OwnValue:
    return read(_OWN, own_of(None) if value is None else value, "your picture")
