"""Scenes at any size: the same world, sprites placed without resampling, one picture whatever the batch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmsteer import SteerError
from mmsteer.world.factors import FACTORS, INDEX, THINGS, draw_factors
from mmsteer.world.scene import N_NUISANCE, SIZE, draw
from mmsteer.world.sprites import load_sprites

THINGS_INDEX = {name: FACTORS[INDEX["thing"]].values.index(name) for name in THINGS}
SPRITE_PIXELS = {64: (22, 38), 128: (44, 76), 256: (88, 152)}


def scenes(count: int, seed: int = 0, **fixed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values, _ = draw_factors(rng, count)
    for name, value in fixed.items():
        values[:, INDEX[name]] = value
    return values, rng.random((count, N_NUISANCE), dtype=np.float32)


@pytest.mark.parametrize("size", [64, 128])
def test_a_small_picture_is_a_large_one_made_smaller(size):
    values, nuisance = scenes(48)
    small, large = draw(values, nuisance, size), draw(values, nuisance, SIZE)
    assert small.shape == (48, 3, size, size)
    apart = (small - F.avg_pool2d(large, SIZE // size)).abs()
    assert apart.mean() < 0.01
    others = (small - F.avg_pool2d(large, SIZE // size).roll(1, 0)).abs()
    assert others.mean() > 10 * apart.mean()


@pytest.mark.parametrize("size", list(SPRITE_PIXELS))
def test_placing_a_sprite_resamples_nothing(size):
    """What is opaque of a sprite stands in the picture as it stands in the sheet, wherever it is placed."""
    plain = {"light": 0, "tilt": 0, "vignette": 0, "frame": 0, "softness": 0, "gender": 0, "position": 1}
    for big, side in enumerate(SPRITE_PIXELS[size]):
        values, nuisance = scenes(4, thing=THINGS_INDEX["panda"], **plain, **{"size": big})
        panda = load_sprites()[THINGS_INDEX["panda"]][None]
        sheet = F.interpolate(panda, (side, side), mode="bilinear", antialias=True).clamp(0, 1)[0]
        opaque = sheet[3] > 0.9999
        assert opaque.float().mean() > 0.5
        for picture, row in zip(draw(values, nuisance, size), nuisance, strict=True):
            middle = ((64, 72) if big else (72, 80))[int(row[2] >= 0.5)]
            top, left = middle * size // 128 - side // 2, 64 * size // 128 - side // 2
            window = picture[:, top : top + side, left : left + side]
            assert torch.allclose(window[:, opaque], sheet[:3, opaque], atol=1e-4)


def test_one_at_a_time_or_together_is_the_same_picture():
    values, nuisance = scenes(12)
    together = draw(values, nuisance)
    alone = torch.cat([draw(values[k : k + 1], nuisance[k : k + 1]) for k in range(12)])
    assert torch.equal(together, alone)
    assert torch.equal(together, draw(torch.from_numpy(values), torch.from_numpy(nuisance)))


def test_a_sprite_at_the_border_is_cut_not_moved():
    values, nuisance = scenes(40, position=0, size=1, frame=0, vignette=0, light=0, thing=THINGS_INDEX["panda"])
    pictures = draw(values, nuisance, 128)
    near = pictures[nuisance[:, 1] < 0.5]  # a big sprite's middle stands 32 units from the left, and it is 76 wide
    assert len(near) > 5
    assert (near[:, :, 64 - 10 : 64 + 10, 2] - near[:, :, 64 - 10 : 64 + 10, 100]).abs().mean() > 0.05


@pytest.mark.parametrize("size", [0, -64, 100, 130])
def test_a_size_that_no_scene_has_is_refused_in_a_sentence(size):
    values, nuisance = scenes(1)
    with pytest.raises(SteerError, match=rf"{size} pixels wide: give a multiple of 64"):
        draw(values, nuisance, size)
