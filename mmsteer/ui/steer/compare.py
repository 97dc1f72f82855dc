"""Before and after as one picture with a movable border, for mouse, touch and keyboard. Plain HTML.

The border is an ordinary range input over the pictures, so a keyboard or a screen reader moves it like any slider. How the
border moves is `scripts/compare.js`.
"""

from html import escape
from typing import TYPE_CHECKING

from mmsteer.ui.shared.data_url import recipe_url
from mmsteer.ui.shared.pair import alternative

if TYPE_CHECKING:
    from mmsteer.steering.steered import Steered

VIEWS = {
    "wipe": "one over the other, with a movable border",
    "side": "side by side",
    "difference": "what has changed, amplified",
}


def skeleton(sentence: str) -> str:
    """A placeholder of the same size as the pictures, so that nothing jumps when they come."""
    return f'<div class="mm-compare mm-waiting" role="status"><p>{escape(sentence)}</p></div>'


def compare(result: "Steered") -> str:
    """The pair, with alternative texts."""
    recipe = result.recipe
    before, after = recipe_url(result.before, recipe.plain), recipe_url(result.after, recipe)
    alt = {which: escape(alternative(which, recipe), quote=True) for which in ("before", "after")}
    return f"""<figure class="mm-compare" data-query="{escape(recipe.to_query(), quote=True)}">
<img class="mm-before" src="{before}" alt="{alt["before"]}">
<img class="mm-after" src="{after}" alt="{alt["after"]}">
<span class="mm-tag mm-tag-before" aria-hidden="true">before</span>
<span class="mm-tag mm-tag-after" aria-hidden="true">after</span>
<span class="mm-border" aria-hidden="true"></span>
<input type="range" min="0" max="100" value="50" step="1" aria-label="Border between before and after, percent">
</figure>"""


def views() -> str:
    """Buttons for the ways to compare. The choice stays from pair to pair."""
    buttons = (
        f'<button type="button" class="mm-chip" data-view="{view}" aria-pressed="{str(view == "wipe").lower()}" '
        f'title="{meaning}">{view}</button>'
        for view, meaning in VIEWS.items()
    )
    by_prompt = (
        '<button type="button" class="mm-chip" id="mm-by-words" aria-pressed="false" title="a third picture, of the prompt with '
        "the features' words added, from the same noise\">same thing by prompt</button>"
    )
    group = f'<div class="mm-chips" role="group" aria-label="how to compare">{"".join(buttons)}</div>'
    return f'<div class="mm-chips">{group}{by_prompt}</div>'
