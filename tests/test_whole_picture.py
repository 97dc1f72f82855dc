"""A whole picture in a recipe: its image embedding in the place of the prompt's, on backbones that read one."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from adapters import NORM, PIPELINES, READS
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.pictures.picture_features import PictureReader
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.recipe import LONGEST_LINK, Recipe

PROMPT, SEED, FAST = "a cat", 3, Sampler(3, 4.0)
EDIT = Edit("warm light", strength=3.0)
UNIT = (0.6, 0.0, -0.8, 0.0)
"""In half precision 0.60009765625 and -0.7998046875."""


@pytest.fixture(scope="module")
def given():
    """A picture of somebody's own."""
    gradient = np.linspace(0, 255, 48 * 48 * 3).reshape(48, 48, 3).astype(np.uint8)
    return Image.fromarray(gradient)


def pixels(picture):
    return np.asarray(picture).astype(int)


def test_a_picture_is_half_precision_numbers_in_base64():
    picture = Picture.of(UNIT, 0.25)
    assert picture == Picture(0.25, "zTgAAGa6AAA=")  # 0x38cd, 0, 0xba66, 0
    assert picture.vector == pytest.approx(UNIT, abs=3e-4)
    assert Picture.parse(str(picture)) == picture
    wide = Picture.of(torch.nn.functional.normalize(torch.randn(1024), dim=0).tolist())
    assert len(wide.embedding) == 2732
    assert not set(wide.embedding) & set("+/&?# ")  # a link carries it as it is


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), True, "1", None])
def test_a_share_is_from_0_to_1(share):
    with pytest.raises(SteerError, match="`share` of the picture is .*: give a number from 0 to 1"):
        Picture(share, Picture.of(UNIT).embedding)


@pytest.mark.parametrize("embedding", ["", "AA==", "=", "é", "zTgAA", "A" * 11_000, None, 3])
def test_an_embedding_that_cannot_be_read_is_refused(embedding):
    with pytest.raises(SteerError, match="give 1 to 4,096 half-precision numbers in base64"):
        Picture(1.0, embedding)


@pytest.mark.parametrize("numbers", [(0.0, 0.0), (float("nan"), 1.0), (float("inf"), 1.0)])
def test_an_embedding_has_a_direction(numbers):
    with pytest.raises(SteerError, match="is zero or not finite: read the picture again"):
        Picture.of(numbers)


def test_recipes_carry_a_picture_and_are_as_they_were_without_one():
    recipe = Recipe(PROMPT, SEED, FAST, (EDIT,), picture=Picture.of(UNIT, 0.4))
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_query(recipe.to_query()) == recipe
    buffer = BytesIO()
    recipe.save_png(Image.new("RGB", (8, 8)), buffer)
    assert Recipe.from_file(buffer.getvalue()) == recipe
    assert recipe.plain.picture is None
    assert recipe.plain == Recipe(PROMPT, SEED, FAST)
    assert "picture" not in Recipe(PROMPT).to_json() + Recipe(PROMPT).to_query()
    assert len(recipe.to_query()) < LONGEST_LINK < len(Recipe(PROMPT, picture=Picture.of([0.1] * 1024)).to_query())
    for wrong in ({"share": 2}, {"share": 1, "embedding": "A"}, {"share": 1, "more": 1}, [1], "0.4:zTg"):
        data = json.loads(recipe.to_json()) | {"picture": wrong}
        with pytest.raises(SteerError, match="picture"):
            Recipe.from_json(json.dumps(data))
    with pytest.raises(SteerError, match="the picture in the link begins with 'much': copy the whole link again"):
        Recipe.from_query("prompt=a&picture=much:zTg")
    with pytest.raises(SteerError, match="`picture` is 'x'"):
        Recipe(PROMPT, picture="x")


@pytest.mark.parametrize("name", PIPELINES)
def test_the_picture_s_embedding_takes_the_place_of_the_prompt_s(name, adapted, given):
    steerer = adapted[name]
    reader, state = PictureReader(steerer), steerer.read([PROMPT])
    x = reader.embed([given])[0]
    own = steerer.schedule(state, ()).at(0.0)
    whole = steerer.schedule(state, (), picture=reader.picture(given)).at(0.0)
    assert whole.hidden is own.hidden
    assert torch.allclose(whole.image[0], NORM * x, atol=0.01)  # half precision
    half = steerer.schedule(state, (), picture=reader.picture(given, 0.5)).at(0.0).image[0]
    between = own.image[0] / NORM + x
    assert torch.allclose(half, NORM * between / between.norm(), atol=0.01)
    with_edit = steerer.schedule(state, [EDIT], picture=reader.picture(given)).at(0.0).image
    moved = steerer.schedule(state, [EDIT]).at(0.0).image - own.image
    assert torch.allclose(with_edit, whole.image + moved, atol=1e-5)
    assert steerer.schedule(state, (), picture=reader.picture(given, 0.0)).moves == []


