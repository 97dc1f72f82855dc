"""The panel that compares two pictures of a visit and keeps favourites, in the browser alone. Looks and behaviour are `scripts/`.

Only the words for what sets two recipes apart come from here. Nothing of a visitor is stored.
"""

from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import TypeAdapter

from mmsteer.bank import FeatureBank
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.shared.events import AT_ONCE
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.visit.differences import differences


class DifferQuestion(Payload):
    """Two pictures of the visit."""

    first: str
    """The link of a pair."""
    second: str


_QUESTION = TypeAdapter(DifferQuestion)


def build(page: PageState) -> None:
    """Put the panel, which is hidden at first, into the tab Steer and answer its questions."""
    panel = gr.HTML(
        None, html_template='<section class="mm-visit" aria-label="Compare and keep" hidden></section>', elem_id="mm-visit",
        apply_default_css=False, js_on_load=script(Path(__file__).parent / "scripts" / "panel.js"),
    )  # fmt: skip
    panel.differ(lambda value: differ(page.bank, value), panel, panel, trigger_mode="multiple", **AT_ONCE)


def differ(bank: FeatureBank, value: Any) -> dict[str, Any]:
    """What sets the second recipe of a `DifferQuestion` apart from the first: `{first, second, differences}`, or with `error`."""

    def worded() -> list[str]:
        question = read(_QUESTION, value, "the two pictures")
        return differences(bank, Recipe.from_query(question.first), Recipe.from_query(question.second))

    answer, error = attempt(worded)
    asked = value if isinstance(value, dict) else {}
    links = {name: asked[name] if isinstance(asked.get(name), str) else "" for name in ("first", "second")}
    return links | ({"error": error} if error else {"differences": answer})
