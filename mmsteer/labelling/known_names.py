"""Names for features of annotated pairs: the factor value that a feature's firing detects, with its F1 as name confidence.

Works on any `AnnotationScheme`. Features of pairs without annotations are named by `mmsteer.labelling.naming`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmsteer.data.annotations import AnnotationScheme
from mmsteer.models.word_segmentation import segments, unspaced

LEAST_CONFIDENCE = 0.7
"""The least F1, on held-out pairs, with which a factor value becomes a name."""


class Name(NamedTuple):
    """A name from annotations."""

    text: str
    """The value's label."""
    name_confidence: float
    """F1 of firing against the value, on held-out pairs."""
    factor: str
    value: str


def f1(fires: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """F1 of each detector `fires [N, p]` for each concept `truth [N, q]`, both bool: `[p, q]`."""
    fires, truth = fires.astype(np.float32), truth.astype(np.float32)
    hits = fires.T @ truth
    total = fires.sum(0)[:, None] + truth.sum(0)[None]
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), 0.0)


def concepts(
    scheme: AnnotationScheme, factors: np.ndarray, mentioned: np.ndarray, side: str
) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Every factor value that can be detected on one side, and the pairs in which it is present there.

    Args:
        scheme: The factors.
        factors: int64 `[N, n_factors]`, the values of N pairs.
        mentioned: bool `[N, n_factors]`, whether the caption mentions the factor.
        side: `image` (a value is present if it is drawn) or `text` (if the caption mentions it).

    Returns:
        Factor and value of each concept, and its presence, bool `[N, n_concepts]`.
    """
    absent = "language" if side == "image" else "vision"
    names, columns = [], []
    for i, factor in enumerate(scheme.factors):
        if factor.modality == absent:
            continue
        for v, value in enumerate(factor.values):
            if value.name == factor.neutral:
                continue
            present = factors[:, i] == v
            names.append((factor.name, value.name))
            columns.append(present & mentioned[:, i] if side == "text" else present)
    return names, np.stack(columns, 1)


def name_by_truth(
    fires: np.ndarray, scheme: AnnotationScheme, factors: np.ndarray, mentioned: np.ndarray, side: str
) -> list[Name]:
    """The factor value that each feature's firing, bool `[N, n_features]`, detects best on one side; else as `concepts`."""
    names, truth = concepts(scheme, factors, mentioned, side)
    labels = {(factor.name, value.name): value.label for factor in scheme.factors for value in factor.values}
    scores = f1(fires, truth)
    best = scores.argmax(1)
    return [Name(labels[names[b]], float(scores[i, b]), *names[b]) for i, b in enumerate(best)]


def known_value(name: str, scheme: AnnotationScheme) -> tuple[str, str] | None:
    """The factor and value that a name stands for, without its number ("cat 2" is thing, cat); None for other names."""
    match = scheme.find(_unnumbered(name))
    return (match[0].name, match[1].name) if match else None


def agrees(automatic: str | None, known: str, scheme: AnnotationScheme) -> bool:
    """Whether an automatic name means the same as a known one ("penguin", "warm light", "cat 2").

    It does if all its words, function words aside, are in one wording of the value, or if it is the pole of the picture property
    as which the value is drawn.
    """
    match = scheme.find(_unnumbered(known))
    if automatic is None or match is None:
        return False
    value = match[1]
    words = set(automatic.split()) - scheme.function_words
    worded = any(words <= set(phrase.split()) for phrase in value.wordings)
    return automatic == value.picture_property or bool(words) and worded


def _unnumbered(name: str) -> str:
    first, _, last = name.rpartition(" ")
    return first if first and last.isdecimal() else name


def top_words(
    fires: np.ndarray, captions: Sequence[str], candidates: Sequence[str] = (), count: int = 5
) -> list[tuple[str, ...]]:
    """The `count` words that stand out most in the captions on which each feature fires (class TF-IDF), strongest first.

    Args:
        fires: bool `[N, n_features]`.
        captions: N captions.
        candidates: Runs of letters (`mmsteer.labelling.naming.vocabulary`), the words of scripts without spaces between words.
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


def distinct(names: list[str]) -> list[str]:
    """Number repeated names: the second "penguin" becomes "penguin 2"."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
