"""Draws scenes: factors in, 128x128 pictures out, in batches, by tensor operations alone.

One sprite on a painted backdrop. Everything a picture holds follows from its factor values and a few uniform numbers
(`chance`), so the same row is the same picture anywhere. Sprites sit on a grid of 8 pixels, the autoencoder's cell:
the same sprite has the same latent wherever it stands. For the same reason tilt and softness are of the backdrop (the
camera rolls, the lens is wide open) and leave the sprite as it is: a small UNet has to learn each sprite as often as
it has looks, and with these two on the sprite it had six times as many.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.factors import FACTORS, INDEX, THINGS
from mmsteer.world.sprites import SPRITE, load_sprites

SIZE = 128  # pixels a side
CHANCE = 6  # uniform numbers per scene that vary what no factor fixes
_VARIANTS = 32  # painted backdrops of each place
_SPRITE_PIXELS = {"small": 44, "big": 76}
_ROLL_DEGREES = {"left": -10.0, "upright": 0.0, "right": 10.0}  # of the camera
_BLUR = 3.0  # standard deviation in pixels
_CENTRE_X = {"left": (32, 40), "middle": (64, 64), "right": (88, 96)}
_CENTRE_Y = {"small": (72, 80), "big": (64, 72)}
_TINT = {"neutral": (1.0, 1.0, 1.0), "warm": (1.12, 0.95, 0.66), "cool": (0.74, 0.94, 1.14)}
_PAPER = 0.95  # the white of the frame
_FRAME = 8


def _rgb(code: str) -> torch.Tensor:
    return torch.tensor([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]).view(1, 3, 1, 1)


def _edge(signed_distance: torch.Tensor, width: float = 1.5) -> torch.Tensor:
    """1 inside (negative distance, in pixels), 0 outside, soft over `width` pixels."""
    return torch.clamp(0.5 - signed_distance / width, 0, 1)


def _over(below: torch.Tensor, mask: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    return below + mask * (colour - below)


def _grid() -> tuple[torch.Tensor, torch.Tensor]:
    axis = torch.arange(SIZE, dtype=torch.float32) + 0.5
    return axis.view(1, 1, SIZE, 1), axis.view(1, 1, 1, SIZE)


def _hill(chance: torch.Tensor, base: float, height: float, waves: float) -> torch.Tensor:
    """A rolling line `[B, 1, 1, W]`: the y at which ground begins."""
    _, x = _grid()
    phase = chance[:, :1].view(-1, 1, 1, 1) * 2 * math.pi
    return base + height * torch.sin(x / SIZE * 2 * math.pi * waves + phase)


def _disc(cx: torch.Tensor, cy: torch.Tensor, radius: float, width: float = 1.5) -> torch.Tensor:
    y, x = _grid()
    return _edge(torch.sqrt((x - cx) ** 2 + (y - cy) ** 2) - radius, width)


def _col(chance: torch.Tensor, k: int) -> torch.Tensor:
    return chance[:, k].view(-1, 1, 1, 1)


def _sky(top: str, bottom: str, until: float) -> torch.Tensor:
    y, _ = _grid()
    return _over(_rgb(top), (y / until).clamp(0, 1), _rgb(bottom)).expand(1, 3, SIZE, SIZE)


def _cloud(picture: torch.Tensor, c: torch.Tensor, cx: torch.Tensor, cy: torch.Tensor) -> torch.Tensor:
    puff = torch.maximum(_disc(cx, cy, 8, 3), torch.maximum(_disc(cx - 9, cy + 2, 6, 3), _disc(cx + 9, cy + 2, 6, 3)))
    return _over(picture, puff * 0.85, _rgb("ffffff"))


def _meadow(c: torch.Tensor) -> torch.Tensor:
    y, _ = _grid()
    picture = _cloud(_sky("58b4f0", "c9ecff", 84), c, _col(c, 1) * 96 + 16, _col(c, 2) * 10 + 16)
    picture = _over(picture, _edge(_hill(c[:, 3:], 82, 6, 1) - y), _rgb("8fd16a"))
    ground = _over(_rgb("63b945"), ((y - 88) / 40).clamp(0, 1), _rgb("3f9a35"))
    return _over(picture, _edge(_hill(c, 92, 4, 1.5) - y), ground)


def _beach(c: torch.Tensor) -> torch.Tensor:
    y, _ = _grid()
    picture = _sky("6ecbf5", "d8f4ff", 70)
    picture = _over(picture, _disc(_col(c, 1) * 96 + 16, _col(c, 2) * 8 + 18, 9), _rgb("ffe680"))
    picture = _over(picture, _edge(68 - y), _over(_rgb("1fa3c9"), ((y - 68) / 22).clamp(0, 1), _rgb("4fd0d6")))
    sand = _over(_rgb("f7e2a6"), ((y - 88) / 40).clamp(0, 1), _rgb("e6c378"))
    shore = _hill(c, 90, 3, 1.5)
    picture = _over(picture, _edge(shore - 3 - y), _rgb("f4fdff"))
    return _over(picture, _edge(shore - y), sand)


def _night(c: torch.Tensor) -> torch.Tensor:
    y, x = _grid()
    picture = _sky("0a0d33", "2b2f73", 92)
    for k, (sx, sy) in enumerate(
        ((14, 20), (34, 40), (52, 14), (78, 30), (98, 12), (116, 44), (64, 52), (20, 62), (106, 66))
    ):
        shift = 10 * _col(c, 1 + k % 3)
        picture = _over(picture, _disc((sx + shift) % SIZE, torch.tensor(float(sy)), 1.3, 1.6), _rgb("f6f3c8"))
    moon_x, moon_y = _col(c, 4) * 88 + 20, _col(c, 5) * 8 + 20
    moon = (_disc(moon_x, moon_y, 10) - _disc(moon_x + 5, moon_y - 3, 9)).clamp(0, 1)
    picture = _over(picture, moon, _rgb("fdf3b4"))
    return _over(picture, _edge(_hill(c, 94, 5, 1) - y), _rgb("12142b"))


def _snow(c: torch.Tensor) -> torch.Tensor:
    y, _ = _grid()
    picture = _sky("9fb9d6", "dde8f3", 86)
    picture = _over(picture, _edge(_hill(c[:, 3:], 80, 8, 1) - y), _rgb("c3d5e8"))
    ground = _over(_rgb("ffffff"), ((y - 88) / 40).clamp(0, 1), _rgb("dfeaf6"))
    picture = _over(picture, _edge(_hill(c, 92, 4, 1.5) - y), ground)
    for k, (fx, fy) in enumerate(((12, 16), (36, 34), (58, 18), (84, 42), (108, 22), (120, 60), (24, 58))):
        picture = _over(
            picture, _disc((fx + 12 * _col(c, 1 + k % 3)) % SIZE, torch.tensor(float(fy)), 2.2, 2), _rgb("ffffff")
        )
    return picture


def _desert(c: torch.Tensor) -> torch.Tensor:
    y, _ = _grid()
    picture = _sky("f7c66b", "fdeac0", 84)
    picture = _over(picture, _disc(_col(c, 1) * 88 + 20, _col(c, 2) * 8 + 20, 10), _rgb("fffbe6"))
    picture = _over(picture, _edge(_hill(c[:, 3:], 80, 9, 1) - y), _rgb("dd9a4e"))
    ground = _over(_rgb("d0803a"), ((y - 88) / 40).clamp(0, 1), _rgb("b5652b"))
    return _over(picture, _edge(_hill(c, 92, 6, 1) - y), ground)


def _sunset(c: torch.Tensor) -> torch.Tensor:
    y, _ = _grid()
    picture = _over(_sky("5b3b8c", "f0648c", 60), ((y - 30) / 60).clamp(0, 1), _rgb("ff9a4d"))
    picture = _over(picture, _disc(_col(c, 1) * 80 + 24, torch.tensor(84.0), 16), _rgb("ffe36b"))
    sea = _over(_rgb("8c3f7a"), ((y - 88) / 40).clamp(0, 1), _rgb("3f2560"))
    return _over(picture, _edge(_hill(c, 88, 2, 1) - y), sea)


def _ocean(c: torch.Tensor) -> torch.Tensor:
    y, x = _grid()
    picture = _sky("2a9bd1", "0b3f86", 120)
    ray = torch.sin((x + 0.45 * y) / SIZE * 2 * math.pi * 2.5 + _col(c, 1) * 2 * math.pi) * (1 - y / SIZE)
    picture = _over(picture, (ray * 0.18).clamp(0, 1), _rgb("bfefff"))
    for k, (bx, by) in enumerate(((18, 30), (24, 46), (100, 24), (108, 56), (60, 14))):
        ring = _disc((bx + 10 * _col(c, 2 + k % 3)) % SIZE, torch.tensor(float(by)), 3.2, 2)
        picture = _over(picture, ring * 0.7, _rgb("a9e4ff"))
    return _over(picture, _edge(_hill(c, 108, 4, 1.5) - y), _rgb("c9b27a"))


def _forest(c: torch.Tensor) -> torch.Tensor:
    y, x = _grid()
    picture = _sky("b9dcae", "e8f2c8", 90)
    for k, (tx, top, half) in enumerate(((8, 10, 20), (40, 2, 22), (76, 8, 20), (112, 0, 23))):
        middle = tx + 12 * (_col(c, 1 + k % 3) - 0.5)
        crown = _edge((x - middle).abs() - half * ((y - top) / 88).clamp(0, 1), 2) * _edge(top - y)
        picture = _over(picture, crown, _rgb(("2f6b3a", "3b7d43")[k % 2]))
    ground = _over(_rgb("5a6b2f"), ((y - 90) / 38).clamp(0, 1), _rgb("43521f"))
    return _over(picture, _edge(_hill(c, 92, 3, 1) - y), ground)


_PAINTERS = {
    "meadow": _meadow, "beach": _beach, "night": _night, "snow": _snow,
    "desert": _desert, "sunset": _sunset, "ocean": _ocean, "forest": _forest,
}  # fmt: skip


@lru_cache(maxsize=1)
def _backdrops() -> torch.Tensor:
    """Every place in `_VARIANTS` variants, painted once: `float32 [n_places, _VARIANTS, 3, 128, 128]`."""
    chance = torch.from_numpy(np.random.default_rng(0).random((_VARIANTS, CHANCE), dtype=np.float32))
    return torch.stack([_PAINTERS[place](chance) for place in FACTORS[INDEX["place"]].values])


def _of(values: torch.Tensor, factor: str, table: dict[str, object]) -> torch.Tensor:
    """Look a number (or a row of numbers) up for each scene's value of a factor."""
    rows = torch.tensor([table[v] for v in FACTORS[INDEX[factor]].values], dtype=torch.float32)
    return rows[values[:, INDEX[factor]]]


