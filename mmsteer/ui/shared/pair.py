"""What is said of a pair of pictures: alternative texts, and the status line with the out-of-distribution (OOD) distance."""

from html import escape
from typing import TYPE_CHECKING

from mmsteer.bank.ood import meaning
from mmsteer.pictures.change import MEANING, changed_text
from mmsteer.recipes.data_url import picture_url
from mmsteer.ui.shared.notices import note

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import Pair
    from mmsteer.recipes.recipe import Recipe
    from mmsteer.steering.steered import Steered

OOD_MEANING = (
    "Out-of-distribution distance: how far the edited hidden states lie from what this encoder normally produces; "
    "1 is the distance that only 1 % of ordinary prompts exceed"
)
_PUSH = {"ok": "normal", "warn": "strong", "bad": "too strong"}
_LIVE = "The picture follows a slider while it moves; the final one is drawn when the slider is released"


def alternative(which: str, recipe: "Recipe") -> str:
    """The alternative text of one of the two pictures, `before` or `after`."""
    edits = ", ".join(edit.brief for edit in recipe.edits) or "no edits"
    edits += f", a whole picture at {recipe.picture.share:g}" if recipe.picture else ""
    edits += f", in {100 * recipe.region.share:.0f} % of the picture" if recipe.region else ""
    own = f", from a picture of your own at freedom {recipe.start.freedom:g}" if recipe.start else ""
    return f"{which.capitalize()}: {recipe.prompt}, seed {recipe.seed}{own}" + (
        f", {edits}" if which == "after" else ""
    )


def ahead_pictures(pair: "Pair") -> dict[str, dict[str, str]]:
    """The pictures of a pair that was drawn ahead, `before` and `after`: properties of a DOM element each."""
    return {
        which: {"src": picture_url(picture, "WEBP", quality=90), "alt": alternative(which, pair.recipe)}
        for which, picture in (("before", pair.before), ("after", pair.after))
    }


def notes_on(result: "Steered") -> list[str]:
    """Sentences on words that the model could not read, and on blanked pictures."""
    return result.notes + [
        f"The checkpoint's safety checker has blackened the picture {name}: try another prompt or seed."
        for name, blanked in zip(("before", "after"), result.blanked, strict=True)
        if blanked
    ]


def status(result: "Steered", faithfulness: str) -> str:
    """The line below a pair, as HTML.

    Args:
        result: the pair.
        faithfulness: how exact the text-to-joint map is, in words (`FeatureBank.faithfulness`).

    Returns:
        How strong the push is; seconds, the share of pixels that changed, OOD distance and faithfulness, which show once the visitor
        asks for figures; then notes on words that the model could not read and on blanked pictures.
    """
    notes = "".join(map(note, notes_on(result)))
    ood = ood_distance(result.ood_distance)
    return (
        f'<div class="mm-status" role="status"><span class="{ood["className"]}" title="{OOD_MEANING}">{ood["innerHTML"]}</span>'
        f'<span class="mm-live" title="{_LIVE}">live</span><span class="mm-seconds mm-figure">{result.seconds:.2f} s</span>'
        f'<span class="mm-changed mm-figure" title="{MEANING}">{changed_text(result.before, result.after)}</span>'
        f'<span class="mm-figure">{escape(faithfulness)}</span></div>{notes}'
    )


def ood_distance(distance: float) -> dict[str, str]:
    """The OOD distance as a meter and in words: properties of a DOM element."""
    kind, _ = meaning(distance)
    meter = f'<span class="mm-meter" aria-hidden="true"><i style="width:{min(1.0, distance / 2):.0%}"></i></span>'
    return {
        "className": f"mm-ood mm-ood-{kind}",
        "innerHTML": f'push: {_PUSH[kind]}{meter}<span class="mm-figure">OOD distance {distance:.2f}</span>',
    }
