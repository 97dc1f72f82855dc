"""Sweeps, the same thing by prompt, and numbers beside pictures: alone, from the shell, and on the page in a real browser."""

import base64
import re
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Page, expect

from mmsteer import Edit, FeatureBank, Origin, Recipe, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.steering.clip_similarity import likeness
from mmsteer.steering.picture_features import PictureReader
from mmsteer.steering.sweep import STEP, against, over, save_gif, save_sheet, seeds, strengths
from mmsteer.steering.worded_prompt import in_words
from mmsteer.ui.presets import PRESETS
from mmsteer.ui.shared.loading import Loading
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.rack import edits_of, rows
from mmsteer.ui.steer.reading import Reading, similarities
from mmsteer.ui.steer.words import by_words
from mmsteer.ui.sweep.panel import Sweeps

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
FAST = Sampler(3, 3.0)
RECIPE = Recipe("a big cat in a meadow", 5, FAST, (Edit("penguin", strength=0.7), Edit("night"), Edit("vignette")))


def pixels(source: str) -> bytes:
    """Of a picture as the page has it, a data address."""
    return Image.open(BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB").tobytes()


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
    assert [cell.told for cell in sweep.cells] == [
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
    with pytest.raises(SteerError, match="save a grid or several seeds as PNG"):
        save_gif(grid, shades, BytesIO())


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
    grid = ["--feature", "warm light", "--against", "night", "--frames", "3", "--out", str(tmp_path / "b.png")]
    assert main([*asked, *grid]) == 0
    assert len(Recipe.from_png(tmp_path / "b.png").edits) == 3
    assert main([*asked, "--feature", "night", "--seeds", "2", "--out", str(tmp_path / "c.png")]) == 0
    assert "4 pictures: several seeds" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.gif",
        "b.png",
        "c.png",
    ]  # no half-written file is left


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--out", "x.jpg"], "give a file that ends in .png or .gif"),
        (["--out", "x.gif", "--seeds", "2"], "save a grid or several seeds as PNG"),
        (["--against", "night", "--seeds", "2"], "leave one out"),
        (["--feature", "warm[", "--out", "x.png"], "cannot read the edit"),
        (["--out", "nowhere/x.png"], "there is no folder nowhere"),
    ],
)
def test_a_wrong_command_gets_a_sentence_before_anything_loads(more: list[str], told: str, capsys):
    assert main(["sweep", "a cat", "--backbone", "/nowhere", "--feature", "warm light", *more]) == 2
    assert told in capsys.readouterr().err


# -- in words

FEATURE = FeatureBank.load(Path(__file__).parents[1] / "assets" / "banks" / "mini").get("night")


@pytest.mark.parametrize(
    ("prompt", "edits", "wanted"),
    [
        ("a cat", [Edit("night")], "a cat night"),
        ("a cat at Night", [Edit("night")], "a cat at Night"),  # said already
        ("a knight", [Edit("night")], "a knight night"),  # a word, not a part of one
        ("a big cat at night", [Edit("night", "remove")], "a big cat at"),
        ("a big cat at night", [Edit("night", strength=-1.0)], "a big cat at"),
        ("a cat at night", [Edit("night", "set", 0.0)], "a cat at"),
        ("a cat", [Edit("night", "set", 1.0), Edit("please draw", strength=0.1)], "a cat night please draw"),
        ("a cat", [Edit("night", strength=0.0)], "a cat"),
        ("please draw a cat", [Edit("please draw", "remove")], "a cat"),
        ("night", [Edit("night", "remove")], ""),
    ],
)
def test_words_are_added_and_left_out(tiny: Steerer, prompt: str, edits: list[Edit], wanted: str):
    assert in_words(tiny.bank, prompt, edits).prompt == wanted


def test_a_number_that_tells_namesakes_apart_is_no_word(tiny: Steerer):
    bank = FeatureBank([replace(f, name="cat 2") if f.name == "cat" else f for f in tiny.bank.features], {})
    assert in_words(bank, "a dog", [Edit("cat 2")]).prompt == "a dog cat"
    assert in_words(bank, "a cat", [Edit("cat 2")]).prompt == "a cat"


