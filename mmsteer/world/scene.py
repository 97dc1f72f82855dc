"""Draws scenes: factors in, pictures of any size out, in batches, by tensor operations alone.

A scene is one sprite on a painted backdrop. A picture follows from its factor values and a few uniform numbers (nuisance
variables), so the same row gives the same picture on any machine. Lengths are in units, 128 a side. Sprites stand on a
grid of 8 units, the autoencoder's cell, and come from a sheet of exactly the size they are drawn in, so placing one
resamples nothing: the same sprite has the same latent wherever it stands. For the same reason tilt and softness change
the backdrop only (the camera rolls, the lens is wide open) and leave the sprite as it is.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.errors import SteerError
from mmsteer.world.backdrop import N_NUISANCE, UNITS, VARIANTS, backdrops, grid
from mmsteer.world.factors import FACTORS, INDEX, THINGS
from mmsteer.world.sprites import load_sprites

__all__ = ["N_NUISANCE", "SIZE", "UNITS", "draw"]

SIZE = 256  # pixels a side, of what the autoencoder and the UNet draw
_SPRITE_UNITS = {"small": 44, "big": 76}
_ROLL_DEGREES = {"left": -10.0, "upright": 0.0, "right": 10.0}  # of the camera
_BLUR = 3.0  # standard deviation
_CENTRE_X = {"left": (32, 40), "middle": (64, 64), "right": (88, 96)}
_CENTRE_Y = {"small": (72, 80), "big": (64, 72)}
_TINT = {"neutral": (1.0, 1.0, 1.0), "warm": (1.12, 0.95, 0.66), "cool": (0.74, 0.94, 1.14)}
_PAPER = 0.95  # the white of the frame
_FRAME = 8


@lru_cache(maxsize=4)
def _sheets(size: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Premultiplied sprites for each value of the factor size, `[n_sprites, 4, P, P]` with P their side in pixels."""
    sprites = load_sprites().to(device)
    sides = [_SPRITE_UNITS[value] * size // UNITS for value in FACTORS[INDEX["size"]].values]
    return tuple(F.interpolate(sprites, (p, p), mode="bilinear", antialias=True).clamp(0, 1) for p in sides)


def _of(values: torch.Tensor, factor: str, table: dict[str, object]) -> torch.Tensor:
    """Look a number (or a row of numbers) up for each scene's value of a factor."""
    rows = [table[value] for value in FACTORS[INDEX[factor]].values]
    return torch.tensor(rows, dtype=torch.float32, device=values.device)[values[:, INDEX[factor]]]


def _sprite_index(values: torch.Tensor) -> torch.Tensor:
    thing, gender = values[:, INDEX["thing"]], values[:, INDEX["gender"]]
    job = thing - len(THINGS)
    return torch.where(job < 0, thing, len(THINGS) + 2 * job + (gender == 2))


def _blur(pictures: torch.Tensor) -> torch.Tensor:
    sigma = _BLUR * pictures.shape[-1] / UNITS
    reach = int(3 * sigma)
    tap = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=pictures.device) / sigma) ** 2)
    tap = (tap / tap.sum()).repeat(3, 1)
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, tap.view(3, 1, -1, 1), groups=3), tap.view(3, 1, 1, -1), groups=3)


def _roll(pictures: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Turn pictures by `angle [B]` (radians) about their middle, zoomed in just enough to leave no corner empty."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    closer, zero = 1 / (cos + sin.abs()), torch.zeros_like(angle)
    rows = torch.stack([cos, sin, zero, -sin, cos, zero], 1).view(-1, 2, 3) * closer.view(-1, 1, 1)
    where = F.affine_grid(rows, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, where, padding_mode="border", align_corners=False)


def _backdrops(v: torch.Tensor, c: torch.Tensor, size: int) -> torch.Tensor:
    """Backdrops with the camera's roll and blur, `[B, 3, size, size]`."""
    pictures = backdrops(size, c.device)[v[:, INDEX["place"]], (c[:, 0] * VARIANTS).long()]
    angle = _of(v, "tilt", dict(_ROLL_DEGREES)) * math.pi / 180
    rolled = angle != 0
    if rolled.any():
        pictures[rolled] = _roll(pictures[rolled], angle[rolled])
    soft = v[:, INDEX["softness"]] == 1
    if soft.any():
        pictures[soft] = _blur(pictures[soft])
    return pictures


def _place_sprites(pictures: torch.Tensor, v: torch.Tensor, c: torch.Tensor) -> None:
    """Draw each scene's sprite into its picture, in place: all scenes with the same size and spot at once."""
    pixels = pictures.shape[-1]
    spots = []
    for k, factor, table in ((1, "position", _CENTRE_X), (2, "size", _CENTRE_Y)):
        low, high = _of(v, factor, dict(table)).unbind(1)
        spots.append(torch.where(c[:, k] < 0.5, low, high).long())
    where = torch.stack([v[:, INDEX["size"]], *spots], 1)
    index = _sprite_index(v)
    for key in torch.unique(where, dim=0).tolist():
        rows = (where == where.new_tensor(key)).all(1).nonzero()[:, 0]
        sheet = _sheets(pixels, pictures.device)[key[0]]
        side = sheet.shape[-1]
        left, top = (spot * pixels // UNITS - side // 2 for spot in key[1:])
        inside = [slice(max(0, start), min(pixels, start + side)) for start in (top, left)]
        layer = sheet[index[rows]][
            ..., *(slice(s.start - k, s.stop - k) for s, k in zip(inside, (top, left), strict=True))
        ]
        below = pictures[rows, :, inside[0], inside[1]]
        pictures[rows, :, inside[0], inside[1]] = below * (1 - layer[:, 3:]) + layer[:, :3]


def draw(values: np.ndarray | torch.Tensor, nuisance: np.ndarray | torch.Tensor, size: int = SIZE) -> torch.Tensor:
    """Draw scenes on the device of `nuisance`.

    Args:
        values: Factors, `int64 [B, n_factors]`.
        nuisance: `float [B, N_NUISANCE]` in [0, 1).
        size: Pixels a side.

    Returns:
        Pictures, `float32 [B, 3, size, size]` in [0, 1].

    Raises:
        SteerError: For a size that is not a multiple of 64, which units do not divide evenly.
    """
    if size < 1 or size % (UNITS // 2):
        raise SteerError(f"a scene cannot be drawn {size} pixels wide: give a multiple of {UNITS // 2}")
    c = torch.as_tensor(nuisance, dtype=torch.float32)
    v = torch.as_tensor(values).to(c.device)
    pictures = _backdrops(v, c, size)
    _place_sprites(pictures, v, c)
    pictures = pictures * _of(v, "light", dict(_TINT)).view(-1, 3, 1, 1)
    at, middle = grid(size, c.device), UNITS / 2
    far = torch.sqrt(((at.x - middle) / middle) ** 2 + ((at.y - middle) / middle) ** 2)
    dark = ((far - 0.55) / 0.75).clamp(0, 1) ** 1.2 * 0.88
    vignette = (v[:, INDEX["vignette"]] == 1).view(-1, 1, 1, 1)
    pictures = torch.where(vignette, pictures * (1 - dark), pictures).clamp(0, 1)
    border = torch.maximum((at.x - middle).abs(), (at.y - middle).abs()) > middle - _FRAME
    framed = (v[:, INDEX["frame"]] == 1).view(-1, 1, 1, 1) & border
    return torch.where(framed, pictures.new_tensor(_PAPER), pictures)
