"""What features do to pictures, read off by the judge on fresh prompts and noise; beside other directions and words.

Per concept (a factor value that a feature is named after), at strength 1 and the sampler of the backbone:
  hit      of pictures that did not show the value, the share that shows it once it is added
  leak     of the other factors that the prompt fixed and *before* showed, the share that *after* no longer shows
  gone     of pictures whose prompt says the value and that showed it, the share that no longer does once it is removed
  kept     what removal leaves: of pictures that show another value of the same factor (siblings), and of the other factors
           that the prompt fixes (others), the shares that still show. gone and both kept are UnlearnCanvas' three figures
           (2402.11846)
  change   (language-only) the share of pictures in which the judge reads any factor differently
A feature's twins ("owl 2") are averaged first: a concept counts once. Intervals are 95 % by bootstrap over concepts.
All directions are pushed as far as the feature's own, without and with the same suppression of the strongest rival in the
prompt; to remove, back by as much as the feature's removal moves that prompt. The curves push each by several lengths.
"""

from collections.abc import Callable, Collection
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import MODALITIES, Feature
from mmsteer.models.prompt import encode
from mmsteer.steering.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.cases import (
    Cases,
    Value,
    changed,
    gone,
    hit,
    in_batches,
    intent,
    leak,
    new_cases,
    others_stay,
    read,
    siblings_stay,
)
from mmsteer.studies.means import FIGURES, Row, as_shipped, draw_curves, filled, over, summarise
from mmsteer.studies.methods import DIRECTIONS, WITH, WORDS, directions, mean_differences, pushed, suppressed
from mmsteer.studies.report import save_strips, table
from mmsteer.world.captions import caption_word, wordings
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

TARGETS = {"hit cross": 0.95, "hit vision": 0.95, "leak": 0.03, "gone": 0.90, "change language": 0.02}
_SHOWN = ("night", "panda", "warm light", "white frame", "please draw")


class Sizes(NamedTuple):
    """How much is drawn."""

    prompts: int
    """A concept."""
    prompts_language: int
    """More: which pictures tip over depends on the prompt and noise far more than on the feature."""
    pairs: int
    """From which mean differences are taken."""
    every: int
    """One concept in so many of a modality is measured, the first at least."""
    curves: int
    """And for the curves one in so many."""

    lengths: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0)
    """Of the push in the curves, as multiples of the feature's own at strength 1."""


FULL, QUICK = Sizes(10, 64, 6000, 1, 10), Sizes(4, 8, 600, 1000, 1000, (0.5, 1.0))


class Study:
    """One run: the steerer, the judge, and the label-based directions."""

    def __init__(
        self,
        steerer: Steerer,
        judge: Judge,
        seed: int,
        sizes: Sizes,
        ways: Collection[str] = DIRECTIONS,
        brief: bool = False,
    ) -> None:
        """`ways` are the DIRECTIONS to measure; `brief` leaves out directions alone where there is suppression, and siblings."""
        self.steerer, self.judge, self.seed, self.sizes, self.ways, self.brief = (
            steerer,
            judge,
            seed,
            sizes,
            ways,
            brief,
        )
        self.start = 0.0
        """From which fraction of the run on everything acts."""
        self.means = mean_differences(seed, sizes.pairs)
        self.cases = new_cases(steerer, judge, seed, sizes.prompts)
        self._saying: dict[Value, Cases] = {}

    @cached_property
    def many(self) -> Cases:
        """The cases of language-only features."""
        return new_cases(self.steerer, self.judge, self.seed, self.sizes.prompts_language)

    def added(self, feature: Feature, value: Value, length: float = 1.0, words: bool = True) -> dict[str, Row]:
        """Method -> hit and leak (or, for what no picture shows, change), pushed `length` times as far as the feature."""
        language = FACTORS[INDEX[value[0]]].modality == "language"
        cases = self.many if language else self.cases
        rows: dict[str, Row] = {}

        def keep(method: str, after: np.ndarray) -> None:
            figures = {"change": changed(cases, after)} if language else {}
            if not language:
                figures = {"hit": hit(cases, after, value), "leak": leak(cases, after, value[0])}
            rows[method] = figures

        encoded = encode(self.steerer.backbone, cases.prompts)
        fade = suppressed(self.steerer, encoded, feature, length)
        for name, dx in self._directions(feature, value).items():
            if not (self.brief and fade.any()):
                keep(DIRECTIONS[name].title, self._pushed(cases, (length * dx).expand_as(fade), feature))
            if fade.any():
                keep(f"{DIRECTIONS[name].title}{WITH}", self._pushed(cases, length * dx + fade, feature))
        if words and wordings(*value):
            said = [f"{prompt} {caption_word(*value)}" for prompt in cases.prompts]
            keep(WORDS["appended"].title, read(self.steerer, self.judge, said, cases.seeds))
            keep(WORDS["replaced"].title, read(self.steerer, self.judge, cases.saying(value), cases.seeds))
        return rows

    def removed(self, feature: Feature, value: Value) -> dict[str, Row]:
        """Method -> gone and both kept."""
        vision = FACTORS[INDEX[value[0]]].modality == "vision"
        saying = self.cases if vision else self._cases_saying(value)
        rows: dict[str, Row] = {}
        siblings = not vision and not self.brief

        def keep(method: str, draw: Callable[[Cases], np.ndarray], siblings: bool) -> None:
            after = draw(saying)
            rows[method] = {"gone": gone(saying, after, value), "kept others": others_stay(saying, after, value[0])}
            if siblings:
                rows[method]["kept siblings"] = siblings_stay(self.cases, draw(self.cases), value)

        remove = [Edit(feature.id, "remove", start=self.start)]

        def back(cases: Cases, way: torch.Tensor) -> np.ndarray:
            shift = self.steerer.plan(encode(self.steerer.backbone, cases.prompts), remove).shift
            return self._pushed(cases, -way / way.norm() * shift.norm(dim=1, keepdim=True), feature)

        for name, way in self._directions(feature, value).items():
            if name == "feature":
                keep(
                    DIRECTIONS[name].title,
                    lambda c: read(self.steerer, self.judge, c.prompts, c.seeds, remove),
                    siblings,
                )
            else:
                keep(DIRECTIONS[name].title, partial(back, way=way), siblings)
        if siblings:  # left out of a prompt that says a sibling, it is the sibling that goes
            silent = read(self.steerer, self.judge, saying.silent(value[0]), saying.seeds)
            keep(WORDS["silent"].title, lambda _: silent, False)
        return rows

    def _cases_saying(self, value: Value) -> Cases:
        if value not in self._saying:
            self._saying[value] = new_cases(self.steerer, self.judge, self.seed, self.sizes.prompts, value)
        return self._saying[value]

    def _directions(self, feature: Feature, value: Value) -> dict[str, torch.Tensor]:
        """Those of `ways`; of what no picture shows there are no pictures or captions without it, and no mean difference."""
        language = FACTORS[INDEX[value[0]]].modality == "language"
        ways = directions(self.steerer, feature, self.means[value])
        return {name: way for name, way in ways.items() if name in self.ways and not (language and name == "mean")}

    def _pushed(self, cases: Cases, dx: torch.Tensor, feature: Feature) -> np.ndarray:
        def some(part: slice) -> torch.Tensor:
            return pushed(
                self.steerer, cases.prompts[part], dx[part], cases.seeds[part], feature.image_only, self.start
            )

        return self.judge.read(in_batches(cases.seeds, some))


