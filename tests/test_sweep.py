"""Sweeps: laid out, drawn, written to files, and from the shell."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmsteer import Edit, FeatureBank, Recipe, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.recipes.sweep import STEP, against, over, seeds, strengths
from mmsteer.recipes.sweep_files import save_gif, save_mp4, save_sheet

FEATURE = FeatureBank.load(Path(__file__).parents[1] / "assets" / "banks" / "mini").get("night")
FAST = Sampler(3, 3.0)
RECIPE = Recipe("a big cat in a meadow", 5, FAST, (Edit("penguin", strength=0.7), Edit("night"), Edit("vignette")))


# -- laid out


def test_every_frame_is_the_picture_its_recipe_gives_alone(tiny: Steerer):
    drawn = dict(over(tiny.bank, RECIPE, Edit("night")).draw(tiny.picture))
    assert len(drawn) == 9
    for k, strength in enumerate((-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)):
        swept = [Edit("night", strength=strength)] if strength else []
        edits = [Edit("penguin", strength=0.7), *swept, Edit("vignette")]
        alone = tiny.steer(RECIPE.prompt, edits, RECIPE.seed, FAST).after
        assert drawn[k].tobytes() == alone.tobytes()
    assert len({picture.tobytes() for picture in drawn.values()}) > 5  # and it is not one picture nine times


def test_zero_and_the_ends_come_first_then_what_lies_between(tiny: Steerer):
    sweep = over(tiny.bank, RECIPE, Edit("night"))
    assert [sweep.columns[k] for k in sweep.order] == ["0", "-2", "2", "-1", "1", "-1.5", "-0.5", "0.5", "1.5"]
    grid = against(tiny.bank, RECIPE, Edit("night"), Edit("snow"))
    assert sorted(grid.order) == list(range(25))
    first = [grid.cells[k].strengths for k in grid.order[:9]]
    assert first[0] == (0, 0)
    assert {abs(value) for pair in first for value in pair} == {0, 2}


@given(st.floats(-8, 8), st.floats(-8, 8), st.integers(3, 25))
def test_strengths_rise_in_whole_steps_through_exact_zero(one: float, other: float, count: int):
    feature = replace(FEATURE, usable=(min(one, other), max(one, other)))
    found = strengths(feature, count)
    assert found == sorted(set(found))
    assert 0.0 in found
    assert len(found) <= count
    assert all(abs(value / STEP - round(value / STEP)) < 1e-9 and abs(value) <= 8 for value in found)
    for value in found:
        assert Edit.parse(f"x:{value:g}").strength == value  # what a link says is what was drawn


def test_a_slider_that_would_remove_what_is_not_there_starts_at_zero(tiny: Steerer):
    bare, absent = Recipe("a cat", 0, FAST), [tiny.bank.get(name).id for name in ("night", "white frame")]

    def columns(name: str, mode: str) -> tuple[str, ...]:
        return over(tiny.bank, bare, Edit(name, mode), 5, absent).columns

    assert columns("night", "remove") == ("0", "0.5", "1", "1.5", "2")
    assert columns("cat", "remove") == ("-2", "-1", "0", "1", "2")
    assert columns("night", "add") == ("-2", "-1", "0", "1", "2")  # left of zero it pushes the other way
    assert columns("white frame", "remove") == ("-2", "-1", "0", "1", "2")  # so does what no prompt contains
    grid = against(tiny.bank, bare, Edit("night", "remove"), Edit("cat", "remove"), 3, absent)
    assert (grid.columns, grid.rows) == (("0", "1", "2"), ("2", "0", "-2"))


def test_an_edit_slides_as_the_racks_slider_does_or_pushes_or_sets(tiny: Steerer):
    bare = Recipe("a cat", 0, FAST)

    def swept(edit: Edit) -> list[tuple[Edit, ...]]:
        return [cell.recipe.edits for cell in over(tiny.bank, bare, edit, 3).cells]

    assert swept(Edit("night", "remove")) == [(Edit("night", "remove", 2.0),), (), (Edit("night", "add", 2.0),)]
    assert swept(Edit("night")) == [(Edit("night", strength=-2.0),), (), (Edit("night", strength=2.0),)]
    held = [(Edit("night", "set", value, ("cat",), 0.5),) for value in (-2.0, 0.0, 2.0)]
    assert swept(Edit("night", "set", words=("cat",), start=0.5)) == held


def test_a_grid_has_one_feature_across_and_the_other_up(tiny: Steerer):
    grid = against(tiny.bank, RECIPE, Edit("night"), Edit("snow"), 3)
    assert (grid.axes, grid.rows, grid.columns) == (("night", "snow"), ("2", "0", "-2"), ("-2", "0", "2"))
    assert grid.cells[0].recipe.edits == (
        Edit("penguin", strength=0.7), Edit("night", strength=-2.0), Edit("vignette"), Edit("snow", strength=2.0),
    )  # fmt: skip
    assert grid.cells[4].recipe.edits == (Edit("penguin", strength=0.7), Edit("vignette"))
    with pytest.raises(SteerError, match="a grid needs two features, and both are 'night'"):
        against(tiny.bank, RECIPE, Edit("night"), Edit(1))


def test_seeds_are_drawn_before_and_after_in_turn():
    sweep = seeds(replace(RECIPE, seed=2**32 - 1), 2)
    assert [cell.label for cell in sweep.cells] == [
        "before, seed 4294967295", "before, seed 0", "after, seed 4294967295", "after, seed 0",
    ]  # fmt: skip
    assert sweep.order == (0, 2, 1, 3)
    assert sweep.cells[1].recipe == replace(RECIPE.plain, seed=0)
    assert sweep.cells[3].recipe == replace(RECIPE, seed=0)


@pytest.mark.parametrize("count", [0, 2, 26, 10**9, True, 5.0])
def test_sizes_are_bounded(tiny: Steerer, count):
    with pytest.raises(SteerError, match="`frames` is .*: give a whole number from 3 to 25"):
        over(tiny.bank, RECIPE, Edit("night"), count)
    with pytest.raises(SteerError, match="`side` is"):
        against(tiny.bank, RECIPE, Edit("night"), Edit("snow"), count if count != 5.0 else 8)
    with pytest.raises(SteerError, match="`seeds` is"):
        seeds(RECIPE, count if count != 2 else 13)


# -- files


def test_a_gif_runs_there_and_back_and_carries_the_recipe(tiny: Steerer):
    sweep = over(tiny.bank, RECIPE, Edit("night"), 5)
    shades = [Image.new("RGB", (32, 32), (40 * k, 0, 0)) for k in range(5)]
    file = BytesIO()
    save_gif(sweep, shades, file)
    with Image.open(file) as gif:
        assert Recipe.from_json(gif.info["comment"].decode()) == RECIPE
        assert gif.info["loop"] == 0
        reds = []
        for k in range(gif.n_frames):
            gif.seek(k)
            reds.append(gif.convert("RGB").getpixel((128, 128))[0])
    assert np.allclose(reds, [0, 40, 80, 120, 160, 120, 80, 40], atol=4)
    grid = against(tiny.bank, RECIPE, Edit("night"), Edit("snow"), 3)
    for save in (save_gif, save_mp4):
        with pytest.raises(SteerError, match="save a grid or several seeds as PNG"):
            save(grid, shades, BytesIO())


def test_a_video_runs_there_and_back_with_its_labels_and_carries_the_recipe(tiny: Steerer):
    sweep = over(tiny.bank, RECIPE, Edit("night"), 5)
    shades = [Image.new("RGB", (31, 20), (40 * k, 0, 0)) for k in range(5)]
    save_mp4(sweep, shades, file := BytesIO())
    with av.open(BytesIO(file.getvalue())) as video:
        assert Recipe.from_json(video.metadata["comment"]) == RECIPE
        (stream,) = video.streams
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(stream)]
    assert {frame.shape for frame in frames} == {(330 + 52, 512, 3)}  # 31x20 on 512 pixels, sides even, and the strip
    counts = (16, 4, 4, 4, 16, 4, 4, 4)  # 0.64 s at both ends, else 0.16 s
    numbers = np.repeat([0, 1, 2, 3, 4, 3, 2, 1], counts)
    assert np.allclose([frame[165, 256, 0] for frame in frames], 40 * numbers, atol=8)
    strips = np.stack([frame[334:, :300].mean(2) for frame in frames])
    assert strips.max() > 240  # white
    assert strips.min() < 60  # letters
    first = strips[[list(numbers).index(number) for number in range(5)]]
    away = np.abs(strips[:, None] - first).mean((2, 3))  # [frames, strengths]
    assert away.argmin(1).tolist() == numbers.tolist()  # each strength has its own label, in all of its frames
    assert away[numbers[:, None] != range(5)].min() > 2 * away[numbers[:, None] == range(5)].max()


def test_a_sheet_shows_every_picture_as_it_is_and_carries_the_recipe(tiny: Steerer):
    grid = against(tiny.bank, RECIPE, Edit("night"), Edit("snow"), 3)
    shades = [Image.effect_noise((32, 32), 20 + k).convert("RGB") for k in range(9)]
    file = BytesIO()
    save_sheet(grid, shades, file)
    assert Recipe.from_png(BytesIO(file.getvalue())) == RECIPE
    sheet = np.asarray(Image.open(file))
    wanted = [np.asarray(shade) for shade in shades]
    height, width, _ = sheet.shape
    places = []
    for shade in wanted:
        corner = [
            (y, x) for y, x in np.argwhere((sheet[: height - 31, : width - 31] == shade[0, 0]).all(2))
            if np.array_equal(sheet[y : y + 32, x : x + 32], shade)
        ]  # fmt: skip
        assert len(corner) == 1
        places.append((int(corner[0][0]), int(corner[0][1])))
    assert places == sorted(places)  # row by row
    huge = [Image.new("RGB", (1024, 512))] * 9
    save_sheet(grid, huge, big := BytesIO())
    assert Image.open(big).size[0] < 3 * 300


def test_the_command_writes_a_gif_or_a_sheet(tiny_folder: Path, tiny_bank: Path, tmp_path: Path, capsys):
    models = ["--backbone", str(tiny_folder), "--bank", str(tiny_bank), "--steps", "2", "--seed", "3"]
    asked = ["sweep", "a cat at night", "--edit", "snow:0.5", *models]
    assert main([*asked, "--feature", "warm light", "--frames", "5", "--out", str(tmp_path / "a.gif")]) == 0
    assert "5 pictures: warm light" in capsys.readouterr().out
    with Image.open(tmp_path / "a.gif") as gif:
        kept = Recipe.from_json(gif.info["comment"].decode())
    assert kept.edits == (Edit("snow", strength=0.5), Edit("warm light"))
    assert (kept.prompt, kept.seed, kept.sampler.steps) == ("a cat at night", 3, 2)
    assert main([*asked, "--feature", "warm light", "--frames", "3", "--out", str(tmp_path / "a.mp4")]) == 0
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert Recipe.from_json(video.metadata["comment"]) == kept
        assert len(list(video.decode(video=0))) == 16 + 4 + 16 + 4
    grid = ["--feature", "warm light", "--against", "night", "--frames", "3", "--out", str(tmp_path / "b.png")]
    assert main([*asked, *grid]) == 0
    assert len(Recipe.from_png(tmp_path / "b.png").edits) == 3
    assert main([*asked, "--feature", "night", "--seeds", "2", "--out", str(tmp_path / "c.png")]) == 0
    assert "4 pictures: several seeds" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.gif",
        "a.mp4",
        "b.png",
        "c.png",
    ]  # no half-written file is left


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--out", "x.jpg"], "give a file that ends in .png, .gif or .mp4"),
        (["--out", "x.gif", "--seeds", "2"], "save a grid or several seeds as PNG"),
        (["--out", "x.MP4", "--against", "night"], "save a grid or several seeds as PNG"),
        (["--against", "night", "--seeds", "2"], "leave one out"),
        (["--feature", "warm[", "--out", "x.png"], "cannot read the edit"),
        (["--out", "nowhere/x.png"], "there is no folder nowhere"),
    ],
)
def test_a_wrong_command_gets_a_sentence_before_anything_loads(more: list[str], message: str, capsys):
    assert main(["sweep", "a cat", "--backbone", "/nowhere", "--feature", "warm light", *more]) == 2
    assert message in capsys.readouterr().err
