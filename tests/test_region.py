"""Edits that act in a region of the picture alone: its forms, its mask, and what is drawn, on every family."""

import copy
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformer_checkpoints import make_flux, make_sd3

from mmsteer import Edit, Recipe, Region, Sampler, Steerer, SteerError
from mmsteer.recipes.region import SIDE
from mmsteer.steering import denoiser
from mmsteer.steering.cache import Cache
from mmsteer.steering.denoiser import soft_mask

RIGHT, FAST = Region.box(0.5, 0, 1, 1), Sampler(3, 4.0)
PROMPT, STRONG = "a big red dog", Edit("penguin", strength=8.0)
cells = st.lists(st.booleans(), min_size=SIDE**2, max_size=SIDE**2).filter(any)


def pixels(picture) -> np.ndarray:
    return np.asarray(picture).astype(int)


# -- its forms --


@given(cells)
@settings(max_examples=30, deadline=None)
def test_a_region_has_one_text_which_gives_it_back(marked):
    rows = tuple(tuple(marked[k : k + SIDE]) for k in range(0, SIDE**2, SIDE))
    region = Region.of(rows)
    assert region.rows == rows
    assert region.share == sum(marked) / SIDE**2
    assert Region.parse(str(region)) == Region(region.grid) == region


def test_a_box_is_the_cells_nearest_to_it():
    box = Region.box(0.26, 0.5, 0.5, 0.51)  # 8.3 to 16 cells across; less than half a cell down, and so one
    assert np.argwhere(box.rows).tolist() == [[16, column] for column in range(8, 16)]
    assert str(box) == "0.25,0.5,0.5,0.53125"
    assert str(Region.parse("0.9999, 0, 1, 1")) == "0.96875,0,1,1"
    assert len(RIGHT.grid) == 171


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5,0,0.5,1", "left before right"), ("0,0,1,1.01", "fractions of the picture from 0 to 1"), ("0,nan,1,1", "from 0 to 1"),
        ("0,0,1", "give a box LEFT,TOP,RIGHT,BOTTOM"), ("0,0,1,x", "give a box"), ("", "give a box"), ("A" * 171, "is empty"),
        ("A" * 170 + "=", "give a box"), ("é" * 171, "give a box"), ("B" * 100_000, "give a box"), (None, "the region is None"),
    ],
)  # fmt: skip
def test_what_is_no_region_is_refused_in_a_sentence(text, message):
    with pytest.raises(SteerError, match=message):
        Region.parse(text)