def test_what_no_caption_says_is_tried_and_told(tiny: Steerer):
    assert in_words(tiny.bank, "a cat", [Edit("warm light"), Edit("night")]) == (
        "a cat warm light night",
        ("warm light",),
    )
    assert in_words(tiny.bank, "a cat", [Edit("warm light", "remove")]).image_only == ()


# -- numbers


def test_likeness_is_the_cosine_in_the_joint_space(tiny: Steerer):
    reader, result = (
        PictureReader(tiny),
        tiny.steer("a cat", [Edit("night"), Edit("warm light"), Edit("lovely")], 3, FAST),
    )
    found = likeness(reader, result.recipe, [result.before, result.after])
    assert [one.name for one in found] == ["the prompt", "night", "warm light", "lovely"]
    x = reader.embed([result.before, result.after])
    assert np.allclose(found[1].values, (x @ tiny.bank.dictionaries["image"].W_dec[1]).tolist(), atol=1e-5)
    assert np.allclose(found[2].values, (x @ tiny.bank.dictionaries["image"].W_dec[2]).tolist(), atol=1e-5)
    assert np.allclose(found[3].values, (x @ tiny.bank.dictionaries["text"].W_dec[5]).tolist(), atol=1e-5)
    shifted = FeatureBank(
        tiny.bank.features, tiny.bank.meta, tiny.bank.dictionaries, tiny.bank.tensors | {"mean_image": x[0]}
    )
    centred = likeness(PictureReader(Steerer(tiny.backbone, shifted)), result.recipe, [result.before, result.after])
    assert centred[1].values[0] == 0  # the mean picture is neither for nor against
    assert centred[0] == found[0]


def test_numbers_are_short_and_markup_is_text(tiny: Steerer):
    from mmsteer.steering.clip_similarity import Likeness

    many = [Likeness("the prompt", (0.5, 0.25)), *(Likeness(f"<b>{k}", (-0.1, 0.2)) for k in range(9))]
    told = similarities(many)
    assert "the prompt <b>0.50 → 0.25</b>" in told
    assert "&lt;b&gt;5" in told
    assert "<b>6" not in told
    assert ", and 3 more" in told


def test_without_a_clip_there_are_no_numbers_and_no_noise(tiny: Steerer):
    class Nothing(PictureReader):
        def embed(self, pictures):
            raise SteerError("there is none")

    reading, result = Reading(), tiny.steer("a cat", [Edit("night")], 3, FAST)
    assert reading.likely
    assert reading.clip_similarity(Nothing(tiny), result) == ""
    assert not reading.likely
    assert reading.clip_similarity(Nothing(tiny), result) == ""


# -- what a browser may send


@pytest.fixture(scope="module")
def answers(tiny: Steerer) -> Sweeps:
    return Sweeps(PageState(tiny.bank, lambda: tiny))


SHELF = {"rows": [], "silent": []}


@pytest.mark.parametrize(
    "asked",
    [
        None, [], "x", {}, {"kind": "over"}, {"kind": "over", "features": ["x"]}, {"kind": "over", "features": [999]},
        {"kind": "evil", "features": [1]}, {"kind": "against", "features": [1]}, {"kind": "over", "features": [1, 0]},
        {"kind": "over", "features": 3},
    ],
)  # fmt: skip
def test_a_sweep_that_no_panel_asks_for_is_refused(answers: Sweeps, tiny: Steerer, asked):
    shelf = rows(tiny.bank, [Edit("night"), Edit("penguin")])
    answer = answers.lay("a cat", 3, shelf, None, asked)
    assert set(answer) == {"error", "run"}
    assert "log" not in answer["error"]  # a sentence of ours, not a surprise


@pytest.mark.parametrize(
    "shelf", [None, [], {"rows": 3}, {"rows": [{"id": 1, "strength": {}}], "silent": []}, {"rows": [3], "silent": []}]
)
def test_a_rack_that_cannot_be_read_is_refused(answers: Sweeps, shelf):
    answer = answers.lay("a cat", 3, shelf, None, {"kind": "over", "features": [1]})
    assert "the rack cannot be read" in answer["error"] or "add it first" in answer["error"]


def say(kind: str, edits: tuple[Edit, ...]) -> dict[str, str]:
    return {"kind": kind, "recipe": RECIPE.to_json(), "swept": replace(RECIPE, edits=edits).to_json()}


NIGHT = say("over", (Edit("night"),))


