"""A visitor's own talk: recipes in an order, with titles and notes. The browser alone keeps it; the server checks each recipe, like
any link. Looks and behaviour: `scripts/own.js`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.bank import FeatureBank
from mmsteer.bank.modality import LABELS, SHAPES
from mmsteer.recipes.direction import Contrast, is_direction, read_source
from mmsteer.recipes.provenance import differences, missing
from mmsteer.recipes.recipe import LONGEST_TEXT, Recipe
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.talk.stage import features_of

MOST = 60  # recipes of a talk


class CheckQuestion(Payload):
    """Recipes to check, as links."""

    queries: list[Annotated[str, Field(max_length=LONGEST_TEXT)]] = Field(max_length=MOST)


_QUESTION = TypeAdapter(CheckQuestion)


def own_talk() -> gr.HTML:
    """The panel, which takes no room while the talk is empty. Triggers `check` with a `CheckQuestion`."""
    return gr.HTML(
        None, html_template='<div class="mm-own-talk"></div>', elem_id="mm-own-talk", apply_default_css=False, shapes=SHAPES,
        labels=LABELS, js_on_load=script(Path(__file__).parent / "scripts" / "own.js"),
    )  # fmt: skip


def checked(bank: FeatureBank, value: Any) -> dict[str, Any]:
    """What the page knows of recipes before they are drawn.

    Returns:
        `{"recipes": [...]}`, each as `_checked` says; or `{"error": sentence}`.
    """
    question, error = attempt(lambda: read(_QUESTION, value, "the talk"))
    if question is None:
        return {"error": error}
    return {"recipes": [_checked(bank, query) for query in question.queries]}


def _checked(bank: FeatureBank, query: str) -> dict[str, Any]:
    """`{query, title, prompt, features, notes}`: what the browser may show of a recipe; or `{query, error}`."""

    def known() -> dict[str, Any]:
        recipe = Recipe.from_query(query)
        without = missing(bank, recipe)
        here = replace(recipe.origin, bank=bank.digest)  # the rest of its origin is compared once the model has loaded
        names = [name for edit in recipe.edits if (name := _name(bank, edit.feature))]
        return {
            "title": " + ".join(names) or recipe.prompt, "prompt": recipe.prompt, "features": features_of(bank, recipe),
            "notes": [one.note for one in without] + differences(recipe, here, bank),
        }  # fmt: skip

    answer, error = attempt(known)
    return {"query": query, **(answer or {"error": error})}


def _name(bank: FeatureBank, feature: str | int) -> str:
    """A feature or direction by its name; empty for a feature that the bank does not have."""
    if (found := bank.find(feature)) is not None or not is_direction(feature):
        return found.name if found else ""
    source = read_source(str(feature))
    return source.title if isinstance(source, Contrast) else str(source)
