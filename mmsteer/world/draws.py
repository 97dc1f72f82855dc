"""Random scenes and their pictures, as the world's models train on them: drawn afresh, on the device that trains.

Random numbers of scenes come from numpy alone, so that every device draws the same ones.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.factors import FACTORS, draw_factors
from mmsteer.world.scene import CHANCE, SIZE, draw

READ = 128  # pixels a side of what CLIP and judge read
WAYS = 3  # in which a picture that small comes about
_BLOCK = 8  # scenes drawn together on a CPU: more do not fit its cache, and take twice as long


class Scenes(NamedTuple):
    """Scenes side by side."""

    values: np.ndarray
    """int64 [B, n_factors]"""
    told: np.ndarray
    """bool [B, n_factors]: what a caption tells"""
    chance: np.ndarray
    """float32 [B, CHANCE] in [0, 1)"""


def random_scenes(rng: np.random.Generator, count: int) -> Scenes:
    """`count` scenes with random factors."""
    values, told = draw_factors(rng, count)
    return Scenes(values, told, rng.random((count, CHANCE), dtype=np.float32))


def other_look(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """The same scenes with each vision factor drawn anew or left, evenly; `int64 [B, n_factors]`."""
    values, (other, _) = values.copy(), draw_factors(rng, len(values))
    for i, factor in enumerate(FACTORS):
        if factor.modality == "vision":
            anew = rng.random(len(values)) < 0.5
            values[anew, i] = other[anew, i]
    return values


def _draw(
    values: np.ndarray, chance: np.ndarray, device: torch.device, size: int, see: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """What `see` makes of drawn scenes in [-1, 1], channels last; drawn in blocks on a CPU, all together elsewhere."""
    c, block = torch.from_numpy(chance).to(device), _BLOCK if device.type == "cpu" else len(values)
    parts = [slice(i, i + block) for i in range(0, len(values), block)]
    seen = torch.cat([see(draw(values[rows], c[rows], size) * 2 - 1) for rows in parts])
    return seen.contiguous(memory_format=torch.channels_last)


def pictures(values: np.ndarray, chance: np.ndarray, device: torch.device, size: int = SIZE) -> torch.Tensor:
    """Pictures `float32 [B, 3, size, size]` in [-1, 1], channels last."""
    return _draw(values, chance, device, size, lambda drawn: drawn)


def shrink(large: torch.Tensor) -> torch.Tensor:
    """Pictures `[B, 3, S, S]`, S a multiple of 128 -> `[B, 3, 128, 128]`: the mean of each pixel's area."""
    return F.avg_pool2d(large, large.shape[-1] // READ)


def small_pictures(values: np.ndarray, chance: np.ndarray, device: torch.device, way: int) -> torch.Tensor:
    """Pictures `[B, 3, 128, 128]` in [-1, 1], made in one of `WAYS`: drawn that small, or made smaller by area or bicubically.

    Who has read all three minds none: the studies make pictures smaller by area, CLIP's own preprocessing bicubically.
    """
    if way == 0:
        return pictures(values, chance, device, READ)
    return _draw(values, chance, device, SIZE, shrink if way == 1 else _shrink_bicubically)


def _shrink_bicubically(large: torch.Tensor) -> torch.Tensor:
    return F.interpolate(large, (READ, READ), mode="bicubic", antialias=True).clamp(-1, 1)
