"""A slider that a visitor types: "summer → winter", or one word. The search of the rack asks; `scripts/typed.js` carries the answer."""

from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import TypeAdapter

from mmsteer.errors import SteerError
from mmsteer.recipes.direction import Direction
from mmsteer.ui.shared.known import Known
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.steer.rack import direction_entry


class TypedQuestion(Payload):
    """What the browser asks for."""

    text: str
    """A name with an arrow (`mmsteer.recipes.direction`)."""


_QUESTION = TypeAdapter(TypedQuestion)


def typed() -> gr.HTML:
    """The component, which takes no room. It triggers `ask` with a `TypedQuestion`."""
    return gr.HTML(
        None, html_template="", elem_id="mm-typed", apply_default_css=False,
        js_on_load=script(Path(__file__).parent / "scripts" / "typed.js"),
    )  # fmt: skip


def make(known: Known, value: Any) -> dict[str, Any]:
    """The direction of a `TypedQuestion`: `{"made": …}`, what the rack needs to know of it, or `{"error": sentence}`."""

    def made() -> dict[str, Any]:
        feature = known.get(read(_QUESTION, value, "the slider to make").text)
        if not isinstance(feature, Direction):
            raise SteerError(f"{feature.name!r} is a feature of the bank: add it")
        return direction_entry(feature)

    entry, error = attempt(made)
    return {"error": error} if entry is None else {"made": entry}
