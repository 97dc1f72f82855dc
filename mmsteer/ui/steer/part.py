"""What is left of an edit on some words, or in some steps, alone: measured on the visitor's own prompt when its options ask for it.

`scripts/part.js` asks and shows the sentence.
"""

from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.errors import SteerError
from mmsteer.pictures.part_of_effect import LITTLE, in_words, part_of_effect
from mmsteer.recipes.direction import LONGEST_NAME
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.shared.known import Known
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script


class PartQuestion(Payload):
    """What the browser asks for."""

    query: str
    """The link of the pair that is shown."""
    id: int | Annotated[str, Field(max_length=LONGEST_NAME)]
    """The row: a feature's number, or the name of a direction."""


_QUESTION = TypeAdapter(PartQuestion)


def part() -> gr.HTML:
    """The component, which takes no room. It triggers `ask` with a `PartQuestion`."""
    return gr.HTML(
        None, html_template="", elem_id="mm-part", apply_default_css=False,
        js_on_load=script(Path(__file__).parent / "scripts" / "part.js"),
    )  # fmt: skip


def measured(known: Known, loading: Loading, value: Any) -> dict[str, Any]:
    """The answer to a `PartQuestion`: `{query, id, sentence, little}`, or with `error` in place of the last two."""

    def sentence() -> dict[str, Any]:
        question = read(_QUESTION, value, "the question")
        recipe, feature = Recipe.from_query(question.query), known.get(question.id)
        edit = next((edit for edit in recipe.edits if known.get(edit.feature).id == feature.id), None)
        if edit is None:
            raise SteerError(f"{feature.name!r} is not active in the pair that is shown: draw it first")
        share = loading.run(lambda steerer: part_of_effect(steerer, recipe, edit))
        return {"sentence": in_words(edit, share), "little": share is not None and share < LITTLE}

    answer, error = attempt(sentence)
    asked = {key: value.get(key) for key in ("query", "id")} if isinstance(value, dict) else {}
    return asked | (answer or {"error": error})