@pytest.mark.parametrize(
    "again",
    [
        None, {}, [], NIGHT | {"kind": "evil"}, NIGHT | {"kind": {}}, NIGHT | {"recipe": 3}, NIGHT | {"swept": "{"},
        NIGHT | {"recipe": '{"prompt": "cat", "seed": -1}'}, say("over", ()), say("against", (Edit("night"),)),
        say("over", (Edit("unicorn"),)), say("over", (Edit("night"), Edit("snow"))), say("against", (Edit("night"), Edit("night"))),
    ],
)  # fmt: skip
def test_a_picture_that_no_sweep_has_is_refused(answers: Sweeps, again):
    for answer in (answers.draw({"again": again, "cell": 0}), answers.file({"again": again, "file": "gif"})):
        assert set(answer) == {"error", "run"}
        assert "log" not in answer["error"]


def test_whatever_origin_a_browser_says_a_picture_says_what_drew_it(answers: Sweeps, tiny: Steerer):
    forged = replace(RECIPE, origin=Origin("sd15", bank="0123456789abcdef")).to_json()
    answer = answers.draw({"again": NIGHT | {"recipe": forged}, "cell": 0})
    data = base64.b64decode(answer["drawn"]["picture"].split(",")[1])
    assert Recipe.from_png(BytesIO(data)).origin == tiny.origin


def test_a_cell_a_file_or_a_seed_that_is_not_there_is_refused(answers: Sweeps):
    for cell in (-1, 9, "0", None, 1.5):
        assert "error" in answers.draw({"again": NIGHT, "cell": cell})
    for kind in ("exe", None, "../x", {}):
        assert "error" in answers.file({"again": NIGHT, "file": kind})
    for seed in (-1, "3", None, 2**32, {}):
        assert answers.pick({"seed": seed}) == gr.skip()
    assert answers.pick({"seed": 3}) == 3


def test_what_is_laid_out_is_what_the_rack_gives_with_that_strength(answers: Sweeps, tiny: Steerer):
    shelf = rows(tiny.bank, [Edit("penguin", strength=0.5), Edit("night", "remove", 0.5), Edit("warm light")])
    shelf["rows"][1]["on"] = False
    laid = answers.lay("a cat", 3, shelf, FAST, {"kind": "over", "features": [1], "run": 7})
    assert laid["run"] == 7
    for k, cell in enumerate(laid["laid"]["cells"]):
        ((feature, strength),) = cell["puts"]
        assert feature == 1
        moved = [row | {"on": True, "strength": strength} if row["id"] == 1 else row for row in shelf["rows"]]
        put = tiny.steer("a cat", edits_of(tiny.bank, shelf | {"rows": moved}), 3, FAST).after
        answer = answers.draw({"again": laid["laid"]["again"], "cell": k})
        assert pixels(answer["drawn"]["picture"]) == put.tobytes()
    silent = answers.lay("a cat", 3, shelf | {"silent": ["cross"]}, None, {"kind": "over", "features": [1]})
    assert "cross features are silent" in silent["error"]


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {},
        {"query": 3},
        {"query": "prompt="},
        {"query": "x" * 30_000},
        {"query": "prompt=night&edit=night:remove"},
    ],
)
def test_a_hostile_third_picture_gets_a_sentence(tiny: Steerer, asked):
    answer = by_words(tiny.bank, Loading(lambda: tiny), Reading(), asked)
    assert set(answer) == {"query", "error"}
    assert "log" not in answer["error"]


# -- the page


def swept(page: Page, kind: str, count: int) -> None:
    page.locator(f"#mm-sweep [data-kind={kind}]").click()
    expect(page.locator(".mm-cell")).to_have_count(count)
    expect(page.locator(".mm-cell img")).to_have_count(count)


def shown(page: Page) -> Recipe:
    source = page.locator("#mm-pictures .mm-after").get_attribute("src") or ""
    return Recipe.from_png(BytesIO(base64.b64decode(source.split(",")[1])))


def drawn(page: Page, wanted: str) -> None:
    """Wait for a pair whose link says this."""
    page.wait_for_function(
        "wanted => document.querySelector('#mm-pictures figure[data-query]')?.dataset.query.includes(wanted)",
        arg=wanted,
        timeout=WAIT,
    )


