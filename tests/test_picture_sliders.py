"""Sliders made from pictures: the direction, its definition in an edit, and every way to make one."""

import base64
import math
import struct
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, pixels, recipe_shown, source

from mmsteer import Edit, FeatureBank, PictureReader, Recipe, Sampler, Steerer, SteerError, sweep
from mmsteer.__main__ import main
from mmsteer.recipes.direction import Contrast, Direction, is_direction, read_source
from mmsteer.recipes.edit import LONGEST_CODE
from mmsteer.recipes.recipe import MOST_CONTRASTS
from mmsteer.recipes.worded_prompt import in_words
from mmsteer.steering.directions import matching_pursuit
from mmsteer.ui.from_pictures.panel import Sliders
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.pair import alternative
from mmsteer.ui.steer.rack import edits_of, rows
from mmsteer.ui.sweep.panel import Sweeps

expect.set_options(timeout=WAIT)
FAST = Sampler(2, 1.0)
DUSK = Contrast.of("dusk", [0.0, 0.6, -0.8] + [0.0] * 13)
RED, BLUE = ("#e02020", "#a01010", "#ff5050"), ("#2030d0", "#1010a0", "#6070ff")


def pictures(colours: tuple[str, ...]) -> list[Image.Image]:
    return [Image.new("RGB", (40, 40), colour) for colour in colours]


