"""A picture of one's own as a start: what recipes carry, which part of the run is drawn, and agreement with diffusers' own pipelines."""

import base64
import json
from io import BytesIO

import diffusers
import numpy as np
import pytest
import torch
from checkpoints import MAKERS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformer_checkpoints import make_flux, make_sd3, steerer_of

from mmsteer import Edit, PictureReader, Recipe, Sampler, Start, Steerer, SteerError, sweep
from mmsteer.pictures.clip_similarity import clip_similarity
from mmsteer.pictures.kept import kept, psnr
from mmsteer.recipes.recipe import LONGEST_TEXT
from mmsteer.recipes.start import LEAST, LONGEST
from mmsteer.steering.sampling import render

PROMPT, FAST = "a big red dog", Sampler(steps=4, guidance=4.0)
STARTS = [name for name in MAKERS if name != "unclip"]


def own(side: int = 64) -> Image.Image:
    """A picture with structure at every scale."""
    y, x = np.mgrid[:side, :side] / side
    return Image.fromarray((255 * np.stack([x, y, (8 * x).astype(int) % 2], -1)).astype(np.uint8))


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


@pytest.fixture(scope="module")
def every(steerers, tmp_path_factory) -> dict[str, Steerer]:
    """A steerer of each family whose pipelines start from a picture."""
    home = tmp_path_factory.mktemp("transformers")
    drawn_by_transformers = {"sd3": make_sd3(home / "sd3"), "flux": make_flux(home / "flux")}
    return {name: steerers[name] for name in STARTS} | {
        name: steerer_of(folder) for name, folder in drawn_by_transformers.items()
    }


@pytest.mark.parametrize("freedom", [0, 0.049, 1.01, float("nan"), float("inf"), True, "0.5", None])
def test_a_freedom_that_is_none_is_refused(freedom):
    with pytest.raises(SteerError, match="`freedom` is .*give a number from 0.05"):
        Start(freedom, Start.of(own(), 16).picture)


def broken() -> dict[str, str]:
    """What is no picture to start from, by what is wrong with it."""
    png, wide = BytesIO(), BytesIO()
    own().save(png, "PNG")
    Image.new("RGB", (2100, 700)).save(wide, "WEBP")
    whole = base64.urlsafe_b64decode(Start.of(own(256), 256).picture)
    coded = {
        "a PNG": png.getvalue(),
        "no picture": b"RIFF\0\0\0\0WEBPVP8 ",
        "too wide": wide.getvalue(),
        "broken off": whole[: len(whole) // 2],
    }
    texts = {name: base64.urlsafe_b64encode(data).decode() for name, data in coded.items()}
    return texts | {"empty": "", "no base64": "a+b/", "too long": "A" * (LONGEST + 4)}


@pytest.mark.parametrize("text", broken().values(), ids=broken())
def test_what_is_no_picture_is_refused(text):
    with pytest.raises(SteerError, match="picture"):
        Start(0.5, text)
    data = json.loads(Recipe(PROMPT).to_json()) | {"start": {"freedom": 0.5, "picture": text}}
    with pytest.raises(SteerError, match="picture"):
        Recipe.from_json(json.dumps(data))


def test_the_picture_is_cut_to_a_square_and_stored_small_enough_whatever_it_is():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8))
    start = Start.of(noise, 1024)
    assert len(start.picture) <= LONGEST
    assert start.image(256).size == (256, 256)
    wide = Image.new("RGB", (300, 100), "white")
    wide.paste("red", (100, 0, 200, 100))  # its middle
    assert np.abs(pixels(Start.of(wide, 64).image(64)) - [255, 0, 0])[2:-2, 2:-2].max() < 20
    see_through = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    assert pixels(Start.of(see_through, 64).image(64)).min() > 250  # on white


