"""Paints the backdrops of the world's places by tensor operations, at any size.

A picture is 128 units wide and high whatever its pixels; every length below is in units.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.world.factors import FACTORS, INDEX

UNITS = 128  # a side
N_NUISANCE = 6  # uniform numbers per scene for what no factor describes: where hills, clouds and the sprite lie
VARIANTS = 32  # painted backdrops of each place


class Grid(NamedTuple):
    """The centres of a picture's pixels, in units."""

    y: torch.Tensor
    """float32 [1, 1, size, 1]"""
    x: torch.Tensor
    """float32 [1, 1, 1, size]"""


def grid(size: int, device: torch.device | str = "cpu") -> Grid:
    """The grid of a picture of `size` pixels a side."""
    axis = (torch.arange(size, dtype=torch.float32, device=device) + 0.5) * (UNITS / size)
    return Grid(axis.view(1, 1, size, 1), axis.view(1, 1, 1, size))


def _rgb(code: str) -> torch.Tensor:
    return torch.tensor([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]).view(1, 3, 1, 1)


def _edge(signed_distance: torch.Tensor, width: float = 1.0) -> torch.Tensor:
    """1 inside (negative distance), 0 outside, soft over `width` units."""
    return torch.clamp(0.5 - signed_distance / width, 0, 1)


