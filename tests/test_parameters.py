"""The text `parameters` of other programs: written beside a recipe, and read where there is none."""

from io import BytesIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mmsteer import Edit, Recipe, Sampler, SteerError
from mmsteer.recipes.formats import parameters, png
from mmsteer.recipes.recipe import Origin

RECIPE = Recipe(
    "a cat, at night", 3, Sampler(25, 7.5), (Edit("warm light"),),
    Origin("sd15", scheduler="DPMSolverMultistepScheduler, order 2"), negative_prompt="blurry, bad: very",
)  # fmt: skip
TEXT = """a cat, at night
Negative prompt: blurry, bad: very
Steps: 25, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 3, Size: 512x512, Model: sd15"""


def png_with(text: str) -> bytes:
    info, file = PngInfo(), BytesIO()
    info.add_text("parameters", text)
    Image.new("RGB", (4, 4)).save(file, format="PNG", pnginfo=info)
    return file.getvalue()


def test_a_recipe_is_written_as_other_programs_read_it():
    assert parameters.written(RECIPE, (512, 512)) == TEXT
    assert parameters.written(Recipe("a cat"), (4, 6)) == "a cat\nSteps: 4, CFG scale: 1, Seed: 0, Size: 4x6"


def test_what_is_written_is_read():
    recipe, notes = parameters.read(TEXT)
    assert (recipe.prompt, recipe.negative_prompt) == (RECIPE.prompt, RECIPE.negative_prompt)
    assert (recipe.seed, recipe.sampler, recipe.origin.backbone) == (3, RECIPE.sampler, "sd15")
    assert notes == []


def test_a_png_carries_both_and_its_own_recipe_is_read_first():
    file = BytesIO()
    RECIPE.save_png(Image.new("RGB", (512, 512)), file)
    assert Image.open(BytesIO(file.getvalue())).text["parameters"] == TEXT
    assert png.read_file(file.getvalue()) == (RECIPE, [])
    assert Recipe.from_file(png_with(TEXT)).prompt == RECIPE.prompt


def test_what_is_not_understood_is_named_and_kept():
    text = """a (cat:1.2) <lora:snow:0.8>
in the snow
Negative prompt: bad,
worse
Steps: 150, Sampler: Euler a, CFG scale: 7, Seed: -1, Size: 8x8, Hires upscale: 2, Lora hashes: "snow: abc, b: c", Version: v1.9"""
    recipe, notes = png.read_file(png_with(text))
    assert recipe.prompt == "a (cat:1.2) <lora:snow:0.8> in the snow"
    assert recipe.negative_prompt == "bad, worse"
    assert (recipe.seed, recipe.sampler) == (0, Sampler(guidance=7.0))
    assert notes == [
        "Of this picture's settings, mmsteer does not understand all; settings left out: Hires upscale, Lora hashes, Steps 150, Seed -1; "
        "kept in the prompt as plain words: (cat:1.2), <lora:snow:0.8>."
    ]


def test_a_prompt_alone_is_a_recipe():
    assert parameters.read("a cat\nin the snow").recipe == Recipe("a cat in the snow")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 20_001, "20,001 characters; 20,000 are allowed"), ("x" * 2001, "2,001 characters; 2,000"), (" ", "the prompt is empty"),
        ("Negative prompt: bad\nSteps: 4, Seed: 1, CFG scale: 1", "the prompt is empty"), ('a:"' * 6000, "18,000 characters; 2,000"),
        ("a" * 19_000, "characters; 2,000"),
    ],
)  # fmt: skip
def test_hostile_text_is_refused(text, message):
    with pytest.raises(SteerError, match=message):
        png.read_file(png_with(text))


def test_an_origin_is_no_path():
    assert parameters.read("a cat\nSteps: 4, Seed: 1, CFG scale: 1, Model: /home/ann/x").recipe.origin.backbone == "x"
    odd = parameters.read(f"a cat\nSteps: 4, Seed: 1, CFG scale: 1, Model: {'y' * 400}")
    assert odd.recipe.origin == Origin()
