"""Pictures drawn ahead: what is drawn, that it is shown before a model is loaded, and that nothing of another bank or a stranger is."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mmsteer import Edit, FeatureBank, Steerer
from mmsteer.__main__ import main
from mmsteer.ahead.drawn import read_drawn
from mmsteer.ahead.effect import PROMPT, SEEDS, STRENGTHS
from mmsteer.assets import ASSETS
from mmsteer.bank.folder import files_of
from mmsteer.recipes.presets import available, tour
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.explore.effect import Effects


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Of two pictures of one size, in grey levels of 256."""
    import numpy as np

    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def test_the_tour_and_every_effect_are_the_pictures_that_their_recipes_give(drawn_bank: Path, tiny_folder: Path):
    bank = FeatureBank.load(drawn_bank)
    drawn = read_drawn(bank, str(tiny_folder))
    assert drawn is not None
    steerer = Steerer.load(str(tiny_folder), drawn_bank)
    presets = available(bank)
    assert [(r.prompt, r.seed, r.edits) for r in drawn.recipes] == [(p.prompt, p.seed, p.edits) for p in presets]
    pair = drawn.pair(1)
    assert pair is not None
    result = steerer.steer(presets[1].prompt, presets[1].edits, presets[1].seed)
    assert mean_difference(pair.before, result.before) < 12  # as WebP: a few levels
    assert mean_difference(pair.after, result.after) < 12
    assert drawn.recipes[1] == result.recipe
    assert drawn.recipes[1].origin == steerer.origin

    night = bank.get("night")
    columns = drawn.effect(night)
    assert columns is not None
    assert [len(column) for column in columns] == [len(SEEDS)] * len(STRENGTHS)
    for strength, column in zip(STRENGTHS, columns, strict=True):
        edits = (Edit(night.id, strength=strength),) if strength else ()
        alone = steerer.picture(Recipe(PROMPT, SEEDS[2], steerer.sampler, edits)).resize(column[2].size)
        assert mean_difference(column[2], alone) < 25, strength
    assert drawn.features == {feature.id for feature in bank.features}


def test_a_pair_is_known_however_its_features_are_named(drawn_bank: Path, tiny_folder: Path):
    bank = FeatureBank.load(drawn_bank)
    drawn = read_drawn(bank, str(tiny_folder))
    assert drawn is not None
    first = drawn.recipes[0]
    for edits in ([Edit(bank.get("night").id)], [Edit("NIGHT")], first.edits):
        pair = drawn.find(first.prompt, first.seed, edits)
        assert pair is not None
        assert pair.recipe == first
    assert drawn.find(first.prompt, first.seed, [Edit("night", strength=0.9)]) is None
    assert drawn.find(first.prompt, first.seed + 1, first.edits) is None
    assert drawn.pair(len(drawn.recipes)) is None


def test_they_belong_to_the_bank_and_leave_with_what_they_were_drawn_with(
    drawn_bank: Path, tiny_folder: Path, tmp_path: Path
):
    assert len([name for name in files_of(drawn_bank) if name.parent.name == "pictures"]) == 1 + 2 * 5 + 1 + 12
    bank = FeatureBank.load(drawn_bank)
    assert read_drawn(bank, "mini") is None  # another backbone
    bank.save(tmp_path / "same")
    shutil.copytree(drawn_bank / "pictures", tmp_path / "same" / "pictures")
    same = FeatureBank.load(tmp_path / "same")
    assert read_drawn(same, str(tiny_folder)) is not None  # wherever it lies
    bank.tensors["mean_text"] = bank.tensors["mean_text"] + 1
    bank.save(tmp_path / "same")
    assert not (tmp_path / "same" / "pictures").exists()
    shutil.copytree(drawn_bank / "pictures", tmp_path / "same" / "pictures")
    assert read_drawn(FeatureBank.load(tmp_path / "same"), str(tiny_folder)) is None  # another bank


def index(**values: object) -> Callable[[Path], object]:
    """Other values in pictures.json."""

    def damage(folder: Path) -> None:
        path = folder / "pictures.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "pictures.json").write_text("[" * 100_000),
        lambda folder: (folder / "pictures.json").write_bytes(b"\xff\xfe"),
        lambda folder: os.truncate(folder / "pictures.json", 600_000),
        index(version=2),
        index(more=1),
        index(bank="../../etc"),
        index(recipes=[{"prompt": "a cat"}] * 10),
        index(recipes=[{"prompt": ""}]),
        index(effects={"prompt": PROMPT, "seeds": [20], "strengths": [0.0], "features": ["../../x"]}),
    ],
    ids=["deep", "bytes", "large", "version", "key", "digest", "pairs", "prompt", "name"],
)
def test_an_index_that_nobody_should_trust_shows_nothing(
    drawn_bank: Path, tiny_folder: Path, tmp_path: Path, damage: Callable[[Path], object]
):
    shutil.copytree(drawn_bank, tmp_path / "bank")
    damage(tmp_path / "bank" / "pictures")
    assert read_drawn(FeatureBank.load(tmp_path / "bank"), str(tiny_folder)) is None