def _over(below: torch.Tensor, mask: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    return below + mask * (colour - below)


def _hill(at: Grid, c: torch.Tensor, base: float, height: float, waves: float) -> torch.Tensor:
    """A rolling horizon `[B, 1, 1, W]`: the y at which the ground begins."""
    phase = c[:, :1].view(-1, 1, 1, 1) * 2 * math.pi
    return base + height * torch.sin(at.x / UNITS * 2 * math.pi * waves + phase)


def _disc(at: Grid, cx: Any, cy: Any, radius: float, width: float = 1.0) -> torch.Tensor:
    return _edge(torch.sqrt((at.x - cx) ** 2 + (at.y - cy) ** 2) - radius, width)


def _col(c: torch.Tensor, k: int) -> torch.Tensor:
    """One nuisance number of each picture, `[B, 1, 1, 1]`; every `c` here is `[B, N_NUISANCE]` or its last columns."""
    return c[:, k].view(-1, 1, 1, 1)


def _sky(at: Grid, top: str, bottom: str, until: float) -> torch.Tensor:
    sky = _over(_rgb(top), (at.y / until).clamp(0, 1), _rgb(bottom))
    return sky.expand(1, 3, at.y.numel(), at.x.numel())


def _cloud(at: Grid, picture: torch.Tensor, cx: torch.Tensor, cy: torch.Tensor) -> torch.Tensor:
    puff = torch.maximum(
        _disc(at, cx, cy, 8, 3), torch.maximum(_disc(at, cx - 9, cy + 2, 6, 3), _disc(at, cx + 9, cy + 2, 6, 3))
    )
    return _over(picture, puff * 0.85, _rgb("ffffff"))


def _meadow(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _cloud(at, _sky(at, "58b4f0", "c9ecff", 84), _col(c, 1) * 96 + 16, _col(c, 2) * 10 + 16)
    picture = _over(picture, _edge(_hill(at, c[:, 3:], 82, 6, 1) - at.y), _rgb("8fd16a"))
    ground = _over(_rgb("63b945"), ((at.y - 88) / 40).clamp(0, 1), _rgb("3f9a35"))
    return _over(picture, _edge(_hill(at, c, 92, 4, 1.5) - at.y), ground)


def _beach(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _sky(at, "6ecbf5", "d8f4ff", 70)
    picture = _over(picture, _disc(at, _col(c, 1) * 96 + 16, _col(c, 2) * 8 + 18, 9), _rgb("ffe680"))
    picture = _over(picture, _edge(68 - at.y), _over(_rgb("1fa3c9"), ((at.y - 68) / 22).clamp(0, 1), _rgb("4fd0d6")))
    sand = _over(_rgb("f7e2a6"), ((at.y - 88) / 40).clamp(0, 1), _rgb("e6c378"))
    shore = _hill(at, c, 90, 3, 1.5)
    picture = _over(picture, _edge(shore - 3 - at.y), _rgb("f4fdff"))
    return _over(picture, _edge(shore - at.y), sand)


def _night(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _sky(at, "0a0d33", "2b2f73", 92)
    for k, (sx, sy) in enumerate(
        ((14, 20), (34, 40), (52, 14), (78, 30), (98, 12), (116, 44), (64, 52), (20, 62), (106, 66))
    ):
        shift = 10 * _col(c, 1 + k % 3)
        picture = _over(picture, _disc(at, (sx + shift) % UNITS, sy, 1.3, 1.6), _rgb("f6f3c8"))
    moon_x, moon_y = _col(c, 4) * 88 + 20, _col(c, 5) * 8 + 20
    moon = (_disc(at, moon_x, moon_y, 10) - _disc(at, moon_x + 5, moon_y - 3, 9)).clamp(0, 1)
    picture = _over(picture, moon, _rgb("fdf3b4"))
    return _over(picture, _edge(_hill(at, c, 94, 5, 1) - at.y), _rgb("12142b"))


def _snow(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _sky(at, "9fb9d6", "dde8f3", 86)
    picture = _over(picture, _edge(_hill(at, c[:, 3:], 80, 8, 1) - at.y), _rgb("c3d5e8"))
    ground = _over(_rgb("ffffff"), ((at.y - 88) / 40).clamp(0, 1), _rgb("dfeaf6"))
    picture = _over(picture, _edge(_hill(at, c, 92, 4, 1.5) - at.y), ground)
    for k, (fx, fy) in enumerate(((12, 16), (36, 34), (58, 18), (84, 42), (108, 22), (120, 60), (24, 58))):
        picture = _over(picture, _disc(at, (fx + 12 * _col(c, 1 + k % 3)) % UNITS, fy, 2.2, 2), _rgb("ffffff"))
    return picture


def _desert(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _sky(at, "f7c66b", "fdeac0", 84)
    picture = _over(picture, _disc(at, _col(c, 1) * 88 + 20, _col(c, 2) * 8 + 20, 10), _rgb("fffbe6"))
    picture = _over(picture, _edge(_hill(at, c[:, 3:], 80, 9, 1) - at.y), _rgb("dd9a4e"))
    ground = _over(_rgb("d0803a"), ((at.y - 88) / 40).clamp(0, 1), _rgb("b5652b"))
    return _over(picture, _edge(_hill(at, c, 92, 6, 1) - at.y), ground)


def _sunset(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _over(_sky(at, "5b3b8c", "f0648c", 60), ((at.y - 30) / 60).clamp(0, 1), _rgb("ff9a4d"))
    picture = _over(picture, _disc(at, _col(c, 1) * 80 + 24, 84, 16), _rgb("ffe36b"))
    sea = _over(_rgb("8c3f7a"), ((at.y - 88) / 40).clamp(0, 1), _rgb("3f2560"))
    return _over(picture, _edge(_hill(at, c, 88, 2, 1) - at.y), sea)


def _ocean(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _sky(at, "2a9bd1", "0b3f86", 120)
    ray = torch.sin((at.x + 0.45 * at.y) / UNITS * 2 * math.pi * 2.5 + _col(c, 1) * 2 * math.pi) * (1 - at.y / UNITS)
    picture = _over(picture, (ray * 0.18).clamp(0, 1), _rgb("bfefff"))
    for k, (bx, by) in enumerate(((18, 30), (24, 46), (100, 24), (108, 56), (60, 14))):
        bubble = _disc(at, (bx + 10 * _col(c, 2 + k % 3)) % UNITS, by, 3.2, 2)
        picture = _over(picture, bubble * 0.7, _rgb("a9e4ff"))
    return _over(picture, _edge(_hill(at, c, 108, 4, 1.5) - at.y), _rgb("c9b27a"))


def _forest(at: Grid, c: torch.Tensor) -> torch.Tensor:
    picture = _sky(at, "b9dcae", "e8f2c8", 90)
    for k, (tx, top, half) in enumerate(((8, 10, 20), (40, 2, 22), (76, 8, 20), (112, 0, 23))):
        middle = tx + 12 * (_col(c, 1 + k % 3) - 0.5)
        crown = _edge((at.x - middle).abs() - half * ((at.y - top) / 88).clamp(0, 1), 2) * _edge(top - at.y)
        picture = _over(picture, crown, _rgb(("2f6b3a", "3b7d43")[k % 2]))
    ground = _over(_rgb("5a6b2f"), ((at.y - 90) / 38).clamp(0, 1), _rgb("43521f"))
    return _over(picture, _edge(_hill(at, c, 92, 3, 1) - at.y), ground)


_PAINTERS = {
    "meadow": _meadow, "beach": _beach, "night": _night, "snow": _snow,
    "desert": _desert, "sunset": _sunset, "ocean": _ocean, "forest": _forest,
}  # fmt: skip


@lru_cache(maxsize=4)
def backdrops(size: int, device: torch.device) -> torch.Tensor:
    """Every place in `VARIANTS` variants, painted once: `float32 [n_places, VARIANTS, 3, size, size]` in [0, 1]."""
    c = torch.from_numpy(np.random.default_rng(0).random((VARIANTS, N_NUISANCE), dtype=np.float32)).to(device)
    at = grid(size, device)
    with torch.device(device):  # colours are created on the device that paints
        return torch.stack([_PAINTERS[place](at, c) for place in FACTORS[INDEX["place"]].values])
