"""Names for features, each with a held-out score that says how far to trust it.

Here from the truth, as the embedded world knows it: the factor value that a feature's firing detects, with F1 of at least
`LEAST_CONFIDENCE`. Where it is not known `mmsteer.labelling.naming` names.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmsteer.models.word_segmentation import segments, unspaced
from mmsteer.world.captions import wordings
from mmsteer.world.factors import FACTORS, label

LEAST_CONFIDENCE = 0.7  # least F1, held out
_KNOWN = {label(f.name, v): (f.name, v) for f in FACTORS for v in f.values if v not in ("none", "nobody")}
_PREPOSITIONS = {"in", "on", "at", "the", "a", "to", "by"}
# the pole of a property (`mmsteer.labelling.picture_properties`) as which a vision value is drawn
_POLES = {
    ("light", "warm"): "warm light", ("light", "cool"): "cool light", ("vignette", "on"): "dark corners",
    ("frame", "on"): "bright border", ("softness", "soft"): "soft surroundings", ("tilt", "left"): "tilted left",
    ("tilt", "right"): "tilted right",
}  # fmt: skip


class Name(NamedTuple):
    """A name and its score."""

    text: str
    name_confidence: float
    """F1 of firing against the named thing, on held-out pairs."""
    factor: str
    value: str


def f1(fires: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """F1 of each detector `fires [N, p]` for each truth `[N, q]`, both bool: `[p, q]`."""
    fires, truth = fires.astype(np.float32), truth.astype(np.float32)
    hits = fires.T @ truth
    total = fires.sum(0)[:, None] + truth.sum(0)[None]
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), 0.0)


def concepts(factors: np.ndarray, mentioned: np.ndarray, side: str) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Every factor value as something to detect on one side, and where it is there, bool `[N, n_values]`.

    On the image side that is where it is drawn, on the text side where it is told.
    """
    names, columns = [], []
    for i, factor in enumerate(FACTORS):
        if side == "image" and factor.modality == "language" or side == "text" and factor.modality == "vision":
            continue
        for v, value in enumerate(factor.values):
            if factor.modality != "cross" and value == factor.neutral or value == "nobody":
                continue
            there = factors[:, i] == v
            names.append((factor.name, value))
            columns.append(there & mentioned[:, i] if side == "text" else there)
    return names, np.stack(columns, 1)


def name_by_truth(fires: np.ndarray, factors: np.ndarray, mentioned: np.ndarray, side: str) -> list[Name]:
    """The factor value each feature's firing `[N, n_features]` detects best on one side."""
    names, truth = concepts(factors, mentioned, side)
    scores = f1(fires, truth)
    best = scores.argmax(1)
    return [Name(label(*names[b]), float(scores[i, b]), *names[b]) for i, b in enumerate(best)]


def known_value(name: str) -> tuple[str, str] | None:
    """The factor and value a name stands for, its number left out ("cat 2" is thing, cat); None for other names."""
    first, _, last = name.rpartition(" ")
    return _KNOWN.get(first if first and last.isdecimal() else name)


def agrees(automatic: str | None, known: str) -> bool:
    """Whether an automatic name says what the known one ("penguin", "warm light", "cat 2") does: a wording that captions
    have for that value, prepositions left out, or the pole of a picture property that the value is drawn as.
    """
    meant = known_value(known)
    if automatic is None or meant is None:
        return False
    factor, value = meant
    words = set(automatic.split()) - _PREPOSITIONS
    worded = any(words <= set(phrase.split()) for phrase in wordings(factor, value))
    return automatic == _POLES.get((factor, value)) or bool(words) and worded


def top_words(
    fires: np.ndarray, captions: Sequence[str], candidates: Sequence[str] = (), count: int = 5
) -> list[tuple[str, ...]]:
    """Words that stand out in the captions on which each feature fires (class TF-IDF), strongest first; in scripts without
    spaces between words, those of the `candidates` (`mmsteer.labelling.naming.vocabulary`) that do.
    """
    runs = [candidate for candidate in candidates if unspaced(candidate)]
    sets = [_words(caption, runs) for caption in captions]
    overall = Counter(word for words in sets for word in words)
    found = []
    for column in fires.T:
        rows = np.flatnonzero(column)
        here = Counter(word for row in rows for word in sets[row])
        weight = {w: n / max(1, len(rows)) * np.log(len(captions) / overall[w]) for w, n in here.items()}
        found.append(tuple(sorted(weight, key=lambda w: (-weight[w], w))[:count]))
    return found


def _words(caption: str, runs: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for segment in segments(caption):
        whole = "".join(segment)
        found.update([run for run in runs if run in whole] if unspaced(segment[0]) else segment)
    return found


def distinct(names: list[str]) -> list[str]:
    """Number repeated names: the second "penguin" becomes "penguin 2"."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
