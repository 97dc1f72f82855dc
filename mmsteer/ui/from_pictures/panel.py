"""A slider from pictures: a panel that the rack's search opens. Looks and behaviour are `scripts/panel.js`.

Each picture is read once, to its image embedding, which the browser keeps; the slider is made of two groups of embeddings. So nothing is
kept of a visitor here, and no question carries more than one picture.
"""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import torch
from pydantic import Field, TypeAdapter

from mmsteer.errors import SteerError
from mmsteer.image_file import FORMATS, decode
from mmsteer.pictures.picture_features import FEWEST, LARGEST, check_groups, contrast_of
from mmsteer.recipes.direction import LONGEST_SIDE, Direction
from mmsteer.recipes.picture import Picture
from mmsteer.ui.shared.events import READ, SILENT
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.shared.uploads import LARGEST_FILE, Uploaded, read_bytes
from mmsteer.ui.steer.rack import direction_entry

if TYPE_CHECKING:
    import torch


class PictureQuestion(Payload):
    """An uploaded picture."""

    number: int
    """Of the picture in the browser; the answer has it too."""
    file: Uploaded


class SliderQuestion(Payload):
    """Two groups of pictures that have been read."""

    title: str
    shown: list[str] = Field(max_length=LARGEST)
    """Image embeddings of pictures with something (`mmsteer.recipes.picture`)."""
    not_shown: list[str] = Field(max_length=LARGEST)
    """Of pictures without it."""


_PICTURE, _SLIDER = TypeAdapter(PictureQuestion), TypeAdapter(SliderQuestion)


def build(page: PageState) -> None:
    """Put the panel, which is hidden at first, into the tab Steer and answer its questions."""
    panel = gr.HTML(
        None, html_template='<section class="mm-from-pictures" aria-label="A slider from pictures" hidden></section>',
        elem_id="mm-from-pictures", apply_default_css=False, js_on_load=script(Path(__file__).parent / "scripts" / "panel.js"),
        fewest=FEWEST, most=LARGEST, longest=LONGEST_SIDE, largest=LARGEST_FILE, types=[f"image/{kind.lower()}" for kind in FORMATS],
    )  # fmt: skip
    sliders = Sliders(page)
    settings = READ | SILENT
    panel.read(sliders.read, panel, panel, trigger_mode="multiple", **settings)
    panel.make(sliders.make, panel, panel, trigger_mode="multiple", **settings)


class Sliders:
    """Answers to the panel's questions."""

    def __init__(self, page: PageState) -> None:
        self.known, self.loading = page.known, page.loading

    def read(self, value: Any) -> dict[str, Any]:
        """The image embedding of a `PictureQuestion`: `{"read": …, "number": …}`, or `{"error": sentence, "number": …}`."""

        def embedded() -> str:
            picture = decode(BytesIO(read_bytes(read(_PICTURE, value, "the picture").file["path"])))
            reader = self.loading.reader()
            x = self.loading.run(lambda _: reader.embed([picture])[0])
            return Picture.of(x.tolist()).embedding

        answer, error = attempt(embedded)
        number = value.get("number") if isinstance(value, dict) else None
        return {"number": number if type(number) is int else 0} | ({"error": error} if error else {"read": answer})

    def make(self, value: Any) -> dict[str, Any]:
        """The slider of a `SliderQuestion`: `{"made": …}`, what the rack needs to know of it, or `{"error": sentence}`."""

        def made() -> dict[str, Any]:
            question = read(_SLIDER, value, "the pictures")
            check_groups(len(question.shown), len(question.not_shown))
            contrast = contrast_of(question.title, _stacked(question.shown), _stacked(question.not_shown))
            direction = self.known.get(str(contrast))
            assert isinstance(direction, Direction)
            return direction_entry(direction)

        entry, error = attempt(made)
        return {"error": error} if error else {"made": entry}


def _stacked(embeddings: list[str]) -> "torch.Tensor":
    """Embeddings as the browser has them, `[n, d_joint]`, of unit length."""
    import torch

    vectors = [Picture(1.0, embedding).vector for embedding in embeddings]
    if len({len(vector) for vector in vectors}) != 1:
        raise SteerError("the pictures were read by different models: load the page again")
    x = torch.tensor(vectors)
    unit: torch.Tensor = x / x.norm(dim=1, keepdim=True)
    return unit