def test_a_feature_that_is_renamed_takes_the_tour_with_it_and_leaves_the_effects(
    drawn_bank: Path, tiny_folder: Path, tmp_path: Path
):
    shutil.copytree(drawn_bank, tmp_path / "bank")
    bank = FeatureBank.load(tmp_path / "bank")
    bank.rename("night", "dark")
    drawn = read_drawn(bank, str(tiny_folder))
    assert drawn is not None
    assert drawn.recipes == ()
    assert drawn.effect(bank.get("dark")) is not None


def bomb(path: Path) -> None:
    Image.new("L", (5000, 5000)).save(path)


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b"RIFF"),
        lambda path: os.truncate(path, 2_000_000),
        bomb,
        lambda path: Image.new("RGB", (64, 64)).save(path, "PNG"),
    ],
    ids=["none", "broken", "large file", "many pixels", "another format"],
)
def test_a_picture_that_cannot_be_read_is_left_out(
    drawn_bank: Path, tiny_folder: Path, tmp_path: Path, damage: Callable[[Path], object]
):
    shutil.copytree(drawn_bank, tmp_path / "bank")
    bank = FeatureBank.load(tmp_path / "bank")
    night = bank.get("night")
    for name in ("0-after.webp", f"feature-{night.id}.webp"):
        damage(tmp_path / "bank" / "pictures" / name)
    drawn = read_drawn(bank, str(tiny_folder))
    assert drawn is not None
    assert drawn.pair(0) is None
    assert drawn.pair(1) is not None
    assert drawn.effect(night) is None
    assert drawn.effect(bank.get("snow")) is not None


def test_effects_drawn_another_way_are_not_shown(drawn_bank: Path, tiny_folder: Path, tmp_path: Path):
    shutil.copytree(drawn_bank, tmp_path / "bank")
    path = tmp_path / "bank" / "pictures" / "pictures.json"
    data = json.loads(path.read_text())
    data["effects"]["seeds"] = [1, 2, 3]
    path.write_text(json.dumps(data))
    drawn = read_drawn(FeatureBank.load(tmp_path / "bank"), str(tiny_folder))
    assert drawn is not None
    assert drawn.features == set()


def test_a_card_shows_its_effect_without_a_model(drawn_bank: Path, tiny_folder: Path):
    bank = FeatureBank.load(drawn_bank)
    effects = Effects(read_drawn(bank, str(tiny_folder)))
    columns = effects.cached(bank.get("night"))
    assert [column.strength for column in columns] == list(STRENGTHS)
    assert all(url.startswith("data:image/webp;base64,") for column in columns for url in column.pictures)
    assert Effects(None).cached(bank.get("night")) == []


def test_little_time_draws_one_pair_and_whole_effects_alone(tiny_folder: Path, tiny_bank: Path, tmp_path: Path, capsys):
    shutil.copytree(tiny_bank, tmp_path / "bank")
    command = ["bank", "pictures", str(tmp_path / "bank"), "--backbone", str(tiny_folder), "--device", "cpu"]
    assert main([*command, "--minutes", "1e-9"]) == 0
    assert "a tour of 1 steps, and effects of 0 of 12 features" in capsys.readouterr().out
    drawn = read_drawn(FeatureBank.load(tmp_path / "bank"), str(tiny_folder))
    assert drawn is not None
    assert (len(drawn.recipes), drawn.features) == (1, set())
    assert main([*command, "--minutes", "0"]) == 2


def test_a_second_run_keeps_the_effects_and_draws_the_tour_anew(
    drawn_bank: Path, tiny_folder: Path, tmp_path: Path, capsys
):
    shutil.copytree(drawn_bank, tmp_path / "bank")
    pictures = tmp_path / "bank" / "pictures"
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}
    for path in pictures.glob("*-after.webp"):
        path.write_bytes(b"damaged")
    command = ["bank", "pictures", str(tmp_path / "bank"), "--backbone", str(tiny_folder), "--device", "cpu"]
    assert main([*command, "--minutes", "1e-9"]) == 0
    assert "a tour of 1 steps, and effects of 12 of 12 features" in capsys.readouterr().out
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in pictures.iterdir()} == before


def test_a_bank_without_any_feature_of_the_presets_has_a_tour_of_its_own(tiny_bank: Path):
    bank = FeatureBank.load(tiny_bank)
    renamed = FeatureBank(
        [f for f in bank.features if f.name in ("penguin", "cat", "vignette", "thank you")],
        bank.meta,
        folder=bank.folder,
    )
    titles = [preset.title for preset in tour(renamed, True)]
    assert titles == ["penguin", "cat", "thank you", "vignette"]
    assert [preset.title for preset in tour(renamed, False)] == titles[:3]


def test_the_embedded_bank_comes_with_its_tour_and_every_effect():
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    drawn = read_drawn(bank, "mini")
    assert drawn is not None
    assert [(r.prompt, r.seed, r.edits) for r in drawn.recipes] == [
        (p.prompt, p.seed, p.edits) for p in available(bank)
    ]
    assert drawn.features == {feature.id for feature in bank.features}
    assert sum(path.stat().st_size for path in drawn.folder.iterdir()) <= 6_000_000
    assert drawn.recipes[0].origin.bank == bank.digest
