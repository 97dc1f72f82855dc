"""Prompts with known factors for the studies of steering, and what is counted on the pictures that the judge reads."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.labelling.known_names import known_value
from mmsteer.steering.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.shares import Share, share
from mmsteer.world.captions import caption
from mmsteer.world.factors import DRAWN, FACTORS, INDEX, THINGS, draw_factors
from mmsteer.world.models.judge import Judge
from mmsteer.world.scheme import SCHEME

_BATCH = 24  # pictures drawn together
_THING, _GENDER = INDEX["thing"], INDEX["gender"]
Value = tuple[str, str]
"""A factor and one of its values."""


class Cases(NamedTuple):
    """Prompts with what they fix, the noise, and *before* as the judge reads it."""

    values: np.ndarray
    """int64 [B, n_factors]"""
    mentioned: np.ndarray
    """bool [B, n_factors]: which factors a prompt mentions."""
    seeds: list[int]
    before: np.ndarray
    """int64 [B, n_factors], -1 for language factors"""

    @property
    def prompts(self) -> list[str]:
        """The prompts. The seed decides the wording, so that a variant of a scene keeps its wording as far as it can."""
        return _captions(self.values, self.mentioned, self.seeds)

    def prompts_with(self, value: Value) -> list[str]:
        """The same prompts with the word of a value in place of their own for its factor, or added where they have none."""
        values, mentioned = self.values.copy(), self.mentioned.copy()
        k = INDEX[value[0]]
        values[:, k], mentioned[:, k] = index(value), True
        mentioned[:, _GENDER] &= values[:, _THING] >= len(THINGS)
        return _captions(values, mentioned, self.seeds)

    def prompts_without(self, factor: str) -> list[str]:
        """The same prompts without a word on a factor."""
        mentioned = self.mentioned.copy()
        mentioned[:, INDEX[factor]] = False
        return _captions(self.values, mentioned, self.seeds)


def _captions(values: np.ndarray, mentioned: np.ndarray, seeds: list[int]) -> list[str]:
    return [caption(np.random.default_rng(s), v, m) for s, v, m in zip(seeds, values, mentioned, strict=True)]


def concept_of(feature: Feature) -> Value | None:
    """The factor value that a feature is named after, its number left out; None for other names."""
    return known_value(feature.name, SCHEME) if feature.named_by == "truth" else None


def index(value: Value) -> int:
    """The place of a value among the values of its factor."""
    return FACTORS[INDEX[value[0]]].values.index(value[1])


def new_cases(steerer: Steerer, judge: Judge, seed: int, count: int, fixed: Value | None = None) -> Cases:
    """Fresh prompts that mention a thing.

    Args:
        steerer: draws *before*.
        judge: reads it.
        seed: of prompts and noise.
        count: how many prompts.
        fixed: a cross-modal value that each prompt mentions, too.
    """
    rng = np.random.default_rng((seed, 11) if fixed is None else (seed, 12, INDEX[fixed[0]], index(fixed)))
    values, mentioned = draw_factors(rng, count)
    mentioned[:, _THING] = True
    if fixed is not None:
        if fixed[0] == "gender":  # only people are a man or a woman
            values[:, _THING] = rng.integers(len(THINGS), len(FACTORS[_THING].values), count)
        values[:, INDEX[fixed[0]]], mentioned[:, INDEX[fixed[0]]] = index(fixed), True
    person, gender = values[:, _THING] >= len(THINGS), values[:, _GENDER]
    mentioned[:, _GENDER] &= person
    values[:, _GENDER] = np.where(person, np.where(gender == 0, rng.integers(1, 3, count), gender), 0)
    seeds = [int(s) for s in rng.integers(0, 2**31, count)]
    cases = Cases(values, mentioned, seeds, np.zeros_like(values))
    return cases._replace(before=read(steerer, judge, cases.prompts, seeds))


def read(
    steerer: Steerer, judge: Judge, prompts: list[str], seeds: list[int], edits: Sequence[Edit] = ()
) -> np.ndarray:
    """What the judge reads in pictures of prompts, all with the same edits, `int64 [B, n_factors]`."""
    return judge.read(in_batches(seeds, lambda part: steerer.render_many(prompts[part], edits, seeds[part])))


def in_batches(seeds: list[int], draw: Callable[[slice], torch.Tensor]) -> torch.Tensor:
    """Pictures `uint8 [B, 3, H, W]`, drawn a few at a time."""
    return torch.cat([draw(slice(i, i + _BATCH)) for i in range(0, len(seeds), _BATCH)])


def hit(cases: Cases, after: np.ndarray, value: Value) -> Share:
    """Of the pictures that did not show a value, the share that shows it after."""
    k = INDEX[value[0]]
    absent = cases.before[:, k] != index(value)
    if value[0] == "gender":
        absent &= cases.values[:, _THING] >= len(THINGS)
    return _share(absent, after[:, k] == index(value))


def leak(cases: Cases, after: np.ndarray, factor: str) -> Share:
    """Of the other factors that the prompt fixed and *before* showed, the share that *after* no longer shows."""
    fixed = _others(cases, factor)
    return _share(fixed, after != cases.values)


def gone(cases: Cases, after: np.ndarray, value: Value) -> Share:
    """Of the pictures that showed a value, the share that no longer does: UnlearnCanvas' unlearning accuracy (2402.11846)."""
    k = INDEX[value[0]]
    return _share(cases.before[:, k] == index(value), after[:, k] != index(value))


def siblings_stay(cases: Cases, after: np.ndarray, value: Value) -> Share:
    """Of the pictures that showed a sibling, another value of the same factor, as their prompt says, the share that still
    does: in-domain retain accuracy (2402.11846).
    """
    k = INDEX[value[0]]
    other = cases.mentioned[:, k] & (cases.before[:, k] == cases.values[:, k]) & (cases.values[:, k] != index(value))
    return _share(other, after[:, k] == cases.values[:, k])


def others_stay(cases: Cases, after: np.ndarray, factor: str) -> Share:
    """Of the other factors that the prompt fixed and *before* showed, the share that still shows: cross-domain retain accuracy
    (2402.11846).
    """
    return _share(_others(cases, factor), after == cases.values)


def changed(cases: Cases, after: np.ndarray) -> Share:
    """The share of pictures in which the judge reads any factor differently."""
    drawn = [INDEX[name] for name in DRAWN]
    return _share(np.ones(len(after), bool), (after != cases.before)[:, drawn].any(1))


def _others(cases: Cases, factor: str) -> np.ndarray:
    """Where a prompt fixes another factor and *before* shows it, bool `[B, n_factors]`."""
    fixed = np.asarray(cases.mentioned & (cases.before == cases.values))
    fixed[:, INDEX[factor]] = False
    if factor == "thing":  # with another thing, man or woman goes too
        fixed[:, _GENDER] = False
    return fixed


def _share(among: np.ndarray, true: np.ndarray) -> Share:
    return share(int((among & true).sum()), int(among.sum()))
