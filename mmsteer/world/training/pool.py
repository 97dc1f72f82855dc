"""A pool of scenes that training draws its batches from: made once, trained on a few times, replaced by others.

Drawing and encoding a scene costs about what a training step on it costs; a scene that is met a few times, with other
words, noise and windows, teaches as much as another would. Which scenes are in the pool follows from the step alone, so
a run that goes on after a kill has the same pool.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from mmsteer.world.draws import Scenes, random_scenes

_KEPT = 512  # chunks of scenes that are remembered: more than any pool has


@lru_cache(maxsize=_KEPT)
def _scenes(seed: int, number: int, count: int) -> Scenes:
    return random_scenes(np.random.default_rng((seed, 1, number)), count)


@dataclass(frozen=True)
class Ring:
    """Which scenes are in the pool at which step: `chunks` chunks of `chunk` scenes, the oldest replaced every so many steps.

    With batches of B a scene is used `B * every / chunk` times on average.
    """

    chunk: int
    chunks: int
    every: int | None = 1
    """Steps after which the oldest chunk makes room for a new one; None: never."""
    seed: int = 0

    def __len__(self) -> int:
        return self.chunk * self.chunks

    def numbers(self, step: int) -> list[int]:
        """The number of the chunk in each place; numbers count the chunks of a whole run."""
        first = step // self.every if self.every else 0
        return [first + (place - first) % self.chunks for place in range(self.chunks)]

    def scenes(self, number: int) -> Scenes:
        """One chunk."""
        return _scenes(self.seed, number, self.chunk)

    def rows(self, step: int, rows: np.ndarray) -> Scenes:
        """The scenes in some rows of the pool, `rows int64 [B]` below its length."""
        chunks = [self.scenes(number) for number in self.numbers(step)]
        values, told, chance = (np.concatenate(part)[rows] for part in zip(*chunks, strict=True))
        return Scenes(values, told, chance)


class Pool:
    """The tensors that `make` makes of each chunk of a ring, side by side in one tensor a name."""

    def __init__(self, ring: Ring, make: Callable[[int], dict[str, torch.Tensor]]) -> None:
        self.ring, self._make = ring, make
        self._tensors: dict[str, torch.Tensor] = {}
        self._inside: list[int | None] = [None] * ring.chunks

    def at(self, step: int) -> dict[str, torch.Tensor]:
        """Every tensor `[len(ring), ...]` as of a step; the caller must not keep them past it."""
        for place, number in enumerate(self.ring.numbers(step)):
            if self._inside[place] == number:
                continue
            rows = slice(place * self.ring.chunk, (place + 1) * self.ring.chunk)
            for name, part in self._make(number).items():
                if name not in self._tensors:
                    self._tensors[name] = part.new_empty((len(self.ring), *part.shape[1:]))
                self._tensors[name][rows] = part
            self._inside[place] = number
        return self._tensors
