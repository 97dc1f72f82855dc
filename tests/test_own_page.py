"""A visitor's own picture on the page: what a browser may send, the endpoint, and the page in a real browser."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Page, expect
from sample_pictures import bomb, encoded
from sample_pictures import picture as sample
from served import served_live
from shown_pair import WAIT, changed, open_options, pixels, recipe_shown, source

from mmsteer import Edit, PictureReader, Recipe, Sampler, Start, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.provenance import not_read
from mmsteer.ui.own.panel import own_of, receive, start_of
from mmsteer.ui.shared.loading import Loading
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer import live
from mmsteer.ui.steer.rack import rows
from mmsteer.ui.sweep.panel import Sweeps

expect.set_options(timeout=WAIT)
DROP = """([bytes, name, type]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  document.querySelector('#mm-head').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }));
}"""


@pytest.fixture
def mine() -> Start:
    return Start.of(sample(1), 32, 0.6)


def test_the_value_is_what_a_recipe_says_and_back(tiny: Steerer, mine: Start):
    assert start_of(tiny, own_of(Recipe("a cat", start=mine))) == mine
    assert start_of(tiny, None) is None
    assert start_of(tiny, own_of(Recipe("a cat"))) is None


@pytest.mark.parametrize(
    "value",
    [
        [], "x", 7, {}, {"freedom": 0.5}, {"freedom": 0.5, "picture": 7}, {"freedom": 0, "picture": ""},
        {"freedom": float("nan"), "picture": ""}, {"freedom": 2, "picture": ""}, {"freedom": 0.5, "picture": "A" * 48_001},
        {"freedom": 0.5, "picture": "", "evil": 1}, {"freedom": 0.5, "picture": "", "file": {"path": "/etc/passwd"}},
        {"freedom": 0.5, "picture": "AAAA"},
    ],
)  # fmt: skip
def test_a_value_that_no_page_sends_is_refused(tiny: Steerer, value):
    with pytest.raises(SteerError, match="your picture cannot be read: load the page again|the picture cannot be read"):
        start_of(tiny, value)
    _, answer = receive(Loading(lambda: tiny), value)
    assert set(answer.props["answer"]) == {"error", "at"}
    assert "/etc" not in answer.props["answer"]["error"]


@pytest.mark.parametrize("data", [b"", b"text", bomb(), encoded(sample(1))[:100]])
def test_an_upload_that_is_no_picture_gets_a_sentence(tiny: Steerer, tmp_path: Path, data: bytes):
    (tmp_path / "mine.png").write_bytes(data)
    _, answer = receive(Loading(lambda: tiny), asked(tmp_path / "mine.png"))
    assert answer.props["answer"]["error"].startswith("the picture")


def asked(path: Path) -> dict:
    file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
    return {"freedom": 0.7, "picture": "", "file": file}


def test_an_upload_becomes_the_start_and_unclip_says_why_not(tiny: Steerer, steerers, tmp_path: Path):
    sample(1, (80, 40)).save(tmp_path / "mine.jpg")
    prompt, shown = receive(Loading(lambda: tiny), asked(tmp_path / "mine.jpg"))
    assert prompt == PictureReader(tiny).words_of(Image.open(tmp_path / "mine.jpg"))
    answer = {name: value for name, value in shown.props["answer"].items() if name != "at"}
    start = Start(**answer)
    assert (start.freedom, start.image(32).size) == (0.7, (32, 32))
    unclip = steerers["unclip"]
    assert (
        "start from noise alone"
        in receive(Loading(lambda: unclip), asked(tmp_path / "mine.jpg"))[1].props["answer"]["error"]
    )
    assert start_of(unclip, answer) is None
    recipe = Recipe("a cat", start=start)
    assert not_read(recipe, None, False) == []
    assert not_read(recipe, 32, False, False) == [
        "The backbone here starts from noise alone: the recipe's own picture is left out."
    ]
    assert "no longer here" in receive(Loading(lambda: tiny), asked(tmp_path / "gone.jpg"))[1].props["answer"]["error"]


def test_frames_and_sweeps_start_from_it_too(tiny: Steerer, mine: Start):
    recipe = Recipe("a cat", 3, Sampler(3, 1.0), (Edit("night"),), start=mine)
    rack = rows(tiny.bank, recipe.edits)
    question = {"number": 1, "query": recipe.to_query(), "rack": {"rows": rack["rows"], "silent": []}}
    frame = live.frame(tiny.bank, Loading(lambda: tiny), question)["frame"]
    assert frame["after"]["src"] == live._light(tiny.picture(recipe))
    assert "before" not in frame
    sweeps = Sweeps(PageState(tiny.bank, lambda: tiny))
    laid = sweeps.lay("a cat", 3, rack, recipe.sampler, "", None, own_of(recipe), {"kind": "seeds", "features": []})[
        "laid"
    ]
    drawn = sweeps.draw({"again": laid["again"], "cell": 6})["drawn"]  # the first *after* of six seeds
    assert Recipe.from_png(BytesIO(base64.b64decode(drawn["picture"].split(",")[1]))) == recipe


def test_a_frame_follows_any_slider_of_the_pair(tiny: Steerer, mine: Start, adapted: dict[str, Steerer]):
    def framed(steerer: Steerer, recipe: Recipe, **moved: float) -> dict:
        question = {"number": 1, "query": recipe.to_query(), **moved}
        return live.frame(steerer.bank, Loading(lambda: steerer), question)["frame"]

    def shows(frame: dict, steerer: Steerer, recipe: Recipe) -> bool:
        return frame["after"]["src"] == live._light(steerer.picture(recipe))

    recipe = Recipe("a cat", 3, Sampler(3, 1.0), (Edit("night"),), start=mine)
    freer, frame = replace(recipe, start=replace(mine, freedom=1.0)), framed(tiny, recipe, freedom=1.0)
    assert shows(frame, tiny, freer)
    assert frame["before"]["src"] == live._light(tiny.picture(freer.plain))  # it starts from the same picture
    assert "at freedom 1" in frame["before"]["alt"]

    reads = adapted["sd1"]
    recipe = Recipe("a cat", 3, Sampler(3, 1.0), picture=Picture.of([0.1] * reads.backbone.image_width))
    assert shows(framed(reads, recipe, share=0.5), reads, replace(recipe, picture=replace(recipe.picture, share=0.5)))
    assert shows(framed(reads, recipe, share=0), reads, recipe.plain)
    assert shows(framed(reads, recipe, scale=0.5), reads, replace(recipe, sampler=Sampler(3, 1.0, adapter_scale=0.5)))
    for wrong in ({"freedom": 0}, {"share": 1.1}, {"scale": -1}, {"scale": float("nan")}, {"freedom": "1"}):
        assert set(framed(tiny, recipe, **wrong)) == {"number"}


def test_the_endpoint_takes_a_start_and_says_how_much_is_kept(address: str, tmp_path: Path):
    sample(1).save(tmp_path / "mine.png")
    client, file = Client(address, verbose=False), handle_file(str(tmp_path / "mine.png"))
    before, after, about = client.predict("a cat", ["night:1.0"], 3, start=file, freedom=0.5, api_name="/steer")
    recipe = Recipe.from_query(about["recipe"])
    assert recipe.start == Start.of(Image.open(tmp_path / "mine.png"), 32, 0.5)
    assert Recipe.from_file(Path(after).read_bytes()) == recipe
    assert Recipe.from_file(Path(before).read_bytes()) == recipe.plain
    assert set(about["kept"]) == {"before", "outside", "changed"}
    assert "kept" not in client.predict("a cat", [], 3, api_name="/steer")[2]
    with pytest.raises(AppError, match="`freedom` is 7: give a number from 0.05"):
        client.predict("a cat", [], 3, start=file, freedom=7, api_name="/steer")


def test_the_command_line_takes_a_start(tmp_path: Path, capsys):
    sample(1, (256, 256)).save(tmp_path / "mine.png")
    command = ["steer", "a cat", "--steps", "2", "--device", "cpu", "--edit", "night"]
    first = ["--start", str(tmp_path / "mine.png"), "--freedom", "0.5", "--out", str(tmp_path / "first.png")]
    assert main([*command, *first, "--json", str(tmp_path / "first.json")]) == 0
    assert "kept of the picture to start from: before " in capsys.readouterr().out
    recipe = Recipe.from_file((tmp_path / "first.png").read_bytes())
    assert recipe.start.freedom == 0.5
    assert '"kept"' in (tmp_path / "first.json").read_text()
    again = ["steer", "--recipe", str(tmp_path / "first.png"), "--out", str(tmp_path / "again.png"), "--device", "cpu"]
    assert main(again) == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "first.png").read_bytes()
    assert main([*again, "--freedom", "0.9"]) == 0
    assert Recipe.from_file((tmp_path / "again.png").read_bytes()).start == replace(recipe.start, freedom=0.9)
    assert main([*command, "--freedom", "0.5"]) == 2
    assert "there is none: give one with --start" in capsys.readouterr().err
    assert main([*command, "--start", str(tmp_path / "none.png")]) == 2
    assert "cannot read" in capsys.readouterr().err


# -- in a real browser


@pytest.fixture(scope="module")
def address(steerer: Steerer, tiny_bank: Path) -> Iterator[str]:
    """The page, served as on a machine that is fast."""
    with served_live(steerer, tiny_bank) as url:
        yield url


def test_both_pictures_follow_the_slider_from_keep_to_free(page: Page):
    old = source(page, "after")
    page.evaluate(DROP, [list(encoded(sample(1), "JPEG")), "mine.jpg", "image/jpeg"])
    changed(page, old)
    pair, slider = recipe_shown(page), page.get_by_label("how far from your picture")
    old = source(page, "after")
    slider.evaluate("(range) => { range.value = 0.3; range.dispatchEvent(new Event('input')); }")
    frame = re.compile("^data:image/jpeg")
    for which in ("before", "after"):
        expect(page.locator(f"#mm-pictures .mm-{which}")).to_have_attribute("alt", re.compile("at freedom 0.3"))
        expect(page.locator(f"#mm-pictures .mm-{which}")).to_have_attribute("src", frame)
    slider.evaluate("(range) => range.dispatchEvent(new PointerEvent('pointerup'))")
    changed(page, old)
    assert recipe_shown(page) == replace(pair, start=replace(pair.start, freedom=0.3))
    old = source(page, "after")
    slider.evaluate("(range) => { range.value = 0.9; range.dispatchEvent(new Event('input')); }")
    expect(page.locator("#mm-pictures .mm-after")).to_have_attribute("alt", re.compile("at freedom 0.9"))
    slider.evaluate(
        "(range) => range.dispatchEvent(new PointerEvent('pointercancel'))"
    )  # the page scrolls: it was not meant
    page.wait_for_function("old => document.querySelector('.mm-after').src === old", arg=old, timeout=WAIT)
    expect(slider).to_have_value("0.3")


def test_a_dropped_picture_is_edited_kept_by_a_reload_and_let_go(page: Page, steerer: Steerer):
    without = source(page, "after")
    assert page.locator(".mm-own-row").count() == 0
    page.evaluate(DROP, [list(encoded(sample(1, (300, 200)), "JPEG")), "mine.jpg", "image/jpeg"])
    changed(page, without)
    shown = recipe_shown(page)
    assert shown.start.freedom == 0.8
    assert shown.prompt == PictureReader(steerer).words_of(shown.start.image(300))  # what CLIP reads in it
    assert "start=" not in page.url
    expect(page.get_by_alt_text("your picture")).to_be_visible()
    old = source(page, "after")
    page.get_by_label("how far from your picture").press("Home")
    changed(page, old)
    kept = recipe_shown(page)
    assert kept.start == replace(shown.start, freedom=0.05)
    assert pixels(page, "before") != pixels(page, "after")
    page.reload()
    expect(page.get_by_label("how far from your picture")).to_have_value("0.05")
    page.wait_for_function("document.querySelector('#mm-pictures figure')?.dataset.query.includes('start=')")
    assert recipe_shown(page) == kept
    old = source(page, "after")
    page.get_by_label("let your picture go").click()
    changed(page, old)
    assert recipe_shown(page) == replace(kept, start=None)
    expect(page.locator(".mm-own-row")).to_have_count(0)
    old = source(page, "after")
    page.get_by_text("↶ Undo").click()
    changed(page, old)
    assert recipe_shown(page) == kept
    expect(page.locator(".mm-own-row")).to_have_count(1)


def test_the_options_ask_for_a_file_and_what_is_wrong_with_it_is_said(page: Page, tmp_path: Path):
    open_options(page)
    with page.expect_file_chooser() as chooser:
        page.locator("#mm-own-choose").click()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    chooser.value.set_files(tmp_path / "broken.png")
    expect(page.locator("#mm-own .mm-problem")).to_contain_text("the picture cannot be read")
    old = source(page, "after")
    sample(2).save(tmp_path / "mine.webp")
    page.locator("#mm-own input[type=file]").set_input_files(tmp_path / "mine.webp")
    changed(page, old)
    expect(page.locator("#mm-own .mm-problem")).to_have_count(0)
    assert np.asarray(recipe_shown(page).start.image(32)).shape == (32, 32, 3)


def test_a_picture_of_the_tab_from_a_picture_is_edited_itself(page: Page):
    old = source(page, "after")
    page.get_by_role("tab", name="From a picture").click()
    page.locator("#mm-source img[src]").wait_for()
    page.locator("#mm-into-own").click()
    changed(page, old)
    assert recipe_shown(page).start is not None
    expect(page.locator(".mm-own-row")).to_be_visible()