def test_a_recipe_keeps_it_and_one_without_is_as_before(tmp_path):
    without = Recipe("a cat", 3, edits=(Edit("night"),))
    recipe = Recipe("a cat", 3, edits=(Edit("night"),), region=Region.box(0, 0, 0.5, 1))
    recipe.save_png(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    assert Recipe.from_json(recipe.to_json()) == Recipe.from_query(recipe.to_query()) == recipe
    assert Recipe.from_png(tmp_path / "a.png") == recipe
    assert json.loads(recipe.to_json())["region"] == "0,0,0.5,1"
    assert "region" not in without.to_json() + without.to_query()
    assert recipe.plain == without.plain
    assert Recipe("a cat", 3, edits=(Edit("night"),), region=Region.box(0, 0, 1, 1)) == without  # all of the picture
    for wrong in ({"grid": RIGHT.grid}, 3, "0.5,0", ["0,0,1,1"]):
        with pytest.raises(SteerError, match="the region is"):
            Recipe.from_json(json.dumps({"prompt": "a cat", "region": wrong}))
    with pytest.raises(SteerError, match="`region` is '0,0,1,1': give a Region"):
        Recipe("a cat", region="0,0,1,1")  # type: ignore[arg-type]


# -- its mask --


def test_the_mask_of_a_box_by_hand():
    """From 32 cells to 16 latents each takes 1/8, 3/8, 3/8 and 1/8 of the four cells around it: a triangle as wide as four."""
    row = torch.tensor([0.0] * 7 + [0.125, 0.875] + [1.0] * 7)
    assert torch.allclose(soft_mask(RIGHT, torch.zeros(2, 4, 16, 16)), row.expand(16, 16))
    packed = soft_mask(RIGHT, torch.zeros(2, 256, 8))  # rows of the picture one after the other
    assert torch.allclose(packed, row.repeat(16)[:, None])
    fine = soft_mask(RIGHT, torch.zeros(1, 4, 64, 64))[0]  # halfway between two cells a quarter and three quarters
    assert fine[30:34].tolist() == [0.0, 0.25, 0.75, 1.0]
    assert soft_mask(RIGHT, torch.zeros(1, 4, 24, 40)).shape == (24, 40)


# -- what is drawn --


def _families(folders, tmp_path_factory) -> dict[str, Steerer]:
    from transformer_checkpoints import steerer_of

    home = tmp_path_factory.mktemp("transformers")
    makers = {"sd3": make_sd3, "flux": make_flux, "schnell": lambda folder: make_flux(folder, dev=False)}
    return {name: steerer_of(make(home / name)) for name, make in makers.items()}


@pytest.fixture(scope="module")
def every(steerers, folders, tmp_path_factory) -> dict[str, Steerer]:
    """A steerer of each family: UNets, one that reads an image embedding, transformers with latents as maps and in rows."""
    return steerers | _families(folders, tmp_path_factory)


def _latents(steerer: Steerer, monkeypatch) -> list[torch.Tensor]:
    """What the VAE decodes, as maps."""
    monkeypatch.setattr(steerer, "befores", Cache(4))  # other tests may have drawn the same *before*
    seen, vae = [], steerer.backbone.pipeline.vae
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda z, *args, **more: seen.append(z.clone()) or decode(z, *args, **more))
    return seen


@pytest.mark.parametrize("name", ["sd1", "sd2", "turbo", "sdxl", "unclip", "sd3", "flux", "schnell"])
def test_latents_outside_are_those_of_before_in_every_family(every, name, monkeypatch):
    steerer = every[name]
    seen = _latents(steerer, monkeypatch)
    narrow = steerer.steer(PROMPT, [STRONG], 3, FAST, region=RIGHT)
    (before, (beside, after)) = seen[0][0], seen[1]
    assert torch.allclose(beside, before, rtol=1e-3, atol=1e-3)  # *before* is drawn again beside it
    # of 8 columns; FLUX.1 has one row of numbers for each 2 by 2 of them, where the mask is that much coarser
    assert torch.allclose(after[..., :2], beside[..., :2], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after[..., 6:], beside[..., 6:], rtol=1e-2, atol=1e-2)
    plain = steerer.steer(PROMPT, [STRONG], 3, FAST)
    assert pixels(narrow.before).tolist() == pixels(plain.before).tolist()
    assert narrow.recipe == Recipe(PROMPT, 3, FAST, (STRONG,), region=RIGHT)


