"""Words of a prompt: where they stand, in any script, whatever punctuation is around them. Pure.

A word is a run of letters, marks and digits (Unicode categories L, M and N), or of symbols such as emoji (So). All that is asked of a
text is asked of its composed form (NFC), so that é is one letter however it was typed.
"""

import re
from itertools import groupby
from unicodedata import category, normalize

from mmsteer.errors import quoted
from mmsteer.models.word_segmentation import unspaced

Span = tuple[int, int]
"""The first character, and the one after the last."""

_NUMBERED = re.compile(r"(?P<word>.+)#(?P<number>[1-9][0-9]{0,3})", re.DOTALL)
_APOSTROPHES = str.maketrans("\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}", "''")
_LISTED = 12  # words that a message lists


def composed(text: str) -> str:
    """A text with letters and marks composed (NFC)."""
    return normalize("NFC", text)


def spans(text: str) -> list[Span]:
    """Where each word of a composed text stands."""
    found = []
    for kind, places in groupby(range(len(text)), lambda place: _kind(text[place])):
        if kind:
            run = list(places)
            found.append((run[0], run[-1] + 1))
    return found


def occurrences(text: str, word: str) -> list[Span]:
    """Where a word stands in a composed text.

    Args:
        text: composed.
        word: in any case, also several words side by side; `cat#2` is the second occurrence, unless the text has "cat#2" itself. In
            scripts without spaces between words, any run of letters.
    """
    word = composed(word)
    numbered = _NUMBERED.fullmatch(word)
    every = _every(text, word)
    if every or not numbered:
        return every
    number = int(numbered["number"])
    return _every(text, numbered["word"])[number - 1 : number]


def absence(text: str, word: str) -> str:
    """Why a word has no occurrence in a composed text, in a sentence with what there is."""
    numbered = _NUMBERED.fullmatch(composed(word))
    if numbered and (count := len(_every(text, numbered["word"]))):
        name = numbered["word"]
        return (
            f"the prompt has the word {quoted(name)} {'once' if count == 1 else f'{count} times'}, so there is no {quoted(word)}: give "
            + ("the word alone" if count == 1 else f"#1 to #{count}, or the word alone for all of them")
        )
    known = list(dict.fromkeys(text[start:stop].lower() for start, stop in spans(text)))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"the word {quoted(word)} is not in the prompt; its words are {', '.join(w[:40] for w in known[:_LISTED])}{more}"


def joined(text: str, place: int) -> bool:
    """Whether the characters on both sides of a place are of one word, in a script that has spaces between words."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    return _kind(before) == _kind(after) == "L" and not (unspaced(before) or unspaced(after))


def _every(text: str, word: str) -> list[Span]:
    """Every occurrence, of the word as it is or, if there is none, without the punctuation around it."""
    inside = spans(word)
    bare = word[inside[0][0] : inside[-1][1]] if inside else ""
    for wanted in dict.fromkeys((word, bare)):
        pattern = re.compile(re.escape(wanted.translate(_APOSTROPHES)), re.IGNORECASE)
        matches = [match.span() for match in pattern.finditer(text.translate(_APOSTROPHES))] if wanted else []
        if whole := [span for span in matches if not any(joined(text, end) for end in span)]:
            return whole
    return []


def _kind(letter: str) -> str:
    """`L` for what words are made of, `S` for a symbol, else nothing."""
    kind = category(letter)
    return "L" if kind[0] in "LMN" else "S" if kind == "So" else ""