def test_a_sweep_is_scrubbed_without_the_server_and_put_into_the_rack(page: Page, steerer: Steerer):
    swept(page, "over", 9)
    sources = [page.locator(".mm-cell img").nth(k).get_attribute("src") or "" for k in range(9)]
    for k, strength in enumerate((-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)):
        recipe = Recipe.from_png(BytesIO(base64.b64decode(sources[k].split(",")[1])))
        mode = "add" if strength > 0 else "remove"
        assert [(e.mode, e.strength) for e in recipe.edits] == ([(mode, abs(strength))] if strength else [])
        assert pixels(sources[k]) == steerer.picture(recipe).tobytes()
    requests: list[str] = []
    page.on("request", lambda request: None if request.url.startswith("data:") else requests.append(request.url))
    scrub = page.get_by_label("scrub: night")
    scrub.focus()
    page.keyboard.press("Home")
    for k in range(9):  # the picture is there as the key comes up, not later
        assert page.evaluate("document.querySelector('.mm-stage-picture').src") == sources[k]
        expect(page.locator(".mm-stage figcaption")).to_have_text(f"night {-2 + k / 2:g}")
        assert page.locator(".mm-stage-picture").get_attribute("alt") == f"{PRESETS[0].prompt}: night {-2 + k / 2:g}"
        page.keyboard.press("ArrowRight")
    box = scrub.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert page.evaluate("document.querySelector('.mm-stage-picture').src") == sources[0]
    assert requests == []
    page.locator(".mm-cell").nth(7).click()
    expect(page.get_by_label("strength of night, as a number")).to_have_value("1.5")
    drawn(page, "edit=night%3A1.5")
    assert page.locator("#mm-pictures .mm-after").get_attribute("src") == sources[7]
    expect(page.locator(".mm-cell img")).to_have_count(9)  # and the sweep stands