def test_recipes_carry_the_start_and_are_as_they_were_without_one():
    recipe = Recipe(PROMPT, 3, FAST, (Edit("night"),), start=Start.of(own(512), 512, 0.35))
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_query(recipe.to_query()) == recipe
    buffer = BytesIO()
    recipe.save_png(Image.new("RGB", (8, 8)), buffer)
    assert Recipe.from_file(buffer.getvalue()) == recipe
    assert "Denoising strength: 0.35" in Image.open(buffer).text["parameters"]
    assert recipe.plain == Recipe(PROMPT, 3, FAST, start=recipe.start)  # *before* starts there too
    assert "start" not in Recipe(PROMPT).to_json() + Recipe(PROMPT).to_query()
    longest = Start(0.5, recipe.start.picture)
    object.__setattr__(longest, "picture", "A" * LONGEST)
    words = "é" * 1000
    edits = [Edit(f"{'ø' * 300}{k}") for k in range(12)]
    assert (
        len(Recipe(words + words, 3, FAST, edits, negative_prompt=words + words, start=longest).to_query())
        < LONGEST_TEXT
    )
    with pytest.raises(SteerError, match="begins with 'much' in the link: copy the whole link again"):
        Recipe.from_query("prompt=a&start=much:AAAA")
    with pytest.raises(SteerError, match="`start` is 'x'"):
        Recipe(PROMPT, start="x")
    with pytest.raises(SteerError, match="the start has unknown keys more"):
        Recipe.from_json(json.dumps(json.loads(recipe.to_json()) | {"start": {"more": 1}}))


@given(st.integers(1, 50), st.floats(LEAST, 1))
@settings(max_examples=300, deadline=None)
def test_the_part_of_the_run_that_is_drawn_is_near_the_freedom(steps, freedom):
    drawn, whole = Start(freedom, PLAIN).run(steps)
    assert 1 <= drawn <= whole <= 50
    assert abs(drawn / whole - freedom) <= 0.026
    assert drawn <= max(steps, 20)
    assert int(whole * (drawn / whole)) == drawn  # as diffusers' pipelines of Stable Diffusion 1, 2 and XL round
    assert whole - int(whole - whole * (drawn / whole)) == drawn  # and those of Stable Diffusion 3 and FLUX.1


def test_runs_that_a_reader_can_check():
    start = Start.of(own(), 16)
    runs = {f: Start(f, start.picture).run for f in (0.25, 0.5, 0.6, 1.0)}
    assert runs[0.6](25) == (15, 25)
    assert [runs[f](4) for f in (0.25, 0.5, 1.0)] == [(1, 4), (2, 4), (4, 4)]  # what the run itself has
    assert runs[0.6](4) == (3, 5)  # between its steps: a finer run
    assert runs[1.0](1) == (1, 1)


