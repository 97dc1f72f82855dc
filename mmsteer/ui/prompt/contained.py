"""The features that a prompt contains, as chips: each takes its feature out; one that is out is struck through."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from mmsteer.bank import Feature
from mmsteer.bank.promising import CONTAINED
from mmsteer.models.text.words import composed, spans
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.edit import Edit
from mmsteer.ui.shared.badge import feature_chip, score_tooltip

_MOST = 12  # features, and words without one
_OWN_WORDS = 3  # of captions that go with a feature, strongest first; later ones are chance
_FUNCTION_WORDS = frozenset(re.findall(
    r"\w+",
    "a an and are as at be by can for from he her his i if in into is it its me my no not of off on or our out over she so some that "
    "the their them there they this to under up us was we were with you your",
))  # fmt: skip
Edited = Iterable[tuple[Edit, Feature | Direction]]


def contained(features: Sequence[tuple[Feature, float]], edited: Edited = (), prompt: str = "") -> str:
    """The features of a prompt as HTML, and the words for which there is none.

    Args:
        features: with their presence, strongest first (`Steerer.features_of`).
        edited: the edits of the pair that is shown, each with what it names.
        prompt: the words themselves.
    """
    present = [(f, presence) for f, presence in features if presence >= CONTAINED]
    named = [(f, presence) for f, presence in present if f.specific][:_MOST]
    edits = list(edited)
    chips = "".join(_chip(f, presence, left(f, presence, edits)) for f, presence in named)
    lead = "In this prompt; click to take out" if named else "This prompt contains no feature of the bank."
    words = words_without(prompt, [f for f, _ in present])[:_MOST]
    none = f'<span class="mm-lead-in">no feature for</span>{"".join(map(_word, words))}' if words else ""
    return f'<div class="mm-chips"><span class="mm-lead-in">{lead}</span>{chips}{none}</div>'


def left(feature: Feature, presence: float, edited: Edited) -> float:
    """What edits leave of a feature in a prompt, in activation scales: they act as `mmsteer.steering.difference.apply_edits` does."""
    for edit, known in edited:
        if known.id == feature.id:
            changed = {"add": presence + edit.strength, "set": edit.strength, "remove": presence * (1 - edit.strength)}
            presence = changed[edit.mode]
    return presence


def words_without(prompt: str, features: Iterable[Feature]) -> list[str]:
    """The words of a prompt that no feature in it goes by, once each: neither its name nor the words of captions have them.

    Function words are left out.
    """
    covered = {
        word.lower() for f in features for text in (f.name, *f.words[:_OWN_WORDS]) for word in re.findall(r"\w+", text)
    }
    text = composed(prompt)
    words = dict.fromkeys(text[start:stop].lower() for start, stop in spans(text))
    return [word for word in words if word not in covered | _FUNCTION_WORDS]


def _chip(feature: Feature, presence: float, remains: float) -> str:
    gone = remains < CONTAINED
    now = "taken out" if gone else f"{remains:.1f} of it left" if remains < presence else "click to remove it"
    title = f"presence {presence:.1f}: 1 is as strong as usual; {now}. {score_tooltip(feature)}"
    return feature_chip(feature, -1, title, f" <small>{presence:.1f}</small>", "mm-gone" if gone else "")


def _word(word: str) -> str:
    return f'<span class="mm-no-feature">{escape(word)}</span>'
