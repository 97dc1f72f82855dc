"""Automatic names: for any bank, from activations, captions and measured pictures alone, each with a held-out score.

A feature with a text side is named by the word, two-word phrase or run of letters that sets it off; one that only pictures
have by the measurable property of the pictures it fires on. One part of the pairs chooses names, the other scores them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mmsteer.bank import Modality
from mmsteer.errors import SteerError
from mmsteer.labelling.picture_properties import PROPERTIES
from mmsteer.models.word_segmentation import segments, unspaced

Segments = list[list[str]]
Units = tuple[str, ...]
"""A term's words, or its letters."""
# A feature silent elsewhere that fires on a share r of the captions with a word has an AUC of (1 + r) / 2: 7 in 10.
LEAST_CONFIDENCE_WORDS = 0.85
# Properties overlap where firing does not. 0.75 is two normal distributions about one standard deviation apart, which is
# past what Cohen calls a large effect (0.8).
LEAST_CONFIDENCE_PROPERTY = 0.75
# A feature may fire on much besides what moves it most: a name for less than a quarter of what it does would mislead.
LEAST_SHARE = 0.25
_COMMON = 0.5  # a word in more than this share of all captions names nothing
_LEAST_CAPTIONS = 20  # that must hold a word: with fewer its AUC is mostly luck
_LONGEST = 13  # letters: longer runs are not counted, and whether one of so many is whole is not known
_PART = 0.9  # of the captions with a run of letters hold a longer one: then it is a part of that
_SHORTLIST = 20  # candidates from each source
_EQUAL = 0.01  # of AUC: closer candidates are equally good


class AutomaticName(NamedTuple):
    """A name, or the best candidate where none is sure."""

    text: str | None
    """None where the score or the share is too low: no sure name."""
    candidate: str
    score: float
    """Held-out AUC, 0.5 is chance. Words: P(a caption with them has the higher activation); a property: P(a picture on
    which the feature fires has more of it). Ties count one half."""
    kind: Literal["words", "property"]
    share: float
    """Held-out share of its activation that falls on captions with the words, or on the pictures that have most of the
    property, as many as it fires on."""