@pytest.fixture(scope="module")
def groups_of_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Red pictures, and blue ones."""
    home = tmp_path_factory.mktemp("colours")
    for name, colours in (("red", RED), ("blue", BLUE)):
        (home / name).mkdir()
        for k, picture in enumerate(pictures(colours)):
            picture.save(home / name / f"{k}.png")
    return home / "red", home / "blue"


@pytest.fixture(scope="module")
def red(steerer: Steerer) -> Contrast:
    return PictureReader(steerer).contrast("red", pictures(RED), pictures(BLUE))


@pytest.fixture(scope="module")
def state(steerer: Steerer, tiny_bank: Path) -> PageState:
    return PageState(FeatureBank.load(tiny_bank), lambda: steerer)


# -- the definition


def test_the_numbers_are_those_of_the_difference():
    assert DUSK.vector == pytest.approx([0, 0.6, -0.8] + [0] * 13, abs=0.005)
    assert math.hypot(*DUSK.vector) == pytest.approx(1, abs=1e-3)
    assert read_source(str(DUSK)) == DUSK
    assert is_direction(str(DUSK))
    wide = Contrast.of("x", torch.randn(1280, generator=torch.Generator().manual_seed(0)).mul(0.02).tolist())
    assert len(wide.code) == math.ceil((1280 + 2) * 4 / 3) < LONGEST_CODE


def test_it_is_the_difference_of_mean_embeddings_and_small_groups_are_refused(steerer: Steerer, red: Contrast):
    reader = PictureReader(steerer)
    means = [reader.embed(pictures(colours)).mean(0) for colours in (RED, BLUE)]
    cosine = torch.nn.functional.cosine_similarity(torch.tensor(red.vector), means[0] - means[1], dim=0)
    assert float(cosine) > 0.999
    for groups in (RED[:1], BLUE), (RED, ()), (RED * 4, BLUE):
        with pytest.raises(SteerError, match="give 2 to 10"):
            reader.contrast("red", *map(pictures, groups))
    with pytest.raises(SteerError, match="look the same"):
        reader.contrast("red", pictures(RED), pictures(RED))


def packed(length: float, numbers: list[int]) -> str:
    return base64.urlsafe_b64encode(struct.pack(f"<e{len(numbers)}b", length, *numbers)).decode().rstrip("=")


@pytest.mark.parametrize(
    "code",
    ["", "é", "A", "AA==", packed(1, [0] * 16), packed(math.nan, [1]), packed(math.inf, [1]), packed(3, [1]), packed(-1, [1]), "A" * 9_999],
)  # fmt: skip
def test_damaged_numbers_are_refused(code: str):
    with pytest.raises(SteerError, match="the numbers of the direction 'dusk'|characters; 1,000 are allowed"):
        read_source(Edit.parse(f"dusk~{code}").feature)


@pytest.mark.parametrize("title", ["", " ", "a:b", "a@b", "[", "a~b", "a -> b", "17", "x" * 61, "a\u202eb"])
def test_a_title_that_no_edit_can_say_is_refused(title: str):
    with pytest.raises(SteerError, match="the slider's name"):
        Contrast.of(title, [1.0])


def test_recipes_carry_it_and_texts_for_people_do_not_show_its_numbers():
    recipe = Recipe("a cat", 3, FAST, (Edit(str(DUSK), strength=0.5, words=("cat",)), Edit("night")))
    assert Recipe.from_query(recipe.to_query()) == Recipe.from_json(recipe.to_json()) == recipe
    file = BytesIO()
    recipe.save_png(Image.new("RGB", (8, 8)), file)
    assert Recipe.from_png(BytesIO(file.getvalue())) == recipe
    assert alternative("after", recipe) == "After: a cat, seed 3, dusk:0.5@cat, night:1"
    many = [Edit(str(Contrast.of(f"s{k}", [0.1, 0.1 * k]))) for k in range(MOST_CONTRASTS + 1)]
    with pytest.raises(SteerError, match="more than 8 edits of sliders made from pictures"):
        Recipe("a cat", edits=tuple(many))
    widest = Contrast.of("x" * 60, [0.02] * 1280)
    full = Recipe("é" * 2000, 0, FAST, tuple(Edit(str(widest._replace(title="y" * 59 + str(k)))) for k in range(8)))
    assert Recipe.from_query(full.to_query()) == full


# -- what it does


def test_a_direction_is_taken_apart_into_features_of_pictures():
    rows = torch.eye(4)
    assert matching_pursuit(rows, torch.tensor([0.0, 3.0, 0.0, -4.0]), 3) == {
        3: pytest.approx(-4.0),
        1: pytest.approx(3.0),
    }


def test_it_knows_its_class_range_and_nearest_features(tiny: Steerer):
    frame = tiny.bank.tensors["steering_image"][tiny.bank.get("white frame").latent]
    direction = tiny.feature(str(Contrast.of("edge", (0.7 * frame).tolist())))
    assert isinstance(direction, Direction)
    assert (direction.name, direction.modality, direction.image_only) == ("edge", "vision", True)
    assert direction.near[0][0].name == "white frame"
    assert direction.near[0][1] == pytest.approx(1, abs=1e-3)
    assert direction.activation_scale == pytest.approx(0.7, abs=1e-3)
    low, high = direction.usable
    assert high - 1 == pytest.approx(-low)  # both ends of the step lie equally far in
    with pytest.raises(SteerError, match="made of embeddings 3 wide, and those here are 16 wide"):
        tiny.feature(str(Contrast.of("edge", [0.1, 0.2, 0.3])))


def test_it_adds_its_vector_and_removes_it(tiny: Steerer):
    state = tiny.read(["a cat"])
    for edit, factor in ((Edit(str(DUSK), strength=0.5), 0.5), (Edit(str(DUSK), "remove"), -1.0)):
        shift = tiny.schedule(state, [edit]).shift[0]
        assert torch.allclose(shift, factor * torch.tensor(DUSK.vector), atol=1e-6)
    with pytest.raises(SteerError, match="the direction 'dusk' cannot be set"):
        tiny.schedule(state, [Edit(str(DUSK), "set")])
    same = tiny.steer("a cat", [Edit(str(DUSK), strength=0.0)], 1, FAST)
    assert same.after.tobytes() == same.before.tobytes()


def test_where_an_image_embedding_is_read_it_moves_that_alone(adapted: dict[str, Steerer]):
    steerer = adapted["sd1"]
    state = steerer.read(["a cat"])
    vector = torch.zeros(len(steerer.bank.tensors["mean_image"]))
    vector[1] = 0.5
    edit = Edit(str(Contrast.of("dusk", vector.tolist())))
    (move,) = steerer.schedule(state, [edit]).moves
    assert not move.dh.any()
    assert torch.allclose(move.dimage / move.dimage.norm(), (vector / vector.norm())[None], atol=1e-2)
    with pytest.raises(SteerError, match="'dusk' is vision-only, or made of pictures"):
        steerer.schedule(state, [replace(edit, words=("cat",))])


def test_sweeps_and_the_third_picture_take_it(tiny: Steerer):
    row = sweep.over(tiny.known, Recipe("a cat", 1, FAST), Edit(str(DUSK)), frames=3)
    assert row.title == "dusk"
    assert [cell.label.split()[0] for cell in row.cells] == ["dusk"] * 3
    assert in_words(tiny.bank, "a cat", [Edit(str(DUSK))]).prompt == "a cat dusk"


# -- how it is made


def test_the_command_makes_one_from_two_folders(tiny_folder, tiny_bank, groups_of_files, tmp_path, capsys):
    command = [
        "steer",
        "a cat",
        "--backbone",
        str(tiny_folder),
        "--bank",
        str(tiny_bank),
        "--steps",
        "1",
        "--slider",
        "red",
    ]
    out = ["--out", str(tmp_path / "pair.png")]
    main([*command, *map(str, groups_of_files), "--edit", "red:0.5", *out])
    (edit,) = Recipe.from_png(tmp_path / "pair.png").edits
    assert (edit.brief, edit.strength) == ("red:0.5", 0.5)
    main([*command, *map(str, groups_of_files), *out])
    assert Recipe.from_png(tmp_path / "pair.png").edits == (replace(edit, strength=1.0),)
    assert main([*command, str(groups_of_files[0]), str(tmp_path / "nowhere"), *out]) == 2
    assert "there is no folder" in capsys.readouterr().err


def embedded(steerer: Steerer, colours: tuple[str, ...]) -> list[str]:
    return [PictureReader(steerer).picture(picture).embedding for picture in pictures(colours)]


def test_the_panel_makes_it_of_embeddings_and_the_rack_carries_it(state: PageState, steerer: Steerer, red: Contrast):
    asked = {"title": "red", "shown": embedded(steerer, RED), "not_shown": embedded(steerer, BLUE)}
    made = Sliders(state).make(asked)["made"]
    assert made["name"] == "red"
    assert "made of pictures" in made["scoreTooltip"]
    vectors = [torch.tensor(read_source(one).vector) for one in (made["id"], str(red))]
    assert torch.nn.functional.cosine_similarity(*vectors, dim=0) > 0.999
    edit = Edit(made["id"], strength=0.5)
    rack = rows(state.known, [edit])
    assert edits_of(state.known, rack) == [edit]
    laid = Sweeps(state).lay(
        "a cat", 3, rack, FAST, "", None, None, {"kind": "over", "features": [made["id"]], "run": 1}
    )
    assert laid["laid"]["axes"] == ("red",)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "cannot be read"), ({"title": "red", "shown": ["x"] * 11, "not_shown": []}, "cannot be read"),
        ({"title": "red", "shown": ["ADw="], "not_shown": ["ADw="]}, "give 2 to 10"),
        ({"title": "red", "shown": ["ADw=", "ADw="], "not_shown": ["ADwAPA==", "ADw="]}, "different models"),
        ({"title": "red", "shown": ["evil!", "ADw="], "not_shown": ["ADw=", "ADw="]}, "`embedding` of the picture is"),
        ({"title": "a:b", "shown": ["ADwAPA=="] * 2, "not_shown": ["ADwAAA=="] * 2}, "the slider's name"),
    ],
)  # fmt: skip
def test_pictures_that_make_no_slider_get_a_sentence(state: PageState, value: object, why: str):
    answer = Sliders(state).make(value)
    assert list(answer) == ["error"]
    assert why in answer["error"]


@pytest.mark.parametrize(
    "value", [None, {"number": 1}, {"number": 1, "file": {"path": "/etc/passwd"}}, {"number": "x", "file": {}}]
)
def test_only_uploads_are_read(state: PageState, value: object):
    answer = Sliders(state).read(value)
    assert set(answer) == {"error", "number"}
    assert "cannot be read" in answer["error"]


def test_other_programs_make_one_and_draw_with_it(address: str, groups_of_files: tuple[Path, Path], red: Contrast):
    from gradio_client import Client, handle_file

    page = Client(address, verbose=False)
    shown, not_shown = ([handle_file(str(path)) for path in sorted(folder.iterdir())] for folder in groups_of_files)
    made = page.predict("red", shown, not_shown, api_name="/slider_from_pictures")
    assert made["edit"] == str(red)
    assert sum(made["shares"].values()) == pytest.approx(1, abs=0.01)
    *_, about = page.predict("a cat", [f"{made['edit']}:0.5"], steps=1, api_name="/steer")
    assert Recipe.from_query(about["recipe"]).edits == (Edit(str(red), strength=0.5),)
    with pytest.raises(Exception, match="give 2 to 10"):
        page.predict("red", shown[:1], not_shown, api_name="/slider_from_pictures")


def test_upload_two_groups_and_a_row_draws_and_stays_after_a_reload(page: Page, groups_of_files: tuple[Path, Path]):
    page.get_by_label("add a feature").focus()
    page.get_by_role("button", name="make a slider from pictures").click()
    for k, folder in enumerate(groups_of_files):
        page.locator(".mm-group input").nth(k).set_input_files(sorted(folder.iterdir()))
    expect(page.locator(".mm-build")).to_be_disabled()
    page.get_by_label("name of the slider").fill("red")
    expect(page.locator(".mm-build")).to_be_enabled()
    after = source(page, "after")
    page.locator(".mm-build").click()
    expect(page.locator(".mm-row", has_text="red").locator(".mm-badge")).to_be_visible()
    changed(page, after)
    assert recipe_shown(page).edits[-1].brief == "red:1"
    drawn = pixels(page, "after")
    page.reload()
    expect(page.locator(".mm-row", has_text="red")).to_be_visible()
    page.locator("#mm-pictures .mm-after").wait_for()
    assert pixels(page, "after") == drawn
