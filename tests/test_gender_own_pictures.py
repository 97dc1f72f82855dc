"""The study of gender bias on one's own CLIP and pictures: what is measured, and what is refused."""

import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.studies.bias.own import halves


def write_people(folder: Path, groups: tuple[str, ...] = ("man", "woman"), each: int = 8) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(each * len(groups)):
        name = f"{number}.png"
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / name)
        rows.append((name, groups[number % len(groups)], ("cook", "doctor")[number // 2 % 2]))
    with (folder / "metadata.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("file_name", "gender", "job"), *rows])
    return folder


@pytest.fixture
def own(tiny_folder: Path, tiny_bank: Path, tmp_path: Path) -> list[str]:
    """The command, without the pictures."""
    return [
        "study",
        "gender",
        "--quick",
        "--clip",
        str(tiny_folder / "clip"),
        "--bank",
        str(tiny_bank),
        "--attribute",
        "gender",
    ]


def test_own_pictures_are_measured(own, tmp_path: Path):
    people, target = write_people(tmp_path / "people"), tmp_path / "own.json"
    assert main([*own, "--pictures", str(people), "--occupation", "job", "--json", str(target)]) == 0
    figures = json.loads(target.read_text())
    assert figures["people"] == 16
    assert [row["group"] for row in figures["groups"]] == ["man", "woman"]
    assert sum(row["people"] for row in figures["groups"]) == 8  # the other half gives directions
    assert 0 <= figures["detect"]["MaxSkew"]["value"] <= np.log(2) + 1e-9
    assert {row["removed"] for row in figures["mitigate"]} >= {
        "vision",
        "language",
        "cross",
        "random",
        "mean difference",
    }


def test_own_pictures_without_occupations_and_with_three_groups(own, tmp_path: Path):
    people, target = write_people(tmp_path / "people", ("man", "woman", "child")), tmp_path / "own.json"
    assert main([*own, "--pictures", str(people), "--json", str(target)]) == 0
    figures = json.loads(target.read_text())
    assert len(figures["groups"]) == 3
    assert "MaxSkew" not in figures["detect"]


def test_a_picture_that_cannot_be_read_is_left_out_and_counted(own, tmp_path: Path):
    people, target = write_people(tmp_path / "people", each=9), tmp_path / "own.json"
    (people / "0.png").write_bytes(b"no picture")
    (people / "1.png").unlink()
    assert main([*own, "--pictures", str(people), "--json", str(target)]) == 0
    assert json.loads(target.read_text())["skipped"] == 2


def edit_table(folder: Path, old: str, new: str) -> None:
    table = folder / "metadata.csv"
    table.write_text(table.read_text().replace(old, new))


def break_table(folder: Path) -> None:
    (folder / "metadata.csv").unlink()


def break_pictures(folder: Path) -> None:
    for picture in folder.glob("*.png"):
        picture.write_bytes(b"")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (break_table, "has no metadata.csv"),
        (partial(edit_table, old="gender", new="sex"), "has no column 'gender'; its columns are file_name, sex, job"),
        (partial(edit_table, old="job", new="work"), "has no column 'job'"),
        (partial(edit_table, old="woman", new="man"), "has 1 different values"),
        (partial(edit_table, old=",man", new=",1"), "write words (man, woman)"),
        (partial(edit_table, old="0.png", new="../0.png"), "climbs out of"),
        (break_pictures, "pictures cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(own, tmp_path: Path, capsys, broken, words):
    people = write_people(tmp_path / "people")
    broken(people)
    assert main([*own, "--pictures", str(people), "--occupation", "job"]) != 0
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message


def test_a_missing_option_and_a_bank_of_another_clip_are_refused(own, tmp_path: Path, capsys):
    assert main(own) != 0
    assert "--pictures is missing" in capsys.readouterr().err
    people = write_people(tmp_path / "people")
    other = [*own[: own.index("--bank")], "--bank", str(ASSETS / "banks" / "mini"), "--attribute", "gender"]
    assert main([*other, "--pictures", str(people)]) != 0
    assert "give a bank of that CLIP" in capsys.readouterr().err


def test_halves_take_half_of_every_cell():
    cell = np.repeat([0, 1, 2], [4, 6, 2])
    half = halves(np.random.default_rng(0), cell)
    assert np.bincount(cell[half]).tolist() == [2, 3, 1]
