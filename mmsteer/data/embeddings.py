"""Vectors of matched pairs, in memory or mapped from a folder of shards: both are read alike."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch


class Rows:
    """Rows of all shards, mapped into memory, in the order of `where`.

    Reads like a tensor: `len(x)`, `x.shape`, `x[a:b]` and `x[numbers]`, always `float32`.
    """

    def __init__(self, shards: Sequence[np.ndarray], where: torch.Tensor) -> None:
        self._shards, self.where = shards, where
        self._ends = np.cumsum([len(shard) for shard in shards])
        self.shape = torch.Size((len(where), shards[0].shape[1]))

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, which: slice | torch.Tensor) -> torch.Tensor:
        rows = self.where[which].numpy()
        order = rows.argsort(kind="stable")  # each shard is read once, from front to back
        rows = rows[order]
        bounds = np.searchsorted(rows, self._ends)
        result = np.empty((len(rows), self.shape[1]), np.float32)
        for k in np.flatnonzero(np.diff(bounds, prepend=0)).tolist():
            first, start = (self._ends[k - 1], bounds[k - 1]) if k else (0, 0)
            result[order[start : bounds[k]]] = self._shards[k][rows[start : bounds[k]] - first]
        return torch.from_numpy(result)

    def only(self, which: torch.Tensor) -> "Rows":
        """A selection of the rows, not read yet."""
        return Rows(self._shards, self.where[which])


class Captions(Sequence[str]):
    """Captions of all shards, mapped into memory, in the order of `where`."""

    def __init__(self, shards: Sequence[tuple[torch.Tensor, torch.Tensor]], where: torch.Tensor) -> None:
        self._shards, self.where = shards, where
        self._ends = np.cumsum([len(ends) for _, ends in shards])

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return [self[k] for k in range(*which.indices(len(self)))]
        row = int(self.where[which])
        k = int(np.searchsorted(self._ends, row, side="right"))
        letters, ends = self._shards[k]
        row -= int(self._ends[k - 1]) if k else 0
        return bytes(letters[int(ends[row - 1]) if row else 0 : int(ends[row])].numpy()).decode()

    def only(self, which: torch.Tensor) -> "Captions":
        """A selection of the captions, not read yet."""
        return Captions(self._shards, self.where[which])


class Embedded(NamedTuple):
    """Matched pairs in the joint space: in memory, or on disk as `Rows` and `Captions`."""

    image: torch.Tensor
    """`[N, d_joint]`, unit length"""
    text: torch.Tensor
    """`[N, d_joint]`, unit length"""
    captions: Sequence[str]
    factors: np.ndarray
    """int64 `[N, n_factors]`: the annotated values (`mmsteer.data.annotations`); n_factors is 0 without annotations"""
    mentioned: np.ndarray
    """bool `[N, n_factors]`: whether the caption mentions the factor"""
    items: np.ndarray = np.zeros(0, np.int64)
    """int64 `[N]`: their numbers in the source"""
    pictures: np.ndarray = np.zeros(0, np.int64)
    """int64 `[N]`: fingerprints, the same for pairs of one picture; empty if each pair has its own picture"""

    @property
    def annotated(self) -> bool:
        """Whether the source knows the factors of the pairs."""
        return bool(self.factors.shape[1])

    @property
    def picture(self) -> np.ndarray:
        """int64 `[N]`: the picture of each pair, numbered in order of first appearance."""
        if not len(self.pictures):
            return np.arange(len(self.captions))
        _, first, which = np.unique(self.pictures, return_index=True, return_inverse=True)
        return first.argsort().argsort()[which]

    def part(self, start: int, stop: int) -> "Embedded":
        """Pairs start to stop, in memory."""
        rows = slice(start, stop)
        return Embedded(
            self.image[rows],
            self.text[rows],
            self.captions[rows],
            self.factors[rows],
            self.mentioned[rows],
            self.items[rows],
            self.pictures[rows],
        )

    def only(self, which: np.ndarray) -> "Embedded":
        """A selection of the pairs by number, not read yet if they are on disk."""
        rows = torch.from_numpy(which)
        image, text = (x.only(rows) if isinstance(x, Rows) else x[rows] for x in (self.image, self.text))
        captions = self.captions
        captions = captions.only(rows) if isinstance(captions, Captions) else [captions[k] for k in which]
        items, pictures = (x[which] if len(x) else x for x in (self.items, self.pictures))
        return Embedded(image, text, captions, self.factors[which], self.mentioned[which], items, pictures)

    def sample(self, count: int) -> "Embedded":
        """At most `count` pairs, evenly spread, in memory."""
        return self.only(spread(len(self.captions), count)).part(0, count)


def spread(total: int, count: int) -> np.ndarray:
    """`count` numbers below `total`, evenly spread and ascending; all of them if there are no more."""
    return np.arange(total) if total <= count else np.arange(count) * total // count
