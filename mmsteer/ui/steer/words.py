"""The same thing by prompt: a third picture, of the prompt with its edits' words added, from the same noise.

It follows the pair for as long as it is shown (`scripts/words.js`). A slider move that changes no word costs no picture.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import TypeAdapter

from mmsteer.errors import SteerError
from mmsteer.pictures.change import changed_text
from mmsteer.recipes.data_url import recipe_url
from mmsteer.recipes.recipe import Recipe
from mmsteer.recipes.worded_prompt import WordedPrompt, in_words
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script
from mmsteer.ui.steer.reading import Reading

if TYPE_CHECKING:
    from mmsteer.bank import FeatureBank
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer


class WordsQuestion(Payload):
    """What the browser asks for."""

    query: str
    """The link of the pair that is shown."""
    prompt: str = ""
    """What the visitor types instead; empty for the prompt with the features' words."""


_QUESTION = TypeAdapter(WordsQuestion)


def words() -> gr.HTML:
    """The component. It triggers `ask` with a `WordsQuestion`, and shows the answer."""
    return gr.HTML(
        None, html_template='<div class="mm-words-place"></div>', elem_id="mm-words", apply_default_css=False,
        js_on_load=script(Path(__file__).parent / "scripts" / "words.js"),
    )  # fmt: skip


def by_words(bank: "FeatureBank", loading: Loading, reading: Reading, value: Any) -> dict[str, Any]:
    """The third picture of a pair.

    Returns:
        `{query, picture, prompt, notes, judged, changed}`: the prompt it was drawn from, sentences about it, what the judge reads,
        and what share of *before* it changes; or `{query, error}`.
    """

    def drawn() -> dict[str, Any]:
        question = read(_QUESTION, value, "the link")
        recipe = Recipe.from_query(question.query)
        own = WordedPrompt(question.prompt, ()) if question.prompt else None
        wording = own or in_words(bank, recipe.prompt, recipe.edits)
        if not wording.prompt:
            raise SteerError("nothing is left of the prompt without the words that are removed")

        def third(steerer: "Steerer") -> "tuple[Steered, str, str]":
            result = steerer.pair(replace(recipe.plain, prompt=wording.prompt))
            before = steerer.picture(recipe.plain)
            return result, reading.between(steerer, before, result.before), changed_text(before, result.before)

        result, judged, changed = loading.run(third)
        notes = [f"No caption mentions {name}: words cannot ask for it." for name in wording.image_only]
        notes += result.notes
        if wording.prompt == recipe.prompt:
            notes.append("The prompt already says all of it.")
        return {
            "picture": recipe_url(result.before, result.recipe), "prompt": wording.prompt, "notes": " ".join(notes),
            "judged": judged, "changed": changed,
        }  # fmt: skip

    answer, error = attempt(drawn)
    query = value.get("query") if isinstance(value, dict) else None
    return {"query": query if isinstance(query, str) else "", **(answer or {"error": error})}
