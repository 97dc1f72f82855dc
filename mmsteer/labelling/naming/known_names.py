"""Names for features of annotated pairs: the factor value that a feature's firing detects, with its F1 as name confidence.

Works on any `AnnotationScheme`. Features of pairs without annotations are named by `mmsteer.labelling.naming.automatic_names`.
"""

from typing import NamedTuple

import numpy as np

from mmsteer.data.annotations import AnnotationScheme
from mmsteer.labelling.detection import f1

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
