"""What a backbone reads beside the words: how strongly its image adapter acts, and a whole picture in place of the prompt's own
image embedding. Two sliders below the rack; neither shows where it would do nothing. Looks and behaviour: `scripts/image.js`.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.models.sampler import LARGEST_SCALE, Sampler
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steerer


class ImageValue(Payload):
    """The value of the sliders."""

    scale: float = Field(ge=0, le=LARGEST_SCALE)
    """Of the image adapter."""
    share: float = Field(ge=0, le=1)
    """Of the whole picture."""
    embedding: str = Field(max_length=20_000)
    """The picture's (`mmsteer.recipes.picture`); empty without one."""


_IMAGE = TypeAdapter(ImageValue)


def image() -> gr.HTML:
    """The component. It triggers `release` when a slider has moved."""
    return gr.HTML(
        image_of(None), html_template='<div class="mm-image"></div>', apply_default_css=False, elem_id="mm-image", adapter=False,
        largest=LARGEST_SCALE, js_on_load=script(Path(__file__).parent / "scripts" / "image.js"),
    )  # fmt: skip


def image_of(recipe: Recipe | None) -> dict[str, Any]:
    """The value that shows what a recipe says; None: the one to begin with."""
    scale, picture = (1.0, None) if recipe is None else (recipe.sampler.adapter_scale, recipe.picture)
    share, embedding = (1.0, "") if picture is None else (picture.share, picture.embedding)
    return {"scale": scale, "share": share, "embedding": embedding}


def acting(steerer: "Steerer", sampler: Sampler | None, value: Any) -> tuple[Sampler, Picture | None]:
    """Sampler and picture as the sliders have them, without what this backbone does not read.

    Args:
        steerer: that draws.
        sampler: of an opened recipe; None is the checkpoint's.
        value: of the component; None is the one it begins with.

    Raises:
        SteerError: for a value that these sliders cannot have.
    """
    shown = read(_IMAGE, image_of(None) if value is None else value, "the image sliders")
    backbone = steerer.backbone
    scale = 1.0 if backbone.adapter_reads is None else shown.scale
    picture = Picture(shown.share, shown.embedding) if shown.embedding and shown.share else None
    if picture is not None and len(picture.vector) != backbone.image_width:
        picture = None  # a note on the recipe says so
    return replace(sampler or steerer.sampler, adapter_scale=scale), picture