def auc(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """P(a value inside a group > one outside), ties one half: `values [N, p]`, `groups` bool `[N, q]` -> `[p, q]`.

    Mann and Whitney's U from average ranks; 0.5 where a group holds nothing or everything.
    """
    ranks = np.empty(values.shape)
    for column, rank in zip(values.T, ranks.T, strict=True):
        ordered = np.sort(column)
        rank[:] = (np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right") + 1) / 2
    inside = groups.sum(0)
    wins = ranks.T @ groups.astype(np.float64) - inside * (inside + 1) / 2
    contests = inside * (len(groups) - inside)
    return np.where(contests > 0, wins / np.maximum(contests, 1), 0.5)


def vocabulary(captions: Sequence[str], limit: int = 500) -> list[str]:
    """The `limit` most frequent terms that can be names: words, two-word phrases, and runs of letters in scripts without
    spaces between words (`mmsteer.models.word_segmentation`).

    Not a word in more than half of all captions ("a", "the"), nor a phrase of nothing else. Two words are a phrase where
    at least a third of the captions with the rarer one hold it; a run of letters hardly seen without a further one is part of
    a word. What says more comes first: of equally good names the first is taken ("please draw" before "draw", but "dunes"
    before "the dunes").
    """
    counts, units = _frequent([segments(caption) for caption in captions])
    common = {term for term, n in counts.items() if n > _COMMON * len(captions)}
    parts = {
        part
        for term, own in units.items()
        if unspaced(term) and len(own) > 1
        for part in (_join(own[:-1]), _join(own[1:]))
        if counts[term] >= _PART * counts[part]
    }

    def can_be(term: str) -> bool:
        own = units[term]
        if unspaced(term):  # its letters say nothing: most of an alphabet is in every caption
            return len(own) < _LONGEST and term not in common and term not in parts
        return not common.issuperset(own) and 3 * counts[term] >= min(counts[word] for word in own)

    names = [term for term in counts if can_be(term)]
    if not names:
        raise SteerError(
            f"{len(captions)} captions hold no word {_LEAST_CAPTIONS} times that could be a name: give more pairs"
        )
    frequent = sorted(names, key=lambda term: (-counts[term], term))[:limit]
    return sorted(frequent, key=lambda t: (-len(set(units[t]) - common), len(units[t]), -len(t), t))


def _frequent(captions: Sequence[Segments]) -> tuple[Counter[str], dict[str, Units]]:
    """Terms that enough captions hold: how many do, and their units. No term is more frequent than its parts, so they are
    found one unit longer at a time.
    """
    counts: Counter[str] = Counter()
    units: dict[str, Units] = {}
    for size in range(1, _LONGEST + 1):
        seen: Counter[str] = Counter()
        terms: dict[str, Units] = {}
        for caption in captions:
            here = {
                _join(own): own
                for own in _units(caption, size)
                if size == 1 or (_join(own[:-1]) in counts and _join(own[1:]) in counts)
            }
            seen.update(here.keys())
            terms |= here
        enough = {term: n for term, n in seen.items() if n >= _LEAST_CAPTIONS}
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


def _terms(caption: str) -> set[str]:
    """The words of a caption, its pairs of neighbours, and its runs of letters."""
    found = segments(caption)
    return {_join(own) for size in range(1, _LONGEST + 1) for own in _units(found, size)}


def automatic_names(
    z_image: np.ndarray,
    z_text: np.ndarray,
    modalities: Sequence[Modality],
    captions: Sequence[str],
    properties: np.ndarray,
    text_directions: np.ndarray,
    candidates: Sequence[str],
    embeddings: np.ndarray,
    fitting: np.ndarray,
) -> list[AutomaticName]:
    """One name for each of n features, from N matched pairs.

    Codes `z_image`, `z_text` `[N, n]`, zero where a feature lacks the side; `properties [N, p]` of the pictures
    (`properties.measure`); `text_directions [n, d_joint]`, zero where there is none; `candidates` (`vocabulary`) and
    their `embeddings [n_candidates, d_joint]` as prompts; `fitting` bool `[N]`: which pairs choose names, the others
    score them. Vision-only features whose pictures share no property fall back on the words of those pictures' captions.
    """
    holds = np.array([[candidate in here for candidate in candidates] for here in map(_terms, captions)])
    seen_only = (np.array(modalities) == "vision") | ~z_text.any(0)
    z = np.where(seen_only, z_image, z_text)
    words = _by_words(z, holds, text_directions, candidates, embeddings, fitting)
    measured = _by_property(z_image, properties, fitting)
    return [
        found if seen and (found.text or not worded.text) else worded
        for seen, worded, found in zip(seen_only, words, measured, strict=True)
    ]


def _by_words(
    z: np.ndarray,
    holds: np.ndarray,
    directions: np.ndarray,
    candidates: Sequence[str],
    embeddings: np.ndarray,
    fitting: np.ndarray,
) -> list[AutomaticName]:
    """Of candidates near a feature's direction, and of those that stand out where it fires, the one with the best AUC."""
    centred = embeddings - embeddings.mean(0)
    likeness = directions @ (centred / np.linalg.norm(centred, axis=1, keepdims=True)).T
    share = _share(z[fitting], holds[fitting])
    standing_out = share * np.log(len(holds) / holds.sum(0))  # class TF-IDF, captions weighted by activation
    listed = np.zeros(share.shape, dtype=bool)
    for source in (likeness, standing_out):
        np.put_along_axis(listed, np.argsort(-source, axis=1)[:, :_SHORTLIST], True, axis=1)
    fit = np.where(listed, auc(z[fitting], holds[fitting]), 0)
    # of equally good ones the plainest: what accounts for most of the activation
    best = np.where(fit >= fit.max(1, keepdims=True) - _EQUAL, share.round(6), -1).argmax(1)
    score = np.take_along_axis(auc(z[~fitting], holds[~fitting]), best[:, None], 1)[:, 0]
    held = np.take_along_axis(_share(z[~fitting], holds[~fitting]), best[:, None], 1)[:, 0]
    return [
        AutomaticName(_sure(name, s, LEAST_CONFIDENCE_WORDS, h), name, float(s), "words", float(h))
        for name, s, h in zip([candidates[b] for b in best], score, held, strict=True)
    ]


def _by_property(z: np.ndarray, properties: np.ndarray, fitting: np.ndarray) -> list[AutomaticName]:
    """The pole with the largest effect size (Cohen's d) between the pictures on which a feature fires and the others."""
    fires, fit, held, fresh = z[fitting] > 0, properties[fitting], properties[~fitting], z[~fitting]
    mean, variance = _moments(fires, fit)
    mean_silent, variance_silent = _moments(~fires, fit)
    effect = (mean - mean_silent) / np.sqrt((variance + variance_silent) / 2 + 1e-12)
    above = auc(held, fresh > 0).T
    found = []
    for k, best in enumerate(np.abs(effect).argmax(1)):
        high = effect[k, best] > 0
        name = PROPERTIES[best].high if high else PROPERTIES[best].low
        score = float(above[k, best] if high else 1 - above[k, best])
        most = np.argsort(-held[:, best] if high else held[:, best])[: np.count_nonzero(fresh[:, k])]
        share = float(fresh[most, k].sum() / max(fresh[:, k].sum(), 1e-9))
        found.append(
            AutomaticName(_sure(name, score, LEAST_CONFIDENCE_PROPERTY, share), name, score, "property", share)
        )
    return found


def _moments(groups: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `values [N, p]` in each group, bool `[N, n]`: `[n, p]` each; 0 in an empty one."""
    weights = groups.T / np.maximum(groups.sum(0), 1)[:, None]
    mean = weights @ values
    return mean, (weights @ values**2 - mean**2).clip(min=0)


def _share(z: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Share of the activation `z [N, n]` that falls into each group `[N, q]`: `[n, q]`."""
    return (z.T @ groups.astype(z.dtype)) / np.maximum(z.sum(0), 1e-9)[:, None]


def _sure(name: str, score: float, margin: float, share: float) -> str | None:
    return name if score >= margin and share >= LEAST_SHARE else None
