"""What adding and removing one feature does to pictures of fresh prompts, beside every method of `methods`.

Knows one feature at a time; `mmsteer.studies.effects` and `mmsteer.studies.ordinary` go over features.
"""

from collections.abc import Callable, Collection
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.steering.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import (
    Cases,
    Value,
    changed,
    gone,
    hit,
    in_batches,
    leak,
    new_cases,
    others_stay,
    read,
    siblings_stay,
)
from mmsteer.studies.measures.means import Row
from mmsteer.studies.measures.methods import (
    DIRECTIONS,
    WITH_SUPPRESSION,
    WORDS,
    directions,
    draw_pushed,
    mean_differences,
    suppression_shift,
)
from mmsteer.world.captions import caption_word, wordings
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.judge import Judge


class Sizes(NamedTuple):
    """How much is drawn."""

    prompts: int
    """For each concept."""
    prompts_language: int
    """The same for language-only concepts. More: which pictures change depends on prompt and noise far more than on the feature."""
    pairs: int
    """From which mean differences are computed."""
    every: int
    """One concept in so many of a modality is measured, at least the first."""
    curves: int
    """The same for the curves."""

    lengths: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0)
    """Of the push in the curves, as multiples of the feature's own at strength 1."""


class SteeringEvaluation:
    """The steerer, the judge, the prompts, and the directions that are compared.

    Attributes:
        cases: the prompts of cross-modal and vision-only features.
        means: the mean difference of each factor value.
        start: from which fraction of the run on everything acts; may be set.
    """

    def __init__(
        self,
        steerer: Steerer,
        judge: Judge,
        seed: int,
        sizes: Sizes,
        compared: Collection[str] = DIRECTIONS,
        brief: bool = False,
    ) -> None:
        """Draw *before* and compute the mean differences.

        Args:
            steerer: what is evaluated.
            judge: reads the pictures.
            seed: of prompts, noise and the pairs of mean differences.
            sizes: how many of each.
            compared: which of DIRECTIONS are measured.
            brief: leave siblings out, and directions without suppression where there is suppression.
        """
        self.steerer, self.judge, self.seed, self.sizes = steerer, judge, seed, sizes
        self.compared, self.brief = compared, brief
        self.start = 0.0
        self.means = mean_differences(seed, sizes.pairs)
        self.cases = new_cases(steerer, judge, seed, sizes.prompts)
        self._cases_with: dict[Value, Cases] = {}

    @cached_property
    def language_cases(self) -> Cases:
        """The prompts of language-only features."""
        return new_cases(self.steerer, self.judge, self.seed, self.sizes.prompts_language)

    def added(self, feature: Feature, value: Value, length: float = 1.0, words: bool = True) -> dict[str, Row]:
        """Add a value by every method.

        Args:
            feature: the feature.
            value: the factor value that it is named after.
            length: how far directions are pushed, in lengths of the feature's own push at strength 1.
            words: whether prompt words are measured, too.

        Returns:
            Method -> hit and leak; for a language-only value, which no picture shows, change.
        """
        language = FACTORS[INDEX[value[0]]].modality == "language"
        cases = self.language_cases if language else self.cases
        rows: dict[str, Row] = {}

        def record(method: str, after: np.ndarray) -> None:
            if language:
                rows[method] = {"change": changed(cases, after)}
            else:
                rows[method] = {"hit": hit(cases, after, value), "leak": leak(cases, after, value[0])}

        state = self.steerer.read(cases.prompts)
        fade = suppression_shift(self.steerer, state, feature, length)
        for name, dx in self._directions(feature, value).items():
            if not (self.brief and fade.any()):
                record(DIRECTIONS[name].title, self._read_pushed(cases, (length * dx).expand_as(fade), feature))
            if fade.any():
                title = f"{DIRECTIONS[name].title}{WITH_SUPPRESSION}"
                record(title, self._read_pushed(cases, length * dx + fade, feature))
        if words and wordings(*value):
            appended = [f"{prompt} {caption_word(*value)}" for prompt in cases.prompts]
            record(WORDS["appended"].title, read(self.steerer, self.judge, appended, cases.seeds))
            record(WORDS["replaced"].title, read(self.steerer, self.judge, cases.prompts_with(value), cases.seeds))
        return rows

    def removed(self, feature: Feature, value: Value) -> dict[str, Row]:
        """Remove a value by every method: method -> gone, kept others and, but for vision-only values, kept siblings."""
        vision = FACTORS[INDEX[value[0]]].modality == "vision"
        cases = self.cases if vision else self._cases_that_mention(value)
        rows: dict[str, Row] = {}
        siblings = not vision and not self.brief

        def record(method: str, draw: Callable[[Cases], np.ndarray], siblings: bool) -> None:
            after = draw(cases)
            rows[method] = {"gone": gone(cases, after, value), "kept others": others_stay(cases, after, value[0])}
            if siblings:
                rows[method]["kept siblings"] = siblings_stay(self.cases, draw(self.cases), value)

        remove = [Edit(feature.id, "remove", start=self.start)]

        def slide(cases: Cases) -> np.ndarray:
            return read(self.steerer, self.judge, cases.prompts, cases.seeds, remove)

        def push_back(cases: Cases, direction: torch.Tensor) -> np.ndarray:
            shift = self.steerer.schedule(self.steerer.read(cases.prompts), remove).shift
            return self._read_pushed(cases, -direction / direction.norm() * shift.norm(dim=1, keepdim=True), feature)

        for name, direction in self._directions(feature, value).items():
            draw = slide if name == "feature" else partial(push_back, direction=direction)
            record(DIRECTIONS[name].title, draw, siblings)
        if siblings:  # without its word, a prompt that mentions a sibling loses the sibling
            silent = read(self.steerer, self.judge, cases.prompts_without(value[0]), cases.seeds)
            record(WORDS["silent"].title, lambda _: silent, False)
        return rows

    def _cases_that_mention(self, value: Value) -> Cases:
        if value not in self._cases_with:
            self._cases_with[value] = new_cases(self.steerer, self.judge, self.seed, self.sizes.prompts, value)
        return self._cases_with[value]

    def _directions(self, feature: Feature, value: Value) -> dict[str, torch.Tensor]:
        """The compared directions. A language-only value has no mean difference: there are no pictures with and without it."""
        language = FACTORS[INDEX[value[0]]].modality == "language"
        vectors = directions(self.steerer, feature, self.means[value])
        return {name: v for name, v in vectors.items() if name in self.compared and not (language and name == "mean")}

    def _read_pushed(self, cases: Cases, dx: torch.Tensor, feature: Feature) -> np.ndarray:
        def draw(part: slice) -> torch.Tensor:
            return draw_pushed(
                self.steerer, cases.prompts[part], dx[part], cases.seeds[part], feature.image_only, self.start
            )

        return self.judge.read(in_batches(cases.seeds, draw))
