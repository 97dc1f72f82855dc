"""Words of a text in any script: between spaces where a script has them, else runs of its letters. Pure.

Chinese, Japanese, Thai and their like run words together (classes ID and SA of Unicode's line breaking, UAX 14): without a
dictionary of the language any run of neighbouring letters may be a word.
"""

import unicodedata
from functools import lru_cache
from itertools import groupby

# scripts without spaces between words, by the first word of their letters' names
_UNSPACED = {
    "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO", "YI", "THAI", "LAO", "KHMER", "MYANMAR", "TAI",
    "JAVANESE", "BALINESE",
}  # fmt: skip
_INSIDE = "_'-\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # words hold these beside letters, digits and marks


@lru_cache(65536)
def _unspaced(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LMN" and unicodedata.name(letter, "").partition(" ")[0] in _UNSPACED


def unspaced(text: str) -> bool:
    """Whether a text is of letters of a script that has no spaces between words."""
    return bool(text) and all(map(_unspaced, text))


def segments(text: str) -> list[list[str]]:
    """The words of a text in small letters, in lists of those that stand side by side; the letters of each run that has no
    spaces between words in a list of their own, marks with the letter they stand on.
    """
    plain = unicodedata.normalize("NFKC", text.lower())
    plain = "".join(c if unicodedata.category(c)[0] in "LMN" or c in _INSIDE else " " for c in plain)
    words: list[list[str]] = []
    for piece in plain.split():
        for apart, letters in groupby(piece, _unspaced):
            run = "".join(letters)
            if apart:
                words.append(_letters(run))
            elif words and not unspaced(words[-1][0]):
                words[-1].append(run)
            else:
                words.append([run])
    return words


def _letters(run: str) -> list[str]:
    letters: list[str] = []
    for letter in run:
        if letters and unicodedata.category(letter)[0] == "M":
            letters[-1] += letter
        else:
            letters.append(letter)
    return letters