@pytest.mark.parametrize("name", ["sd1", "unclip", "sd3", "flux"])
def test_a_mask_of_ones_is_no_region_and_one_of_zeros_is_before(every, name, monkeypatch):
    steerer = every[name]
    plain = steerer.steer(PROMPT, [STRONG], 3, FAST)
    assert (pixels(plain.after) != pixels(plain.before)).any()
    for value, same in ((1.0, plain.after), (0.0, plain.before)):
        mask = torch.tensor(value)
        monkeypatch.setattr(denoiser, "soft_mask", lambda region, sample, mask=mask: mask)
        drawn = steerer.steer(PROMPT, [STRONG], 3, FAST, region=RIGHT).after
        assert np.abs(pixels(drawn) - pixels(same)).max() <= 1  # sums in batches of other sizes


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_a_region_agrees_with_two_loops_written_by_hand(tiny, guidance):
    """With DPM-Solver of order 2, whose steps remember the one before."""
    from diffusers import DPMSolverMultistepScheduler

    steerer = Steerer(copy.copy(tiny.backbone), tiny.bank)
    steerer.backbone.pipeline = pipeline = copy.copy(tiny.backbone.pipeline)
    pipeline.scheduler = DPMSolverMultistepScheduler(solver_order=2, prediction_type="epsilon")
    drawn = steerer.steer("a cat at night", [STRONG], 7, Sampler(6, guidance), region=RIGHT).after
    state = steerer.read(["a cat at night"])
    schedule, unet = steerer.schedule(state, [STRONG]), pipeline.unet
    solvers = [copy.deepcopy(pipeline.scheduler) for _ in range(2)]
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(7))
    before = after = noise
    for solver in solvers:
        solver.set_timesteps(6)

    def predicted(sample, time, hidden):
        empty, own = (unet(sample, time, rows).sample for rows in (steerer.empty.hidden, hidden))
        return own if guidance == 1 else empty + guidance * (own - empty)

    mask = soft_mask(RIGHT, noise)
    for time in solvers[0].timesteps:
        first, second = predicted(before, time, schedule.prompt.hidden), predicted(after, time, schedule.at(0).hidden)
        before = solvers[0].step(first, time, before).prev_sample
        after = solvers[1].step(first + mask * (second - first), time, after).prev_sample
    picture = (pipeline.vae.decode(after).sample[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)
    assert np.abs(pixels(drawn) - 255 * picture.numpy()).max() < 1.5


def test_a_region_goes_with_edit_guidance_step_ranges_and_several_prompts(tiny, monkeypatch):
    seen = _latents(tiny, monkeypatch)
    late = Edit("penguin", strength=8.0, start=0.5)
    recipe = Recipe("a cat", 3, Sampler(4, 3.0, edit_guidance=3.0), (late, Edit("night", strength=2.0)), region=RIGHT)
    tiny.picture(recipe)
    beside, after = seen[-1]
    assert torch.allclose(after[..., :7], beside[..., :7], atol=1e-5)
    assert not torch.allclose(after[..., 9:], beside[..., 9:], atol=1e-2)
    left = tiny.picture(Recipe("a cat", 3, FAST, (STRONG,), region=Region.box(0, 0, 0.5, 1)))
    assert left.tobytes() != tiny.picture(Recipe("a cat", 3, FAST, (STRONG,), region=RIGHT)).tobytes()
    still = Recipe("a cat", 3, FAST, (Edit("night", strength=0.0),), region=RIGHT)
    assert tiny.picture(still).tobytes() == tiny.picture(still.plain).tobytes()


def test_the_embedded_model_changes_one_half_and_keeps_the_other():
    """As near as the decoder lets it: two cells from the region, of a picture of values up to 255."""
    mini = Steerer.load("mini")
    drawn = mini.steer("a cat in a meadow", [Edit("night")], 3, region=RIGHT)
    change = np.abs(pixels(drawn.after) - pixels(drawn.before)).mean(-1)
    assert change[:, : 128 - 16].mean() < 2
    assert change[:, 128 + 16 :].mean() > 50


def test_the_command_line_takes_a_region(tiny_folder, tiny_bank, tmp_path, capsys):
    from mmsteer.__main__ import main

    models = ["--backbone", str(tiny_folder), "--bank", str(tiny_bank)]
    first, second, third = (str(tmp_path / f"{name}.png") for name in "abc")
    command = ["steer", "a cat", "--edit", "penguin:4", "--steps", "2", "--region", "0,0,0.5,0.5", *models]
    assert main([*command, "--out", first]) == 0
    assert Recipe.from_png(first).region == Region.box(0, 0, 0.5, 0.5)
    assert main(["steer", "--recipe", first, "--seed", "1", "--out", second, *models]) == 0
    assert Recipe.from_png(second).region == Region.box(0, 0, 0.5, 0.5)
    assert main(["steer", "--recipe", first, "--region", "all", "--out", third, *models]) == 0
    assert Recipe.from_png(third).region is None
    assert main([*command[:-6], "--region", "0,0,2,1", "--out", str(tmp_path / "d.png")]) == 2
    assert re.search(r"the region is the box from 0,0 to 2,1: give fractions", capsys.readouterr().err)
