"""Pairs of the world as an ordinary data set of pictures, captions and factors: drawn from a seed while they are read."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from mmsteer.pixels import to_picture
from mmsteer.world.captions import caption, captions
from mmsteer.world.factors import FACTORS, draw_factors, named
from mmsteer.world.scene import N_NUISANCE, SIZE, draw

_BLOCK = 64  # scenes drawn together: small enough to stay in the processor's cache


class Pair(NamedTuple):
    """One picture and its caption, with the factors of the scene."""

    picture: Image.Image
    caption: str
    factors: dict[str, str]
    """Value name by factor name."""


class Batch(NamedTuple):
    """Pairs side by side."""

    pictures: torch.Tensor
    """uint8 [B, 3, size, size]"""
    captions: list[str]
    factors: np.ndarray
    """int64 [B, n_factors]: index into each factor's values"""
    mentioned: np.ndarray
    """bool [B, n_factors]: which factors the caption mentions"""


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in [0, 1] as rounded bytes, same shape."""
    return (pictures * 255).round().to(torch.uint8)


class WorldPairs:
    """`count` pairs drawn from `seed`, `size` pixels a side. A longer set begins with the same pairs."""

    def __init__(self, seed: int, count: int, size: int = SIZE) -> None:
        self.seed, self.count, self.size = seed, count, size

    def __len__(self) -> int:
        return self.count

    def _block(self, k: int) -> Batch:
        rng = np.random.default_rng((self.seed, k))
        values, mentioned = draw_factors(rng, _BLOCK)
        nuisance = rng.random((_BLOCK, N_NUISANCE), dtype=np.float32)
        texts = captions(rng, values, mentioned)
        n = min(_BLOCK, self.count - k * _BLOCK)
        pictures = to_uint8(draw(values[:n], nuisance[:n], self.size))
        return Batch(pictures, texts[:n], values[:n], mentioned[:n])

    def __getitem__(self, i: int) -> Pair:
        if not 0 <= i < self.count:
            raise IndexError(f"pair {i} of {self.count}")
        block, k = self._block(i // _BLOCK), i % _BLOCK
        picture = to_picture(block.pictures[k])
        return Pair(picture, block.captions[k], named(block.factors[k]))

    def pictures(self, indices: list[int]) -> dict[int, Image.Image]:
        """The pictures of the pairs `indices`; each block of pairs is drawn once."""
        pictures: dict[int, Image.Image] = {}
        for k in sorted({i // _BLOCK for i in indices}):
            block = self._block(k).pictures.permute(0, 2, 3, 1).numpy()
            pictures |= {i: Image.fromarray(block[i % _BLOCK]) for i in indices if i // _BLOCK == k}
        return pictures

    @property
    def digest(self) -> str:
        """16 hex digits of the first pictures: when drawing changes, they change, and cached embeddings are stale."""
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
    rows = slice(start, stop)
    return Batch(batch.pictures[rows], batch.captions[rows], batch.factors[rows], batch.mentioned[rows])


def captions_only(seed: int, count: int) -> list[list[str]]:
    """Paraphrases for `count` scenes that are never drawn.

    A scene has as many captions as a language factor has values; each opening, mood and closing comes once among them,
    and they are worded alike otherwise.
    """
    rng = np.random.default_rng((seed, 0xCA))
    values, mentioned = draw_factors(rng, count)
    language = [i for i, factor in enumerate(FACTORS) if factor.modality == "language"]
    (paraphrases,) = {len(FACTORS[i].values) for i in language}  # one number, or not each value could come once
    values = np.repeat(values[:, None], paraphrases, axis=1)
    for i in language:
        values[:, :, i] = rng.permuted(np.tile(np.arange(paraphrases), (count, 1)), axis=1)
    return [
        [caption(np.random.default_rng((seed, 0xCA, k)), v, mentioned[k]) for v in scene]
        for k, scene in enumerate(values)
    ]
