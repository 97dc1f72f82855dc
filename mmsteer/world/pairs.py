"""Pairs of the world as an ordinary data set: picture, caption, factors. Everything from a seed, nothing stored.

`WorldPairs` draws as it is read; `DrawnScenes` keeps one large draw on disk, for training runs that pass over the same
pictures many times.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
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
    """uint8 [B, 3, 128, 128]"""
    captions: list[str]
    factors: np.ndarray
    """int64 [B, n_factors]: index into each factor's values"""
    mentioned: np.ndarray
    """bool [B, n_factors]: whether the caption names the factor"""


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in [0, 1] as rounded bytes, same shape."""
    return (pictures * 255).round().to(torch.uint8)


class WorldPairs:
    """`count` pairs drawn from `seed`: the first n of a longer set are the same n pairs."""

    def __init__(self, seed: int, count: int) -> None:
        self.seed, self.count = seed, count

    def __len__(self) -> int:
        return self.count

    def _block(self, k: int) -> Batch:
        rng = np.random.default_rng((self.seed, k))
        values, told = draw_factors(rng, _BLOCK)
        chance = rng.random((_BLOCK, CHANCE), dtype=np.float32)
        words = captions(rng, values, told)
        size = min(_BLOCK, self.count - k * _BLOCK)
        pictures = to_uint8(draw(values[:size], chance[:size]))
        return Batch(pictures, words[:size], values[:size], told[:size])

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


def digest(seed: int, *files: Path) -> str:
    """16 hex digits of how the world looks and of some model files: what is kept of both is stale when they change."""
    found = hashlib.sha256(next(iter(WorldPairs(seed, _BLOCK).batches(_BLOCK))).pictures.numpy().tobytes())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


class DrawnScenes:
    """`count` scenes drawn once into `folder` and read back as a memory map; drawn again if they would differ."""

    def __init__(self, folder: Path, seed: int, count: int) -> None:
        self.seed = seed
        rng = np.random.default_rng((seed, 0xD5))
        self.values, self.told = draw_factors(rng, count)
        self.chance = rng.random((count, CHANCE), dtype=np.float32)
        path, stamp = folder / "scenes.npy", folder / "scenes.json"
        wanted = {"seed": seed, "count": count, "digest": digest(seed)}
        if not stamp.is_file() or json.loads(stamp.read_text()) != wanted:
            folder.mkdir(parents=True, exist_ok=True)
            stamp.unlink(missing_ok=True)
            drawn = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 3, SIZE, SIZE))
            for i in range(0, count, _BLOCK):
                part = slice(i, i + _BLOCK)
                drawn[part] = to_uint8(draw(self.values[part], self.chance[part])).numpy()
            drawn.flush()
            partial = folder / "scenes.partial.json"
            partial.write_text(json.dumps(wanted))
            os.replace(partial, stamp)
        self.pictures: np.ndarray = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.values)

    def floats(self, rows: np.ndarray) -> torch.Tensor:
        """Pictures of some rows, `float32 [B, 3, 128, 128]` in [-1, 1]."""
        return torch.from_numpy(self.pictures[rows]).float() / 127.5 - 1
