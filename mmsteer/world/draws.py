"""Random scenes and their pictures, as the world's models train on them, drawn on the device that trains.

The random numbers of scenes come from numpy alone, so that every device draws the same scenes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.factors import FACTORS, draw_factors
from mmsteer.world.scene import N_NUISANCE, SIZE, draw

READ = 128  # pixels a side of the pictures that CLIP and the judge read
WAYS = 3  # ways to make so small a picture, see `small_pictures`
_BLOCK = 8  # scenes drawn together on a CPU: more do not fit its cache, and take twice as long


class Scenes(NamedTuple):
    """Scenes side by side."""

    values: np.ndarray
    """int64 [B, n_factors]: index into each factor's values"""
    mentioned: np.ndarray
    """bool [B, n_factors]: which factors the caption mentions"""
    nuisance: np.ndarray
    """float32 [B, N_NUISANCE] in [0, 1): what no factor describes"""


def random_scenes(rng: np.random.Generator, count: int) -> Scenes:
    """`count` scenes with random factors."""
    values, mentioned = draw_factors(rng, count)
    return Scenes(values, mentioned, rng.random((count, N_NUISANCE), dtype=np.float32))


def redraw_vision_factors(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Counterfactuals of scenes: each vision factor redrawn with probability one half, all else the same.

    `int64 [B, n_factors]` to the same shape.
    """
    values, (other, _) = values.copy(), draw_factors(rng, len(values))
    for i, factor in enumerate(FACTORS):
        if factor.modality == "vision":
            redrawn = rng.random(len(values)) < 0.5
            values[redrawn, i] = other[redrawn, i]
    return values


def pictures(values: np.ndarray, nuisance: np.ndarray, device: torch.device, size: int = SIZE) -> torch.Tensor:
    """Pictures of scenes, `float32 [B, 3, size, size]` in [-1, 1], channels last."""
    return _draw(values, nuisance, device, size, lambda drawn: drawn)


def shrink(large: torch.Tensor) -> torch.Tensor:
    """Pictures `[B, 3, S, S]`, S a multiple of 128, to `[B, 3, 128, 128]`: the mean over each pixel's area."""
    return F.avg_pool2d(large, large.shape[-1] // READ)


def small_pictures(values: np.ndarray, nuisance: np.ndarray, device: torch.device, way: int) -> torch.Tensor:
    """Pictures of scenes as CLIP and the judge read them.

    A model that has seen all three ways reads each equally well: studies shrink pictures by area, CLIP's own
    preprocessing does it bicubically.

    Args:
        values: Factors, `int64 [B, n_factors]`.
        nuisance: `float32 [B, N_NUISANCE]`.
        device: Where to draw.
        way: Below `WAYS`. 0 draws at 128 pixels; 1 and 2 draw large and shrink by area or bicubically.

    Returns:
        `float32 [B, 3, 128, 128]` in [-1, 1].
    """
    if way == 0:
        return pictures(values, nuisance, device, READ)
    return _draw(values, nuisance, device, SIZE, shrink if way == 1 else _shrink_bicubically)


def _shrink_bicubically(large: torch.Tensor) -> torch.Tensor:
    return F.interpolate(large, (READ, READ), mode="bicubic", antialias=True).clamp(-1, 1)


def _draw(
    values: np.ndarray,
    nuisance: np.ndarray,
    device: torch.device,
    size: int,
    transform: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Draw scenes in [-1, 1] and transform them, channels last: in blocks on a CPU, all together elsewhere."""
    c, block = torch.from_numpy(nuisance).to(device), _BLOCK if device.type == "cpu" else len(values)
    parts = [slice(i, i + block) for i in range(0, len(values), block)]
    drawn = torch.cat([transform(draw(values[rows], c[rows], size) * 2 - 1) for rows in parts])
    return drawn.contiguous(memory_format=torch.channels_last)
