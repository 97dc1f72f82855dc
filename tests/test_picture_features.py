"""Pictures into the joint space, their features, and the parts that they make, as edits."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from sample_pictures import picture

from mmsteer import Edit, Recipe, Sampler, Steerer, SteerError
from mmsteer.bank import MODALITIES
from mmsteer.pictures.picture_features import MOST, PictureReader, edits, share_that_fits, strongest
from mmsteer.ui.steer.rack import ROWS, edits_of, rows


@pytest.fixture(scope="module")
def reader(tiny: Steerer) -> PictureReader:
    return PictureReader(tiny)


def test_pictures_arrive_where_clip_puts_them(reader: PictureReader, tiny_folder: Path):
    from transformers import CLIPImageProcessorPil, CLIPModel

    given = [picture(k) for k in range(3)]
    x = reader.embed([given[0], given[1].convert("L"), given[2].convert("RGBA")])
    assert (x.dtype, x.device.type, x.shape) == (torch.float32, "cpu", (3, 16))
    assert torch.allclose(x.norm(dim=1), torch.ones(3))
    model = CLIPModel.from_pretrained(tiny_folder / "clip")
    pixels = CLIPImageProcessorPil.from_pretrained(tiny_folder / "clip")(given, return_tensors="pt")
    with torch.no_grad():
        theirs = torch.nn.functional.normalize(model.get_image_features(**pixels).pooler_output, dim=-1)
    assert torch.allclose(x[0], theirs[0], atol=1e-5)
    assert torch.allclose(x[2], theirs[2], atol=1e-5)
    assert not torch.allclose(x[1], theirs[1], atol=1e-2)


def test_threads_that_come_at_once_load_it_once(tiny: Steerer, monkeypatch: pytest.MonkeyPatch):
    import mmsteer.pictures.picture_features

    loads = []
    load = mmsteer.pictures.picture_features._clip_of
    monkeypatch.setattr(mmsteer.pictures.picture_features, "_clip_of", lambda steerer: loads.append(1) or load(steerer))
    fresh, given = PictureReader(tiny), [picture(k) for k in range(8)]
    assert loads == []
    with ThreadPoolExecutor(8) as pool:
        embedded = list(pool.map(lambda one: fresh.embed([one]), given))
    assert len(loads) == 1
    assert all(torch.equal(x, fresh.embed([one])) for x, one in zip(embedded, given, strict=True))


def test_activations_are_in_activation_scales_of_the_side_they_act_on(reader: PictureReader):
    bank, given = reader.steerer.bank, picture(1)
    code = bank.dictionaries["image"].encode(reader.embed([given]))[0]
    features = reader.features_of(given)
    amounts = [amount for _, amount in features]
    assert amounts == sorted(amounts, reverse=True)
    assert {f.modality for f, _ in features} == {"vision", "cross"}
    for feature, amount in features:  # all rows of the bank made by hand have length one on both sides
        assert amount == pytest.approx(float(code[feature.image_latent]) / feature.activation_scale, rel=1e-5)
    assert {f.id for f, _ in features} == {
        f.id for f in bank.features if f.modality != "language" and code[f.image_latent] > 0
    }


def test_a_cross_modal_activation_scale_is_as_long_a_step_on_either_side(
    reader: PictureReader, monkeypatch: pytest.MonkeyPatch
):
    bank = reader.steerer.bank
    before = {f.id: amount for f, amount in reader.features_of(picture(1))}
    monkeypatch.setitem(bank.tensors, "steering_text", bank.tensors["steering_text"] * 2)
    for feature, amount in reader.features_of(picture(1)):
        assert amount == pytest.approx(before[feature.id] / (2 if feature.modality == "cross" else 1), rel=1e-5)


def test_parts_fit_into_a_rack_and_make_a_recipe_that_can_be_shared(reader: PictureReader):
    steerer = reader.steerer
    assert sum(MOST.values()) <= ROWS
    in_caption = steerer.features_of("please draw a lovely penguin , thank you")
    parts = strongest(reader.features_of(picture(2)) + in_caption)
    assert all(f.modality == modality for modality, part in parts.items() for f, _ in part)
    assert all(parts[modality] for modality in MODALITIES)
    made = edits(steerer.bank, parts, {"vision": 0.5, "cross": 1.0, "language": 1.5})
    assert {edit.mode for edit in made} == {"add"}
    assert len(made) == sum(len(part) for part in parts.values())
    assert edits_of(steerer.bank, rows(steerer.bank, made)) == made
    recipe = Recipe("a cat at night", 3, Sampler(2, 5.0), tuple(made), steerer.origin)
    assert Recipe.from_query(recipe.to_query()) == recipe
    result = steerer.steer(recipe.prompt, made, recipe.seed, recipe.sampler)
    assert result.after.tobytes() == steerer.picture(Recipe.from_json(recipe.to_json())).tobytes()
    assert result.after.tobytes() != result.before.tobytes()


def test_a_part_at_zero_adds_nothing_and_none_leaves_the_usable_range(tiny: Steerer):
    bank = tiny.bank
    warm, night = bank.get("warm light"), bank.get("night")
    parts = {"vision": [(warm, 1.2)], "cross": [(night, 40.0)], "language": []}
    assert edits(bank, parts, {"vision": 0.0, "cross": 0.0}) == []
    assert edits(bank, parts, {"vision": 0.5}) == [Edit("warm light", "add", 0.6)]
    assert edits(bank, parts, {"cross": 1.0}) == [Edit("night", "add", night.usable[1])]


def test_parts_that_a_prompt_cannot_take_at_once_are_added_as_far_as_it_can(tiny: Steerer):
    """Steps of length 1 fill the room of this bank; the four together are longer, by as much as their vectors point one way."""
    bank = tiny.bank
    names = ("night", "snow", "cat", "small")
    vectors = torch.stack([bank.tensors["steering_text"][bank.get(name).latent] for name in names])
    parts = {"vision": [], "cross": [(bank.get(name), 2.0) for name in names], "language": []}
    share = min(1.0, 1 / float(vectors.sum(0).norm()))  # amount 2, activation scale 0.5
    assert share_that_fits(bank, parts, {"cross": 1.0}) == pytest.approx(share)
    assert [edit.strength for edit in edits(bank, parts, {"cross": 1.0})] == [round(2 * share, 2)] * 4
    assert share_that_fits(bank, parts, {"cross": 1.5}) == pytest.approx(
        share
    )  # more than the picture has is asked for, and given
    assert share_that_fits(bank, parts, {"cross": 0.0}) == 1.0


def test_without_its_clip_and_with_another_one_a_sentence_says_what_to_do(
    tiny_folder: Path, tiny_bank: Path, tmp_path: Path
):
    shutil.copytree(tiny_folder, tmp_path / "whole", ignore=shutil.ignore_patterns("clip"))
    steerer = Steerer.load(str(tmp_path / "whole"), tiny_bank)
    bare = PictureReader(steerer)
    with pytest.raises(SteerError, match=r"put .* into .*bank/clip or .*whole/clip"):
        bare.embed([picture(0)])
    shutil.copytree(tiny_folder / "clip", tmp_path / "whole" / "clip")  # put there, as it says
    assert bare.embed([picture(0)]).shape == (1, 16)
    steerer.bank.meta["clip"] = {"id": "some/clip", "revision": None, "digest": "another"}
    with pytest.raises(SteerError, match="is not the CLIP that the bank was made with: put some/clip"):
        PictureReader(steerer).embed([picture(0)])


def test_of_the_embedded_world_each_part_brings_what_it_should():
    """Of penguins in the snow, framed: the vision part frames a cat and leaves it a cat in its meadow; the cross-modal part is
    the penguin and the snow; there is no language part. On at least five of six seeds."""
    from mmsteer.world.factors import label, named
    from mmsteer.world.models.assembly import MINI
    from mmsteer.world.models.judge import Judge

    steerer, judge = Steerer.load("mini"), Judge.load(MINI / "judge")
    reader, seeds = PictureReader(steerer), range(6)
    shown = [
        steerer.steer("a big penguin in the snow in the middle", [Edit("white frame")], seed).after for seed in seeds
    ]
    parts = [strongest(reader.features_of(picture)) for picture in shown]
    assert sum("white frame" in [feature.name for feature, _ in part["vision"]] for part in parts) >= 5
    assert sum("snow" in [feature.name.rstrip(" 23") for feature, _ in part["cross"]] for part in parts) >= 5
    assert not any(part["language"] for part in parts)

    def read(modality: str, part, seed: int) -> dict[str, str]:
        result = steerer.steer("a big cat in the middle in a meadow", edits(steerer.bank, part, {modality: 1.0}), seed)
        (row,) = judge.read(torch.from_numpy(np.array(result.after)).permute(2, 0, 1)[None])
        return {name: label(name, named(row)[name]) for name in ("thing", "place", "frame")}

    vision, cross, language = (
        [read(modality, part, seed) for part, seed in zip(parts, seeds, strict=True)]
        for modality in ("vision", "cross", "language")
    )
    for readings, wanted in (
        (vision, {"thing": "cat", "place": "meadow", "frame": "white frame"}),
        (cross, {"thing": "penguin", "place": "snow"}),
        (language, {"thing": "cat", "place": "meadow"}),
    ):
        for name, value in wanted.items():
            assert sum(row[name] == value for row in readings) >= 5, (name, value, readings)
