"""What a source may know about its samples: the value of each of some named factors, and whether the caption mentions it.

A factor is one way in which pictures or captions differ: the place, the light, the mood. Most sources know none. One that does
describes its factors by an `AnnotationScheme`, and gives each sample an `Annotation`. Knows no particular factor.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mmsteer.bank.feature import Modality


class Annotation(NamedTuple):
    """What is known about one sample."""

    values: np.ndarray
    """int64 `[n_factors]`: an index into each factor's values"""
    mentioned: np.ndarray
    """bool `[n_factors]`: whether the caption mentions the factor"""


@dataclass(frozen=True)
class FactorValue:
    """One value of a factor."""

    name: str
    label: str
    """What a person reads, and what a feature that detects the value is called ("warm light")."""
    wordings: tuple[str, ...] = ()
    """How captions word it, the plainest first; empty if no caption mentions it."""
    picture_property: str | None = None
    """The pole of a picture property (`mmsteer.labelling.picture_properties`) as which it is drawn."""


@dataclass(frozen=True)
class Factor:
    """One way in which samples differ."""

    name: str
    modality: Modality
    """`vision` for a factor that only pictures show, `language` for one that only captions mention, `cross` for both."""
    values: tuple[FactorValue, ...]
    neutral: str | None = None
    """The value that means "nothing special" and gives no feature its name; None if every value has a meaning."""


@dataclass(frozen=True)
class AnnotationScheme:
    """The factors that a source knows, in the order of its annotations."""

    factors: tuple[Factor, ...]
    function_words: frozenset[str] = frozenset()
    """Words of the wordings that carry no meaning of their own ("in", "the")."""

    @cached_property
    def _labelled(self) -> dict[str, tuple[Factor, FactorValue]]:
        return {v.label: (f, v) for f in self.factors for v in f.values if v.name != f.neutral}

    def find(self, label: str) -> tuple[Factor, FactorValue] | None:
        """The factor and value with this label; None if no value that is worth a name has it."""
        return self._labelled.get(label)
