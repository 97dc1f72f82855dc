"""From rows of single features and methods to means over concepts: a concept counts once, however many features it has."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmsteer.bank import MODALITIES
from mmsteer.studies.measures.methods import DIRECTIONS, WITH_SUPPRESSION, needs_labels
from mmsteer.studies.measures.shares import Share, mean_with_interval

FIGURES = ("hit", "leak", "gone", "kept siblings", "kept others", "change")
FEATURE = DIRECTIONS["feature"].title
SHIPPED = FEATURE + WITH_SUPPRESSION
"""What a slider applies; where no prompt contains a mutually exclusive feature, that is the feature alone."""
Row = dict[str, Any]


def as_shipped(rows: list[Row]) -> list[Row]:
    """The rows of what a slider applies, one a feature."""
    shipped = {row["feature"]: row for method in (FEATURE, SHIPPED) for row in rows if row["method"] == method}
    return filled(list(shipped.values()))


def filled(rows: list[Row]) -> list[Row]:
    """Rows to print: "-" for missing figures, and no column where all are missing."""
    keys = [key for key in rows[0] if any(row[key] is not None for row in rows)]
    return [{key: "-" if row[key] is None else row[key] for key in keys} for row in rows]


def over(values: Sequence[float]) -> Share | None:
    """Mean over concepts with its interval; None where there are no values."""
    return mean_with_interval(values) if values else None


def summarise(rows: list[Row]) -> list[Row]:
    """Means over concepts, a row for each modality and method; beside hit its paired difference to what ships.

    Args:
        rows: a row for each feature and method, with FIGURES that are a Share or None.
    """
    summary: list[Row] = []
    for modality in MODALITIES:
        of_modality = [row for row in rows if row["modality"] == modality]
        methods = list(dict.fromkeys(row["method"] for row in of_modality))
        concepts = {method: _concepts([row for row in of_modality if row["method"] == method]) for method in methods}
        ships = concepts.get(FEATURE, {}) | concepts.get(SHIPPED, {})
        for method, each in concepts.items():
            row: Row = {"modality": modality, "method": method, "needs labels": "yes" if needs_labels(method) else "no"}
            row |= {key: over([c[key] for c in each.values() if key in c]) for key in FIGURES}
            both = [c for c in each if "hit" in each[c] and "hit" in ships[c]]
            summary.append(row | {"hit - shipped": over([each[c]["hit"] - ships[c]["hit"] for c in both])})
        apart = _twins(of_modality)
        if apart is not None:
            summary.append(dict.fromkeys(summary[-1]) | {"modality": modality, "method": "twins apart", "hit": apart})
    return summary


def _concepts(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Concept -> the figures it has, its features averaged."""
    means: dict[str, dict[str, float]] = {}
    for concept in dict.fromkeys(row["concept"] for row in rows):
        features = [row for row in rows if row["concept"] == concept]
        values = {key: [row[key].value for row in features if row[key] and row[key].trials] for key in FIGURES}
        means[concept] = {key: float(np.mean(numbers)) for key, numbers in values.items() if numbers}
    return means


def _twins(rows: list[Row]) -> Share | None:
    """Largest minus smallest hit of one concept's features: mean over the concepts with several."""
    hits: dict[str, list[float]] = {}
    for row in rows:
        if row["method"] == SHIPPED and row["hit"] and row["hit"].trials:
            hits.setdefault(row["concept"], []).append(row["hit"].value)
    return over([max(values) - min(values) for values in hits.values() if len(values) > 1])
