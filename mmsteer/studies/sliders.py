"""Sliders made from a few pictures with and without something, beside the bank's own feature for it, on fresh prompts and noise.

The pictures are drawn by the world, 2, 5 or 10 in each group: "alike", the same scenes with and without it; or "unlike", scenes that
differ in all else too. Figures as in `study effects`, at strength 1:
  hit      of the pictures that did not show the value, the share that shows it once it is added
  leak     of the other factors that the prompt fixed and *before* showed, the share that *after* no longer shows
Every direction is pushed as far as the bank's feature, without suppression, on the same prompts and noise; "own length" pushes as far as
the slider's own strength 1 does, and "feature as shipped" has suppression. `mini` was trained to be steered. `ordinary` was not: there
sliders from pictures and vision-only features move the words' states as others do, and in `ordinary-image` the image embedding that an
adapter reads. These two are measured with sliders from most pictures alone.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.pictures.picture_features import contrast_of
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.effects import concepts
from mmsteer.studies.measures.cases import Cases, Value, hit, in_batches, index, leak, new_cases, read
from mmsteer.studies.measures.means import Row, over
from mmsteer.studies.measures.methods import draw_pushed
from mmsteer.studies.report import table
from mmsteer.world.draws import random_scenes, small_pictures
from mmsteer.world.embedding import embed_pictures, load_clip
from mmsteer.world.factors import INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.pairs import to_uint8

VALUES: tuple[Value, ...] = (
    ("place", "night"), ("frame", "on"), ("light", "warm"), ("place", "snow"), ("thing", "panda"), ("size", "small"),
)  # fmt: skip
BACKBONES = ("mini", "ordinary-image", "ordinary")
_FEATURE, _SHIPPED = "feature", "feature as shipped"


class Sizes(NamedTuple):
    """How much is drawn."""

    prompts: int
    values: int
    pictures: tuple[int, ...]
    """In each group that a slider is made of."""
    backbones: int


FULL, QUICK = Sizes(6, len(VALUES), (2, 5, 10), 3), Sizes(4, 3, (5,), 1)


def study(seed: int, quick: bool) -> dict[str, Any]:
    """Measure sliders of known values; print means over the values.

    Args:
        seed: of prompts, noise and the pictures that sliders are made of.
        quick: three values, few prompts, the embedded model alone.

    Returns:
        The figures, for JSON.
    """
    sizes = QUICK if quick else FULL
    judge, measured = Judge.load(MINI / "judge"), []
    for name in BACKBONES[: sizes.backbones]:
        steerer = Steerer.load(name)
        cases = new_cases(steerer, judge, seed, sizes.prompts)
        features = concepts(steerer, 1)
        for value in VALUES[: sizes.values]:
            counts = sizes.pictures if name == BACKBONES[0] else sizes.pictures[-1:]
            rows = _measure(steerer, judge, cases, features[value][0], value, seed, counts)
            measured += [{"backbone": name, "value": " ".join(value)} | row for row in rows]
            print(f"  {name}, {value[1]}   ", end="\r", flush=True)
    summary = [row for name in BACKBONES[: sizes.backbones] for row in _means(measured, name)]
    print(table(summary))
    return {"sliders": measured, "summary": summary, "sizes": sizes._asdict()}


def _measure(
    steerer: Steerer, judge: Judge, cases: Cases, feature: Feature, value: Value, seed: int, counts: tuple[int, ...]
) -> Iterator[Row]:
    """Rows of one value: the feature, then a slider from each number of pictures of each kind."""
    vector = steerer.bank.push(feature)

    def row(method: str, after: np.ndarray, made: Direction | None = None) -> Row:
        figures = {"hit": hit(cases, after, value), "leak": leak(cases, after, value[0])}
        modality = None if made is None else made.modality
        return {"method": method, "modality": feature.modality, "slider's modality": modality} | figures

    def pushed(step: torch.Tensor, image_only: bool) -> np.ndarray:
        dx = step.expand(len(cases.seeds), -1)

        def draw(part: slice) -> torch.Tensor:
            return draw_pushed(steerer, cases.prompts[part], dx[part], cases.seeds[part], image_only)

        return judge.read(in_batches(cases.seeds, draw))

    yield row(_SHIPPED, read(steerer, judge, cases.prompts, cases.seeds, [Edit(feature.id)]))
    yield row(_FEATURE, pushed(vector, feature.image_only))
    for kind in ("alike", "unlike"):
        for count in counts:
            made = _slider(steerer, value, seed, count, kind == "alike")
            yield row(f"{count} pictures, {kind}", pushed(made.vector * vector.norm(), True), made)
            if count == max(counts):
                after = pushed(made.vector * made.activation_scale, True)
                yield row(f"{count} pictures, {kind}, own length", after, made)


def _slider(steerer: Steerer, value: Value, seed: int, count: int, alike: bool) -> Direction:
    """A slider from `count` pictures with a value and as many without."""
    k = INDEX[value[0]]
    rng = np.random.default_rng((seed, 13, k, index(value)))
    scenes = random_scenes(rng, 400)  # enough of every value
    has = scenes.values[:, k] == index(value)
    shown, not_shown = np.flatnonzero(has)[:count], np.flatnonzero(~has)[:count]
    with_it = scenes.values[not_shown].copy() if alike else scenes.values[shown]
    if alike:
        with_it[:, k] = index(value)
        with_it[:, INDEX["gender"]] *= value[0] != "thing"  # things are neither man nor woman

    def embedded(values: np.ndarray, rows: np.ndarray) -> torch.Tensor:
        drawn = small_pictures(values, scenes.nuisance[rows], torch.device("cpu"), 1)
        return embed_pictures(_clip(), to_uint8(drawn / 2 + 0.5))

    groups = embedded(with_it, not_shown if alike else shown), embedded(scenes.values[not_shown], not_shown)
    made = steerer.feature(str(contrast_of("slider", *groups)))
    assert isinstance(made, Direction)
    return made


@cache
def _clip() -> Any:
    return load_clip(MINI / "clip")[0]


def _means(rows: list[Row], backbone: str) -> Iterator[Row]:
    """Means over the values, a row for each method; beside them on how many the slider's modality is the feature's."""
    of_backbone = [row for row in rows if row["backbone"] == backbone]
    for method in dict.fromkeys(row["method"] for row in of_backbone):
        each = [row for row in of_backbone if row["method"] == method]
        right = [row["modality"] == row["slider's modality"] for row in each if row["slider's modality"]]
        means = {key: over([row[key].value for row in each if row[key].trials]) for key in ("hit", "leak")}
        same = f"{sum(right)} of {len(right)}" if right else "-"
        yield {"backbone": backbone, "method": method} | means | {"same modality": same}
