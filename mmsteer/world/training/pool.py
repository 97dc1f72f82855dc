"""A pool of scenes that training draws its batches from: each scene is used a few times, then replaced.

Drawing and encoding a scene costs about as much as a training step on it. Met again with other captions, noise and
windows, it teaches as much as a new one. Which scenes are in the pool follows from the step alone, so a resumed run has
the same pool.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from mmsteer.world.draws import Scenes, random_scenes

_CACHED = 512  # chunks of scenes in the cache: more than any pool has


@lru_cache(maxsize=_CACHED)
def _scenes(seed: int, number: int, count: int) -> Scenes:
    return random_scenes(np.random.default_rng((seed, 1, number)), count)


@dataclass(frozen=True)
class PoolSchedule:
    """Which scenes are in the pool at which step: a ring of chunks, of which the oldest is replaced every few steps.

    With batches of B, each scene is used `B * every / chunk` times on average.
    """

    chunk: int
    """Scenes a chunk."""
    chunks: int
    every: int | None = 1
    """Steps after which a new chunk replaces the oldest; None: never."""
    seed: int = 0

    def __len__(self) -> int:
        return self.chunk * self.chunks

    def numbers(self, step: int) -> list[int]:
        """The number of the chunk in each place; numbers count the chunks of a run."""
        first = step // self.every if self.every else 0
        return [first + (place - first) % self.chunks for place in range(self.chunks)]

    def scenes(self, number: int) -> Scenes:
        """The scenes of one chunk."""
        return _scenes(self.seed, number, self.chunk)

    def rows(self, step: int, rows: np.ndarray) -> Scenes:
        """The scenes in given rows of the pool at a step, `rows int64 [B]` below its length."""
        chunks = [self.scenes(number) for number in self.numbers(step)]
        values, mentioned, nuisance = (np.concatenate(part)[rows] for part in zip(*chunks, strict=True))
        return Scenes(values, mentioned, nuisance)


class ScenePool:
    """Tensors of the scenes in the pool.

    Args:
        schedule: Which chunks are in it.
        compute: Computes the tensors of a chunk from its number, by name, each `[chunk, ...]`.
    """

    def __init__(self, schedule: PoolSchedule, compute: Callable[[int], dict[str, torch.Tensor]]) -> None:
        self.schedule, self._compute = schedule, compute
        self._tensors: dict[str, torch.Tensor] = {}
        self._numbers: list[int | None] = [None] * schedule.chunks

    def at(self, step: int) -> dict[str, torch.Tensor]:
        """Every tensor `[len(schedule), ...]` as of a step. The next call overwrites them."""
        for place, number in enumerate(self.schedule.numbers(step)):
            if self._numbers[place] == number:
                continue
            rows = slice(place * self.schedule.chunk, (place + 1) * self.schedule.chunk)
            for name, part in self._compute(number).items():
                if name not in self._tensors:
                    self._tensors[name] = part.new_empty((len(self.schedule), *part.shape[1:]))
                self._tensors[name][rows] = part
            self._numbers[place] = number
        return self._tensors
