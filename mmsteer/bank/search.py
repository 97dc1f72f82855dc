"""Search among features: by words, by spelling, and by direction in the joint space. Pure."""

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mmsteer.bank.feature import Feature

if TYPE_CHECKING:
    import torch

_LONGEST = 60  # characters of a query that count; longer ones only cost time


def by_words(features: Iterable[Feature], text: str, modality: str | None = None) -> list[Feature]:
    """Features whose name or words contain `text`, in any case; of one modality, or of all if None.

    Names that begin with it come first, then names that contain it, then features that a person or a score has named, then
    the rest, by number.
    """
    wanted = text.strip().lower()

    def rank(feature: Feature) -> tuple[bool, bool, bool, int]:
        name = feature.name.lower()
        return not name.startswith(wanted), wanted not in name, feature.named_by is None, feature.id

    def matches(feature: Feature) -> bool:
        return any(wanted in word.lower() for word in (feature.name, *feature.words))

    return sorted((f for f in features if modality in (None, f.modality) and matches(f)), key=rank)


def by_spelling(names: Sequence[str], name: str) -> list[str]:
    """At most five of `names` (lower case) that are spelt most like `name`, nearest first."""
    return difflib.get_close_matches(name.strip().lower()[:_LONGEST], names, n=5, cutoff=0.4)


def nearest(rows: "torch.Tensor", query: "torch.Tensor", count: int) -> list[tuple[int, float]]:
    """The `count` rows of `rows [n, d]` (unit length) with the highest cosine to `query [d]` (any length), nearest first."""
    cosines = rows @ (query / query.norm().clamp(min=1e-12))
    best = cosines.topk(min(count, len(rows)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
