"""What each part of an edit draws: prompts of five words, the rows of each, late steps, and a region."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from mmsteer.bank.feature import Feature
from mmsteer.models.prompt import Encoded
from mmsteer.pictures.kept import psnr
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.region import SIDE, Region
from mmsteer.steering.prompt_state import PromptState
from mmsteer.steering.sampling import render
from mmsteer.steering.schedule import Schedule
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import concept_of, index
from mmsteer.world.factors import INDEX, THINGS
from mmsteer.world.models.judge import Judge

WHOLE, REGION = "whole", "right half"
_WORDS = ("articles", "size", "thing", "preposition", "place")
_END = "end of text"
ROWS = (*_WORDS, "all words", _END, "end of text and all after it")
"""The rows on which an edit acts alone, by name."""
STARTS = (0.25, 0.5, 0.75)
"""The fractions of the run from which on an edit acts."""
_PLACES = ("meadow", "forest", "desert")
_RIGHT = Region.box(0.5, 0, 1, 1)
_MARGIN = 2  # cells between a region's border and what is measured on either side
_BATCH = 12  # prompts drawn together


class Scene(NamedTuple):
    """A prompt of six words, "a big THING in a PLACE", with its noise."""

    thing: str
    place: str
    seed: int

    @property
    def prompt(self) -> str:
        """Its text."""
        return f"a big {self.thing} in a {self.place}"

    @property
    def words(self) -> tuple[str, ...]:
        """A word for each kind of `_WORDS`; both articles are the same."""
        return ("a", "big", self.thing, "in", self.place)


class Measured(NamedTuple):
    """What the pictures of one part show beside *before*: each `[F, P]`, a row for each feature, a column for each prompt."""

    change: np.ndarray
    """The mean difference, of 255."""
    inside: np.ndarray
    """The same well within the region alone."""
    outside: np.ndarray
    """The peak signal-to-noise ratio well outside the region, in dB."""
    new: np.ndarray
    """Whether the judge reads the feature's value, 0 or 1; NaN where it reads it in *before*."""


def scenes(seed: int, count: int, without: list[str]) -> list[Scene]:
    """Fresh prompts, each with another thing; none of the things in `without`."""
    rng = np.random.default_rng((seed, 25))
    things = rng.permutation([thing for thing in THINGS if thing not in without])[:count]
    return [Scene(str(thing), str(rng.choice(_PLACES)), int(rng.integers(2**31))) for thing in things]


def measure(steerer: Steerer, judge: Judge, each: list[Scene], features: list[Feature]) -> dict[str, Measured]:
    """By name of the part (`WHOLE`, `ROWS`, `from_start`, `REGION`), what its pictures show; noise as the scenes say."""
    columns: dict[str, list[Measured]] = {}
    for at in range(0, len(each), _BATCH):
        batch = _Batch(steerer, each[at : at + _BATCH])
        look = _Look(judge, batch.before)
        rows: dict[str, list[tuple[np.ndarray, ...]]] = {}
        for feature in features:
            for part, schedule, region in batch.parts(feature):
                rows.setdefault(part, []).append(look.shown(feature, batch.drawn(schedule, region)))
        for part, of_features in rows.items():
            columns.setdefault(part, []).append(Measured(*map(np.stack, zip(*of_features, strict=True))))
    return {
        part: Measured(*(np.concatenate(arrays, 1) for arrays in zip(*batches, strict=True)))
        for part, batches in columns.items()
    }


def pictures(steerer: Steerer, each: list[Scene], feature: Feature) -> dict[str, torch.Tensor]:
    """*Before*, and what every part of a feature draws, by name, `uint8 [P, 3, S, S]`."""
    batch = _Batch(steerer, each)
    return {"before": batch.before} | {
        part: batch.drawn(schedule, region) for part, schedule, region in batch.parts(feature)
    }


def from_start(start: float) -> str:
    """The name of the part that acts from a fraction of the run on."""
    return f"from {start:g}"


def row_masks(encoded: Encoded, each: list[Scene]) -> dict[str, torch.Tensor]:
    """By the names of `ROWS`, which rows of encoded prompts these are, `[P, T, 1]` of 0 and 1."""
    masks = {kind: torch.zeros(*encoded.hidden.shape[:2], 1) for kind in (*_WORDS, _END)}
    for prompt, scene in enumerate(each):
        for kind, word in zip(_WORDS, scene.words, strict=True):
            masks[kind][prompt, list(encoded.rows(prompt, word))] = 1
        masks[_END][prompt, encoded.ends[prompt]] = 1
    words = torch.stack([masks[kind] for kind in _WORDS]).sum(0)
    rest = 1 - words
    rest[:, list(encoded.starts)] = 0
    return dict(zip(ROWS, (*(masks[kind] for kind in _WORDS), words, masks[_END], rest), strict=True))


class _Batch:
    """Prompts that are drawn together, and *before*."""

    def __init__(self, steerer: Steerer, each: list[Scene]) -> None:
        self.steerer, self.scenes = steerer, each
        self.state: PromptState = steerer.read([scene.prompt for scene in each])
        self.before = self.drawn(steerer.schedule(self.state, ()))
        self.rows = row_masks(self.state.encoded, each)

    def parts(self, feature: Feature) -> Iterator[tuple[str, Schedule, Region | None]]:
        """What is drawn of a feature at strength 1: the name of each part, what the UNet reads, and where."""
        whole = self.steerer.schedule(self.state, [Edit(feature.id)])
        yield WHOLE, whole, None
        for kind, mask in self.rows.items():
            moves = [move._replace(dh=None if move.dh is None else move.dh * mask) for move in whole.moves]
            yield kind, Schedule(whole.prompt, moves, whole.shift), None
        for start in STARTS:
            yield from_start(start), self.steerer.schedule(self.state, [Edit(feature.id, start=start)]), None
        yield REGION, whole, _RIGHT

    def drawn(self, schedule: Schedule, region: Region | None = None) -> torch.Tensor:
        """The pictures, `uint8 [P, 3, S, S]`."""
        backbone, sampler, against = self.steerer.backbone, self.steerer.sampler, self.state.against.conditioning
        seeds = [scene.seed for scene in self.scenes]
        return render(backbone, schedule, against, seeds, sampler, lambda _: None, region).pictures


class _Look:
    """What the judge and the differences from *before* say of pictures."""

    def __init__(self, judge: Judge, before: torch.Tensor) -> None:
        self.judge, self.before = judge, before
        self.before_read = judge.read(before)

    def shown(self, feature: Feature, after: torch.Tensor) -> tuple[np.ndarray, ...]:
        """The fields of `Measured` for one feature, each `[P]`."""
        value = concept_of(feature)
        assert value is not None, "features of the study are named after factor values"
        side = after.shape[-1]
        middle, margin = side // 2, _MARGIN * side // SIDE
        difference = (after.float() - self.before.float()).abs()
        outside = slice(0, middle - margin)
        pairs = zip(after[..., outside].numpy(), self.before[..., outside].numpy(), strict=True)
        k = INDEX[value[0]]
        reads = self.judge.read(after)[:, k] == index(value)
        return (
            difference.mean((1, 2, 3)).numpy(),
            difference[..., middle + margin :].mean((1, 2, 3)).numpy(),
            np.array([psnr(one, other) for one, other in pairs]),
            np.where(self.before_read[:, k] == index(value), np.nan, reads),
        )