def test_a_slider_moved_meanwhile_waits_for_one_picture_at_most(
    page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    gate, draw, begun = threading.Event(), steerer._draw, []

    def gated(plan, recipe):
        begun.append([(edit.mode, edit.strength) for edit in recipe.edits])
        if begun[-1] == [("add", 2.0)]:
            assert gate.wait(60)
        return draw(plan, recipe)

    page.locator("#mm-seed input").fill("4711")  # a seed nobody has drawn
    monkeypatch.setattr(steerer, "_draw", gated)
    page.locator("#mm-sweep [data-kind=over]").click()
    expect(page.locator(".mm-cell img")).to_have_count(2)  # 0 and -2; the third, 2, is being drawn
    page.get_by_label("strength of night, as a number").fill("0.35")
    page.keyboard.press("Enter")
    expect(page.locator(".mm-sweep-status")).to_contain_text("The rack has changed: stopped at 2 of 9.")
    gate.set()
    drawn(page, "edit=night%3A0.35")
    expect(page.locator(".mm-cell img")).to_have_count(3)  # what was begun has come, and nothing more was asked for
    assert begun[-2:] == [[("add", 2.0)], [("add", 0.35)]]
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".mm-cell img")).to_have_count(9)
    expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_a_sweep_is_saved_as_a_gif_and_as_a_sheet(page: Page):
    swept(page, "over", 9)
    for name, kind in (("Save as GIF", "GIF"), ("Save as a sheet", "PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        with Image.open(download.value.path()) as picture:
            assert picture.format == kind
            text = picture.info["comment"].decode() if kind == "GIF" else picture.text["mmsteer"]
        recipe = Recipe.from_json(text)
        assert (recipe.prompt, [e.strength for e in recipe.edits]) == (PRESETS[0].prompt, [1.0])
        assert download.value.suggested_filename == f"sweep.{kind.lower()}"


def test_two_features_make_a_grid_and_a_cell_puts_both(page: Page):
    expect(page.locator("#mm-sweep [data-kind=against]")).to_be_disabled()
    page.get_by_label("find a feature").fill("snow")
    page.locator("#mm-rack .mm-chips button").first.click()
    expect(page.get_by_label("feature to sweep", exact=True)).to_have_value("8")  # the row last changed
    swept(page, "against", 25)
    page.get_by_label("scrub: snow").focus()
    page.keyboard.press("End")
    page.get_by_label("scrub: night").focus()
    page.keyboard.press("Home")
    expect(page.locator(".mm-stage figcaption")).to_have_text("snow 2, night -2")
    current = page.locator(".mm-cell[aria-current=true]")
    expect(current).to_have_count(1)
    current.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("strength of night, as a number")).to_have_value("-2")
    expect(page.get_by_label("strength of snow, as a number")).to_have_value("2")
    page.wait_for_function("document.querySelector('#mm-pictures .mm-after').alt.includes('remove:2')", timeout=WAIT)
    assert {abs(edit.strength) for edit in shown(page).edits} == {2.0}


def test_several_seeds_before_and_after_and_one_is_picked(page: Page, steerer: Steerer):
    swept(page, "seeds", 12)
    page.get_by_label("before or after").focus()
    page.keyboard.press("End")
    page.get_by_label("scrub: seed").focus()
    page.keyboard.press("End")
    expect(page.locator(".mm-stage figcaption")).to_have_text(f"after, seed {PRESETS[0].seed + 5}")
    page.locator(".mm-cell").last.click()
    drawn(page, f"seed={PRESETS[0].seed + 5}")
    expect(page.locator("#mm-seed input")).to_have_value(str(PRESETS[0].seed + 5))
    stage = page.locator(".mm-stage-picture").get_attribute("src") or ""
    assert pixels(stage) == steerer.picture(shown(page)).tobytes()


def test_an_empty_prompt_or_rack_gets_a_sentence(page: Page):
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill("")
    page.locator("#mm-sweep [data-kind=over]").click()
    expect(page.locator(".mm-sweep-status")).to_contain_text("the prompt is empty")
    page.get_by_label("take night out").click()
    expect(page.locator("#mm-sweep [data-kind=over]")).to_be_disabled()


def test_the_same_thing_by_prompt_stands_beside_the_pair_and_follows_it(page: Page, steerer: Steerer):
    third = page.locator(".mm-third img")
    page.locator("#mm-by-words").click()
    expect(third).to_have_attribute("alt", f"By prompt: {PRESETS[0].prompt} night")
    wanted = steerer.picture(Recipe(f"{PRESETS[0].prompt} night", PRESETS[0].seed, steerer.sampler, (), steerer.origin))
    assert pixels(third.get_attribute("src") or "") == wanted.tobytes()
    pair, beside = (page.locator(where).bounding_box() for where in ("#mm-pictures .mm-compare", ".mm-third img"))
    assert pair
    assert beside
    assert beside["x"] >= pair["x"] + pair["width"]
    assert abs(beside["y"] - pair["y"]) < 4
    expect(page.locator(".mm-third")).not_to_contain_text("No caption")
    warm = next(p for p in PRESETS if p.title == "Warm light")
    page.get_by_role("button", name=warm.title, exact=True).click()
    expect(third).to_have_attribute("alt", f"By prompt: {warm.prompt} warm light")
    expect(page.locator(".mm-third .mm-note")).to_contain_text("No caption mentions warm light")
    page.locator("#mm-by-words").click()
    expect(third).to_have_count(0)


def test_numbers_by_clip_stand_beside_the_pair(page: Page):
    expect(page.locator("#mm-status .mm-similarity")).to_have_text(
        re.compile(r"CLIP similarity: the prompt -?\d\.\d\d → -?\d\.\d\d, night -?\d\.\d\d → -?\d\.\d\d$")
    )
    page.locator("#mm-reset").click()  # nothing is edited: nothing to compare
    expect(page.locator("#mm-status .mm-similarity")).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_runs_over_the_side_with_everything_open(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 844})
    page.locator("#mm-by-words").click()
    expect(page.locator(".mm-third img")).to_be_visible()
    swept(page, "seeds", 12)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outer = page.locator(".mm-sweep").bounding_box()
    inner = page.locator(".mm-sweep-side").bounding_box()
    assert outer
    assert inner
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


def test_markup_in_a_prompt_is_text_here_too(page: Page):
    evil = '<img src=x onerror="window.pwned=1">'
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill(evil)
    page.locator("#mm-draw").click()
    page.locator("#mm-by-words").click()
    swept(page, "over", 9)
    expect(page.locator(".mm-sweep-title")).to_contain_text(evil)
    expect(page.locator(".mm-third img")).to_have_attribute("alt", f"By prompt: {evil} night")
    assert page.evaluate("window.pwned") is None
