"""Before and after as one picture with a movable border, for mouse, touch and keyboard. Plain HTML.

The border is an ordinary range input over the pictures, so a keyboard or a screen reader moves it like any slider. How the
border moves is `scripts/compare.js`.
"""

from html import escape
from typing import TYPE_CHECKING

from mmsteer.recipes.data_url import recipe_url
from mmsteer.ui.shared.outline import outline
from mmsteer.ui.shared.pair import ahead_pictures, alternative

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import Pair
    from mmsteer.steering.steered import Steered

_LOADING = "The model is loading: you can change pictures in a few seconds."
_BORDER = """<span class="mm-tag mm-tag-before" aria-hidden="true">before</span>
<span class="mm-tag mm-tag-after" aria-hidden="true">after</span>
<span class="mm-border" aria-hidden="true"></span>
<input type="range" min="0" max="100" value="50" step="1" aria-label="Border between before and after, percent">"""
_HEAT = '<canvas class="mm-heat" aria-hidden="true"></canvas><p class="mm-heat-legend"></p>'
VIEWS = {
    "slide": "one over the other, with a movable border",
    "side by side": "both whole",
    "difference": "where it has changed, and how strongly, over before",
}


def skeleton(sentence: str) -> str:
    """A placeholder of the same size as the pictures, so that nothing jumps when they come."""
    return f'<div class="mm-compare mm-waiting" role="status"><p>{escape(sentence)}</p></div>'


def drawn_ahead(pair: "Pair | None", first: bool = False, scripts: bool = True) -> str:
    """A pair that was drawn ahead, or a placeholder without one. It can be compared, not saved: a saved picture carries its recipe.

    Args:
        pair: recipe and pictures.
        first: whether it is in the page as it is sent, to whoever comes.
        scripts: whether the page's scripts are there, which the menu needs.
    """
    if pair is None:
        return skeleton("The model is loading; the first picture follows in a few seconds.")
    pictures = "".join(
        f'<img class="mm-{which}" decoding="sync" src="{one["src"]}" alt="{escape(one["alt"], quote=True)}">'
        for which, one in ahead_pictures(pair).items()
    )
    loading = "" if first and scripts else f'<span class="mm-tag mm-tag-ahead" role="status">{_LOADING}</span>'
    kind = "mm-compare mm-first" if first else "mm-compare"
    return (
        f'<figure class="{kind}" data-ahead="">{pictures}{_HEAT}{_BORDER}{loading}{_MENU if scripts else ""}</figure>'
    )


def compare(result: "Steered") -> str:
    """The pair, with alternative texts."""
    recipe = result.recipe
    before, after = recipe_url(result.before, recipe.plain), recipe_url(result.after, recipe)
    alt = {which: escape(alternative(which, recipe), quote=True) for which in ("before", "after")}
    return f"""<figure class="mm-compare" data-query="{escape(recipe.to_query(), quote=True)}">
<img class="mm-before" decoding="sync" src="{before}" alt="{alt["before"]}">
<img class="mm-after" decoding="sync" src="{after}" alt="{alt["after"]}">
{_HEAT}
{outline(recipe.region) if recipe.region else ""}
{_BORDER}
{_MENU}
</figure>"""


def _menu() -> str:
    """What to do with the pair: ways to compare, where edits act, the third picture, saving. `scripts/compare.js` acts on it."""
    views = "".join(
        f'<button type="button" class="mm-chip" data-view="{view}" title="{meaning}">{view}</button>'
        for view, meaning in VIEWS.items()
    )
    saves = "".join(
        f'<button type="button" class="mm-chip" data-save="{which}" title="a PNG with its recipe">{which}</button>'
        for which in ("after", "before")
    )
    return (
        '<details class="mm-menu"><summary class="mm-chip" aria-label="compare and save" title="compare and save">⋯</summary><div>'
        f'<div role="group" aria-label="how to compare"><span>Compare</span>{views}</div>'
        '<button type="button" class="mm-chip" id="mm-only-here" title="draw on the picture where the edits act">Only here…</button>'
        '<button type="button" class="mm-chip" id="mm-by-words" aria-pressed="false" title="a third picture, of the prompt with '
        "the features' words added, from the same noise\">What if I just type it?</button>"
        '<button type="button" class="mm-chip" id="mm-figures" aria-pressed="false" title="seconds, distances and similarities '
        'below the pictures">Figures</button>'
        f'<div role="group" aria-label="save"><span>Save</span>{saves}</div>'
        '<button type="button" class="mm-chip" id="mm-own-add" title="kept in this browser">Add to my talk</button>'
        '<button type="button" class="mm-chip" id="mm-talk-open" title="the examples as a tour on the whole screen">Talk mode</button>'
        "</div></details>"
    )


_MENU = _menu()