def test_a_share_of_0_is_no_picture_and_more_goes_further(adapted, given):
    steerer = adapted["sd1"]
    reader = PictureReader(steerer)
    drawn = {share: steerer.steer(PROMPT, [], SEED, FAST, reader.picture(given, share)) for share in (0.0, 0.4, 1.0)}
    assert np.array_equal(pixels(drawn[0.0].after), pixels(drawn[0.0].before))
    away = [np.abs(pixels(drawn[share].after) - pixels(drawn[share].before)).mean() for share in (0.4, 1.0)]
    assert 0 < away[0] < away[1]
    again = Recipe.from_json(drawn[0.4].recipe.to_json())
    assert np.array_equal(pixels(steerer.picture(again)), pixels(drawn[0.4].after))
    assert np.array_equal(pixels(steerer.picture(again.plain)), pixels(drawn[0.4].before))


def test_diffusers_own_pipeline_draws_the_same_of_the_same_embedding(adapted, given, folders, repository):
    import diffusers

    steerer = adapted["sd1"]
    drawn = steerer.steer(PROMPT, [], SEED, FAST, PictureReader(steerer).picture(given))
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folders["sd1"], local_files_only=True)
    pipeline.load_ip_adapter(
        str(repository), subfolder="models", weight_name="ip-adapter_sd15.safetensors", image_encoder_folder=None
    )
    image = NORM * torch.tensor(drawn.recipe.picture.vector)
    theirs = pipeline(
        PROMPT, ip_adapter_image_embeds=[torch.stack([torch.zeros(READS), image])[:, None]], num_inference_steps=3,
        guidance_scale=4.0, generator=torch.Generator().manual_seed(SEED),
    )  # fmt: skip
    assert not drawn.blanked[1]
    assert np.abs(pixels(drawn.after) - pixels(theirs.images[0])).max() <= 1


def test_unclip_takes_a_picture_too_and_other_backbones_say_why_not(steerers, adapted, given):
    unclip = steerers["unclip"]
    picture = PictureReader(unclip).picture(given)
    drawn = unclip.steer("a dog", [], SEED, Sampler(2, 1.0), picture)
    assert not np.array_equal(pixels(drawn.before), pixels(drawn.after))
    length = (0.5**2 * 32) ** 0.5  # of the normaliser's mean 0 and deviation 0.5
    image = unclip.schedule(unclip.read(["a dog"]), (), picture=picture).at(0.0).image[0]
    assert torch.allclose(image, length * torch.tensor(picture.vector), atol=0.01)
    with pytest.raises(
        SteerError, match="this backbone reads no image embedding: give an image adapter with --ip-adapter"
    ):
        steerers["sd1"].steer("a dog", [], SEED, FAST, picture)
    with pytest.raises(
        SteerError, match=f"is 32 wide, and this backbone reads embeddings {READS} wide: read the picture again"
    ):
        adapted["sd1"].steer("a dog", [], SEED, FAST, picture)


def test_the_command_line_takes_a_picture_and_its_share(tmp_path, given, capsys):
    given.save(tmp_path / "given.png")
    command = ["steer", "a cat", "--backbone", "ordinary-image", "--steps", "1", "--device", "cpu"]
    first = [
        *command,
        "--picture",
        str(tmp_path / "given.png"),
        "--adapter-scale",
        "0.8",
        "--out",
        str(tmp_path / "first.png"),
    ]
    assert main(first) == 0
    recipe = Recipe.from_file((tmp_path / "first.png").read_bytes())
    assert (recipe.picture.share, recipe.sampler.adapter_scale) == (1.0, 0.8)
    assert len(recipe.to_query()) < LONGEST_LINK  # the embedded CLIP's 128 numbers go into a link
    again = ["--recipe", str(tmp_path / "first.png"), "--out", str(tmp_path / "again.png")]
    assert main([*command, *again]) == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "first.png").read_bytes()
    assert main([*command, *again, "--picture-share", "0.5"]) == 0
    halved = Recipe.from_file((tmp_path / "again.png").read_bytes())
    assert halved.picture == Picture(0.5, recipe.picture.embedding)
    assert main([*command, "--picture-share", "0.5"]) == 2
    assert "there is none: give one with --picture" in capsys.readouterr().err
    assert main([*command, "--picture", str(tmp_path / "none.png")]) == 2
    assert "cannot read" in capsys.readouterr().err