def _sprite_index(values: torch.Tensor) -> torch.Tensor:
    thing, gender = values[:, INDEX["thing"]], values[:, INDEX["gender"]]
    job = thing - len(THINGS)
    return torch.where(job < 0, thing, len(THINGS) + 2 * job + (gender == 2))


def _blur(pictures: torch.Tensor) -> torch.Tensor:
    reach = int(3 * _BLUR)
    tap = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / _BLUR) ** 2)
    tap = (tap / tap.sum()).repeat(3, 1)
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, tap.view(3, 1, -1, 1), groups=3), tap.view(3, 1, 1, -1), groups=3)


def _roll(pictures: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Turn pictures by `angle [B]` (radians) about their middle, as close as leaves no corner empty."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    closer, zero = 1 / (cos + sin.abs()), torch.zeros_like(angle)
    rows = torch.stack([cos, sin, zero, -sin, cos, zero], 1).view(-1, 2, 3) * closer.view(-1, 1, 1)
    where = F.affine_grid(rows, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, where, padding_mode="border", align_corners=False)


def draw(values: np.ndarray | torch.Tensor, chance: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Draw scenes: `values int64 [B, n_factors]`, `chance float [B, CHANCE]` in [0, 1) -> `float32 [B, 3, 128, 128]` in [0, 1]."""
    v = torch.as_tensor(values)
    c = torch.as_tensor(chance, dtype=torch.float32)
    pictures = _backdrops()[v[:, INDEX["place"]], (c[:, 0] * _VARIANTS).long()]
    angle = _of(v, "tilt", dict(_ROLL_DEGREES)) * math.pi / 180
    rolled = angle != 0
    if rolled.any():
        pictures[rolled] = _roll(pictures[rolled], angle[rolled])
    soft = v[:, INDEX["softness"]] == 1
    if soft.any():
        pictures[soft] = _blur(pictures[soft])

    side = _of(v, "size", dict(_SPRITE_PIXELS))
    x_low, x_high = _of(v, "position", dict(_CENTRE_X)).unbind(1)
    y_low, y_high = _of(v, "size", dict(_CENTRE_Y)).unbind(1)
    centre_x = torch.where(c[:, 1] < 0.5, x_low, x_high)
    centre_y = torch.where(c[:, 2] < 0.5, y_low, y_high)
    # affine_grid maps output to input coordinates, both in [-1, 1]: undo the shift and the scaling
    scale, zero = SIZE / side, torch.zeros(len(v))
    row_x = torch.stack([scale, zero, -scale * (2 * centre_x / SIZE - 1)], 1)
    row_y = torch.stack([zero, scale, -scale * (2 * centre_y / SIZE - 1)], 1)
    where = F.affine_grid(torch.stack([row_x, row_y], 1), [len(v), 4, SIZE, SIZE], align_corners=False)
    sprites = load_sprites()
    halved = F.interpolate(sprites, SPRITE // 2, mode="area")  # small sprites are sampled from it, free of aliasing
    index = _sprite_index(v)
    small = v[:, INDEX["size"]] == 0
    layer = torch.empty(len(v), 4, SIZE, SIZE)
    for rows, sheet in ((small, halved), (~small, sprites)):
        if rows.any():
            layer[rows] = F.grid_sample(sheet[index[rows]], where[rows], align_corners=False)
    pictures = pictures * (1 - layer[:, 3:]) + layer[:, :3]

    pictures = pictures * _of(v, "light", dict(_TINT)).view(-1, 3, 1, 1)
    y, x = _grid()
    far = torch.sqrt(((x - 64) / 64) ** 2 + ((y - 64) / 64) ** 2)
    dark = ((far - 0.55) / 0.75).clamp(0, 1) ** 1.2 * 0.88
    vignette = (v[:, INDEX["vignette"]] == 1).view(-1, 1, 1, 1)
    pictures = torch.where(vignette, pictures * (1 - dark), pictures).clamp(0, 1)
    border = torch.maximum((x - 64).abs(), (y - 64).abs()) > 64 - _FRAME
    framed = (v[:, INDEX["frame"]] == 1).view(-1, 1, 1, 1) & border
    return torch.where(framed, torch.tensor(_PAPER), pictures)
