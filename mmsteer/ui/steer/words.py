"""The same thing by prompt: a third picture, of the prompt with its edits' words added, from the same noise.

It follows the pair for as long as it is shown (`words.js`); a slider move that changes no word costs no picture.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.errors import SteerError
from mmsteer.steering.recipe import Recipe
from mmsteer.steering.worded_prompt import in_words
from mmsteer.ui.compare import picture_data
from mmsteer.ui.loading import Loading, told
from mmsteer.ui.steer.reading import Reading

if TYPE_CHECKING:
    from mmsteer.bank import FeatureBank
    from mmsteer.steering.steerer import Steered, Steerer


def words() -> gr.HTML:
    """The component; it says `ask` with {query} of the pair that is shown, and shows the answer."""
    return gr.HTML(
        None, html_template='<div class="mm-words-place"></div>', elem_id="mm-words", apply_default_css=False,
        js_on_load=(Path(__file__).parent / "words.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def by_words(bank: "FeatureBank", loading: Loading, reading: Reading, asked: Any) -> dict[str, Any]:
    """The third picture of a pair, the prompt it was drawn from, and what there is to say of it; or what is wrong."""
    query = str(asked["query"]) if isinstance(asked, dict) and "query" in asked else ""

    def drawn() -> dict[str, Any]:
        recipe = Recipe.from_query(query)
        wording = in_words(bank, recipe.prompt, recipe.edits)
        if not wording.prompt:
            raise SteerError("without the words of what is taken out, nothing is left of the prompt")

        def third(steerer: "Steerer") -> "tuple[Steered, str]":
            result = steerer.steer(wording.prompt, (), recipe.seed, recipe.sampler)
            return result, reading.between(steerer, steerer.picture(recipe.plain), result.before)

        result, read = loading.run(third)
        notes = [f"No caption ever says {name}: this cannot be asked for in words." for name in wording.image_only]
        if result.unknown:
            notes.append(f"The model does not know: {', '.join(result.unknown)}.")
        if wording.prompt == recipe.prompt:
            notes.append("The prompt says all of it already.")
        return {
            "picture": picture_data(result.before, result.recipe), "prompt": wording.prompt, "notes": " ".join(notes),
            "read": read,
        }  # fmt: skip

    answer, wrong = told(drawn)
    return {"query": query, **(answer or {"wrong": wrong})}