def concepts(steerer: Steerer, every: int) -> dict[Value, list[Feature]]:
    """Values that features are named after, with those features; of each modality the first and every so many more."""
    named: dict[Value, list[Feature]] = {}
    for feature in steerer.bank.features:
        if (value := intent(feature)) is not None:
            named.setdefault(value, []).append(feature)
    chosen: list[Value] = []
    for modality in MODALITIES:
        some = [value for value, features in named.items() if features[0].modality == modality]
        chosen += some[::every]
    return {value: named[value] for value in chosen}


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Measure every concept; print its row as shipped, then every method's means, then the curves."""
    sizes = QUICK if quick else FULL
    run = Study(Steerer.load("mini"), Judge.load(MINI / "judge"), seed, sizes)
    measured = measure(run, concepts(run.steerer, sizes.every))
    print(table(as_shipped(measured)))
    summary = summarise(measured)
    for modality in MODALITIES:
        some = [row for row in summary if row["modality"] == modality]
        print(f"\n{modality}, means over concepts\n" + table(filled(some)))
    pushable = {v: f for v, f in concepts(run.steerer, sizes.curves).items() if f[0].modality != "language"}
    curves = by_length(run, pushable)
    print("\nby the length of the push, in lengths of the feature's own at strength 1\n" + table(curves))
    if figure:
        _sheet(run.steerer, figure)
        draw_curves(curves, figure.with_suffix(".png"))
    return {
        "features": measured, "summary": summary, "curves": curves, "targets": TARGETS, "sizes": sizes._asdict(),
        "curve concepts": [" ".join(value) for value in pushable],
    }  # fmt: skip


def measure(run: Study, some: dict[Value, list[Feature]]) -> list[Row]:
    """A row a feature and method; figures that a method does not have are None."""
    rows: list[Row] = []
    for k, (value, features) in enumerate(some.items()):
        for feature in features:
            added = run.added(feature, value)
            taken = {} if feature.modality == "language" else run.removed(feature, value)
            head = {"feature": feature.name, "modality": feature.modality, "concept": " ".join(value)}
            for method in dict.fromkeys([*added, *taken]):
                # to remove, a direction needs no suppression: its figures stand in both rows
                figures = added.get(method, {}) | taken.get(method.removesuffix(WITH), {})
                rows.append(head | {"method": method} | {key: figures.get(key) for key in FIGURES})
        print(f"  {k + 1}/{len(some)} {value[1]}   ", end="\r", flush=True)
    return rows


def by_length(run: Study, some: dict[Value, list[Feature]]) -> list[Row]:
    """Hit and leak of every direction by how far it is pushed, means over concepts."""
    rows = []
    for length in run.sizes.lengths:
        measured: dict[tuple[str, str], list[Row]] = {}
        for value, features in some.items():
            for method, figures in run.added(features[0], value, length, words=False).items():
                measured.setdefault((features[0].modality, method), []).append(figures)
        for (modality, method), each in measured.items():
            means = {key: over([f[key].value for f in each if f[key].trials]) for key in ("hit", "leak")}
            rows.append({"modality": modality, "method": method, "length": length} | means)
    return rows


def _sheet(steerer: Steerer, path: Path) -> None:
    """A sheet: one prompt a column, *before* on top, then one feature a row, some of each modality."""
    prompts = [  # all say where: else there may be two
        "a big cat in the middle in a meadow", "a small car on the left on the beach", "a big penguin in the middle in the snow",
        "a rocket on the right in the desert", "a big fox in the middle in the forest", "a big strawberry on the left at sunset",
    ]  # fmt: skip
    seeds = list(range(len(prompts)))
    chosen = [f for name in _SHOWN for f in steerer.bank.features if f.name == name]
    save_strips(
        [
            (
                "before" if f is None else f"{f.name}\n({f.modality})",
                steerer.render_many(prompts, [Edit(f.id)] if f else (), seeds),
            )
            for f in (None, *chosen)
        ],
        path,
    )