PLAIN = Start.of(Image.new("RGB", (8, 8)), 8).picture
IMAGE_TO_IMAGE = {
    "sd1": "StableDiffusionImg2ImgPipeline", "sd2": "StableDiffusionImg2ImgPipeline", "turbo": "StableDiffusionImg2ImgPipeline",
    "sdxl": "StableDiffusionXLImg2ImgPipeline", "sd3": "StableDiffusion3Img2ImgPipeline", "flux": "FluxImg2ImgPipeline",
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGE_TO_IMAGE)
def test_before_is_what_diffusers_own_pipeline_draws_from_the_picture(every, name):
    steerer = every[name]
    sampler = Sampler(2, 0.0) if name == "turbo" else FAST
    side = steerer.backbone.side
    start = Start.of(own(), side, 0.5)
    stock = getattr(diffusers, IMAGE_TO_IMAGE[name]).from_pretrained(
        steerer.backbone.checkpoint.source, local_files_only=True
    )
    stock.default_sample_size = 8
    drawn = stock(
        prompt=PROMPT, image=start.image(side), strength=0.5, num_inference_steps=sampler.steps,
        guidance_scale=sampler.guidance, generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip
    result = steerer.steer(PROMPT, [], 5, sampler, start=start)
    assert np.abs(pixels(result.before) - pixels(drawn)).max() <= 1  # it lays its weights out in memory another way
    assert not np.array_equal(pixels(result.before), pixels(steerer.steer(PROMPT, [], 5, sampler).before))


@pytest.mark.parametrize("name", IMAGE_TO_IMAGE)
def test_edits_act_on_a_picture_of_one_s_own_over_the_part_of_the_run_that_is_drawn(every, name):
    steerer, start = every[name], Start.of(own(), 64, 0.5)
    strong = [Edit("penguin", strength=8.0)]
    whole = steerer.steer(PROMPT, strong, 3, Sampler(8, 4.0), start=start)
    assert not np.array_equal(pixels(whole.before), pixels(whole.after))
    halves = [Edit("penguin", strength=8.0, end=0.5), Edit("penguin", strength=8.0, start=0.5)]
    both = steerer.steer(PROMPT, halves, 3, Sampler(8, 4.0), start=start)
    assert np.abs(pixels(both.after) - pixels(whole.after)).max() <= 1
    late = steerer.steer(PROMPT, halves[1:], 3, Sampler(8, 4.0), start=start).after
    assert not np.array_equal(pixels(late), pixels(whole.after))
    assert not np.array_equal(pixels(late), pixels(whole.before))


def test_one_recipe_gives_one_picture_whatever_is_drawn_beside_it(tiny):
    recipe = Recipe("a cat", 3, Sampler(4, 2.0), (Edit("night"),), start=Start.of(own(), 32, 0.5))
    drawn = tiny.pair(recipe)
    again = Steerer(tiny.backbone, tiny.bank)
    opened = Recipe.from_json(recipe.to_json())
    assert again.picture(opened).tobytes() == drawn.after.tobytes()
    assert again.picture(opened.plain).tobytes() == drawn.before.tobytes()
    strip = sweep.seeds(recipe, 2)
    assert dict(strip.draw(again.picture))[2].tobytes() == drawn.after.tobytes()  # the first *after*
    state = tiny.read(["a cat", "a cat"])
    batch = render(
        tiny.backbone, tiny.schedule(state, recipe.edits), state.against.conditioning, [9, 3], recipe.sampler, lambda _: None,
        start=recipe.start,
    )  # fmt: skip
    assert np.abs(batch.pictures[1].permute(1, 2, 0).numpy().astype(int) - pixels(drawn.after)).max() <= 1


def test_less_freedom_keeps_more_and_how_much_is_measured():
    steerer, prompt = Steerer.load("mini"), "a penguin in the snow"
    given = steerer.steer(prompt, [Edit("vignette")], 1).after
    edits = [Edit("white frame")]
    drawn = [steerer.steer(prompt, edits, 3, start=Start.of(given, 256, freedom)) for freedom in (0.1, 0.75, 1.0)]
    measured = [kept(one) for one in drawn]
    assert measured[0].before > 25 > measured[1].before > measured[2].before
    assert measured[1].outside is not None
    assert 0 < measured[1].changed < 0.9
    said = clip_similarity(PictureReader(steerer), drawn[0].recipe, [drawn[0].before, drawn[0].after])
    assert [one.name for one in said] == ["the prompt", "your picture", "white frame"]
    assert said[1].values[0] > 0.9
    assert kept(steerer.steer(prompt, edits, 3)) is None


def test_a_measure_that_a_reader_can_check():
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 51, np.uint8)
    assert psnr(black, grey) == pytest.approx(20 * np.log10(5))
    assert psnr(grey, grey) == 100


def test_unclip_says_that_it_starts_from_noise_alone(steerers):
    with pytest.raises(SteerError, match="pipelines of Stable unCLIP start from noise alone: leave out the picture"):
        steerers["unclip"].steer(PROMPT, [], 3, FAST, start=Start.of(own(), 64))
