"""Pairs of the world as an ordinary data set: picture, caption, factors. Everything from a seed, drawn as it is read."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from mmsteer.world.captions import caption, captions
from mmsteer.world.factors import FACTORS, draw_factors, named
from mmsteer.world.scene import CHANCE, SIZE, draw

_BLOCK = 64  # scenes drawn together: small enough to stay in the processor's cache


class Pair(NamedTuple):
    """One picture and its caption, with the truth about both."""

    picture: Image.Image
    caption: str
    factors: dict[str, str]
    """Factor name -> value."""


class Batch(NamedTuple):
    """Pairs side by side."""

    pictures: torch.Tensor
    """uint8 [B, 3, size, size]"""
    captions: list[str]
    factors: np.ndarray
    """int64 [B, n_factors]: index into each factor's values"""
    mentioned: np.ndarray
    """bool [B, n_factors]: whether the caption names the factor"""


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in [0, 1] as rounded bytes, same shape."""
    return (pictures * 255).round().to(torch.uint8)


class WorldPairs:
    """`count` pairs drawn from `seed`, `size` pixels a side: the first n of a longer set are the same n pairs."""

    def __init__(self, seed: int, count: int, size: int = SIZE) -> None:
        self.seed, self.count, self.size = seed, count, size

    def __len__(self) -> int:
        return self.count

    def _block(self, k: int) -> Batch:
        rng = np.random.default_rng((self.seed, k))
        values, told = draw_factors(rng, _BLOCK)
        chance = rng.random((_BLOCK, CHANCE), dtype=np.float32)
        words = captions(rng, values, told)
        n = min(_BLOCK, self.count - k * _BLOCK)
        pictures = to_uint8(draw(values[:n], chance[:n], self.size))
        return Batch(pictures, words[:n], values[:n], told[:n])

    def __getitem__(self, i: int) -> Pair:
        if not 0 <= i < self.count:
            raise IndexError(f"pair {i} of {self.count}")
        block, k = self._block(i // _BLOCK), i % _BLOCK
        picture = Image.fromarray(block.pictures[k].permute(1, 2, 0).numpy())
        return Pair(picture, block.captions[k], named(block.factors[k]))

    def pictures(self, indices: list[int]) -> dict[int, Image.Image]:
        """The pictures of some pairs, each block of pairs drawn once."""
        found: dict[int, Image.Image] = {}
        for k in sorted({i // _BLOCK for i in indices}):
            block = self._block(k).pictures.permute(0, 2, 3, 1).numpy()
            found |= {i: Image.fromarray(block[i % _BLOCK]) for i in indices if i // _BLOCK == k}
        return found

    @property
    def digest(self) -> str:
        """16 hex digits of how the world looks: embeddings computed from it are stale when they change."""
        pictures = next(iter(WorldPairs(self.seed, _BLOCK, self.size).batches(_BLOCK))).pictures
        return hashlib.sha256(pictures.numpy().tobytes()).hexdigest()[:16]

    def batches(self, batch_size: int, start: int = 0) -> Iterator[Batch]:
        """All pairs from `start` on, `batch_size` at a time (the last batch may be smaller)."""
        waiting: Batch | None = None
        for k in range(start // _BLOCK, -(-self.count // _BLOCK)):
            block = self._block(k)
            if start > k * _BLOCK:
                block = _part(block, start - k * _BLOCK, len(block.captions))
            waiting = block if waiting is None else _join(waiting, block)
            while len(waiting.captions) >= batch_size:
                yield _part(waiting, 0, batch_size)
                waiting = _part(waiting, batch_size, len(waiting.captions))
        if waiting is not None and waiting.captions:
            yield waiting


def _join(a: Batch, b: Batch) -> Batch:
    return Batch(
        torch.cat([a.pictures, b.pictures]),
        a.captions + b.captions,
        np.concatenate([a.factors, b.factors]),
        np.concatenate([a.mentioned, b.mentioned]),
    )


def _part(batch: Batch, start: int, stop: int) -> Batch:
    some = slice(start, stop)
    return Batch(batch.pictures[some], batch.captions[some], batch.factors[some], batch.mentioned[some])


def written(seed: int, count: int) -> list[list[str]]:
    """`count` scenes that nobody draws, each told so often that every opening, mood and closing comes once, else alike."""
    rng = np.random.default_rng((seed, 0xCA))
    values, told = draw_factors(rng, count)
    language = [i for i, factor in enumerate(FACTORS) if factor.modality == "language"]
    (tellings,) = {len(FACTORS[i].values) for i in language}  # one number, or not each value could come once
    values = np.repeat(values[:, None], tellings, axis=1)
    for i in language:
        values[:, :, i] = rng.permuted(np.tile(np.arange(tellings), (count, 1)), axis=1)
    return [
        [caption(np.random.default_rng((seed, 0xCA, k)), v, told[k]) for v in scene] for k, scene in enumerate(values)
    ]
