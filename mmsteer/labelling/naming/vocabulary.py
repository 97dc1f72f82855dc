"""The words, phrases and runs of letters of captions: those that can name a feature, and those on which it fires."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from mmsteer.bank.feature import LONGEST_NAME
from mmsteer.errors import SteerError
from mmsteer.models.word_segmentation import segments, unspaced

Segments = list[list[str]]
Units = tuple[str, ...]
"""A term's words, or its letters."""
_COMMON = 0.5  # a word in more than this share of all captions names nothing
_MIN_CAPTIONS = 20  # that must contain a word: with fewer its AUC is mostly luck
_MAX_LETTERS = 13  # longer runs are not counted; whether a run of so many is a word or part of one is not known
_PART = 0.9  # if this share of the captions with a run of letters have a longer one, the run is a part of that
_LONGEST_NAME = LONGEST_NAME - 8  # a number may follow
_RARER_WORD = 3  # two words are a phrase if one in so many captions with the rarer word has both


def vocabulary(captions: Sequence[str], limit: int = 500) -> list[str]:
    """Find the terms that can be names: words, two-word phrases, and, in scripts without spaces, runs of letters.

    A word in more than half of all captions ("a", "the") is left out, and so is a phrase of only such words. Two words are a
    phrase if at least a third of the captions with the rarer one contain it. A run of letters that is hardly seen without a
    further letter is part of a word. What says more comes first, since of equally good names the first is taken ("please
    draw" before "draw", but "dunes" before "the dunes").

    Args:
        captions: the captions of a data set.
        limit: how many terms to return, the most frequent ones.

    Raises:
        SteerError: if no word is in 20 captions.
    """
    counts, units = _frequent([segments(caption) for caption in captions])
    common = {term for term, n in counts.items() if n > _COMMON * len(captions)}
    parts = _parts_of_words(counts, units)

    def can_be_name(term: str) -> bool:
        if len(term) > _LONGEST_NAME:
            return False
        if unspaced(term):  # its letters say nothing: most of an alphabet is in every caption
            return len(units[term]) < _MAX_LETTERS and term not in common and term not in parts
        rarer = min(counts[word] for word in units[term])
        return not common.issuperset(units[term]) and _RARER_WORD * counts[term] >= rarer

    names = [term for term in counts if can_be_name(term)]
    if not names:
        raise SteerError(
            f"no word that could be a name is in {_MIN_CAPTIONS} of the {len(captions)} captions: give more pairs"
        )
    frequent = sorted(names, key=lambda term: (-counts[term], term))[:limit]
    return sorted(frequent, key=lambda t: (-len(set(units[t]) - common), len(units[t]), -len(t), t))


def terms(caption: str) -> set[str]:
    """The words of a caption, its pairs of neighbouring words, and its runs of letters."""
    parts = segments(caption)
    return {_join(units) for size in range(1, _MAX_LETTERS + 1) for units in _units(parts, size)}


def _parts_of_words(counts: Counter[str], units: dict[str, Units]) -> set[str]:
    """Runs of letters that are hardly seen without a further letter."""
    return {
        part
        for term, letters in units.items()
        if unspaced(term) and len(letters) > 1
        for part in (_join(letters[:-1]), _join(letters[1:]))
        if counts[term] >= _PART * counts[part]
    }


def _frequent(captions: Sequence[Segments]) -> tuple[Counter[str], dict[str, Units]]:
    """Terms that enough captions contain: in how many they are, and their units.

    No term is more frequent than its parts, so terms are counted one unit longer at a time.
    """
    counts: Counter[str] = Counter()
    units: dict[str, Units] = {}
    for size in range(1, _MAX_LETTERS + 1):
        seen: Counter[str] = Counter()
        terms: dict[str, Units] = {}
        for caption in captions:
            in_caption = {
                _join(term): term
                for term in _units(caption, size)
                if size == 1 or (_join(term[:-1]) in counts and _join(term[1:]) in counts)
            }
            seen.update(in_caption.keys())
            terms |= in_caption
        enough = {term: n for term, n in seen.items() if n >= _MIN_CAPTIONS}
        counts |= Counter(enough)
        units |= {term: terms[term] for term in enough}
    return counts, units


def _units(caption: Segments, size: int) -> Iterator[Units]:
    """Neighbouring words, two at most, or letters, `size` of them."""
    for segment in caption:
        if size <= 2 or unspaced(segment[0]):
            yield from (tuple(segment[k : k + size]) for k in range(len(segment) - size + 1))


def _join(units: Units) -> str:
    return ("" if unspaced(units[0]) else " ").join(units)


def top_words(
    fires: np.ndarray, captions: Sequence[str], candidates: Sequence[str] = (), count: int = 5
) -> list[tuple[str, ...]]:
    """The `count` words that stand out most in the captions on which each feature fires (class TF-IDF), strongest first.

    Args:
        fires: bool `[N, n_features]`.
        captions: N captions.
        candidates: Runs of letters (`vocabulary`), the words of scripts without spaces between words.
        count: Words a feature.
    """
    runs = [candidate for candidate in candidates if unspaced(candidate)]
    sets = [_words(caption, runs) for caption in captions]
    overall = Counter(word for words in sets for word in words)
    top = []
    for column in fires.T:
        rows = np.flatnonzero(column)
        counts = Counter(word for row in rows for word in sets[row])
        weight = {w: n / max(1, len(rows)) * np.log(len(captions) / overall[w]) for w, n in counts.items()}
        top.append(tuple(sorted(weight, key=lambda w: (-weight[w], w))[:count]))
    return top


def _words(caption: str, runs: Sequence[str]) -> set[str]:
    words: set[str] = set()
    for segment in segments(caption):
        letters = "".join(segment)
        words.update([run for run in runs if run in letters] if unspaced(segment[0]) else segment)
    return words
