"""Two pictures of a visit beside each other, what sets them apart in words, and favourites in the browser."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, source
from test_stage import violations

from mmsteer import Edit, FeatureBank, Recipe, Sampler
from mmsteer.recipes.direction import Contrast
from mmsteer.recipes.picture import Picture
from mmsteer.ui.visit.differences import differences
from mmsteer.ui.visit.panel import differ

expect.set_options(timeout=WAIT)
FIRST = Recipe("a cat at night", 3, Sampler(4, 1.0), (Edit("night", strength=0.5), Edit("snow", "remove")))
DUSK = str(Contrast.of("dusk", [0.1, 0.2]))


@pytest.fixture(scope="module")
def bank(tiny_bank: Path) -> FeatureBank:
    return FeatureBank.load(tiny_bank)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []), ({"seed": 7}, ["seed 3 → 7"]), ({"prompt": "a cat at night in the snow"}, ["prompt: + in the snow"]),
        ({"prompt": "a dog"}, ["prompt: cat at night → dog"]), ({"prompt": "cat at night"}, ["prompt: − a"]),
        ({"sampler": Sampler(12, 1.5, edit_guidance=2.0)}, ["steps 4 → 12", "guidance 1 → 1.5", "edit guidance 1 → 2"]),
        ({"negative_prompt": "blurry"}, ["negative prompt: + blurry"]), ({"picture": Picture(0.5, "ADw=")}, ["+ whole picture"]),
        ({"edits": ()}, ["− night 0.5", "− snow removed 1"]),
        ({"edits": (Edit("night", strength=1.2), Edit("snow"))}, ["night 0.5 → 1.2", "snow removed 1 → 1"]),
        ({"edits": (*FIRST.edits, Edit(0, "set", 2.0, ("cat",), 0.2), Edit(DUSK))},
         ["+ penguin set to 2 on cat from 20% to 100% of the steps", "+ dusk 1"]),
    ],
)  # fmt: skip
def test_what_sets_two_recipes_apart(bank: FeatureBank, change: dict[str, object], words: list[str]):
    assert differences(bank, FIRST, replace(FIRST, **change)) == words


def test_a_whole_picture_goes_comes_and_weighs_more(bank: FeatureBank):
    half, whole, other = (replace(FIRST, picture=Picture(*one)) for one in ((0.5, "ADw="), (1, "ADw="), (1, "AEA=")))
    assert differences(bank, half, whole) == ["whole picture 0.5 → 1"]
    assert differences(bank, half, FIRST) == ["− whole picture"]
    assert differences(bank, whole, other) == ["another whole picture"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "cannot be read"), ({"first": 3, "second": "x"}, "cannot be read"),
        ({"first": "prompt=a", "second": "seed=x"}, "settings cannot"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_gets_a_sentence(bank: FeatureBank, value: object, why: str):
    assert why in differ(bank, value)["error"]


def two_pictures(page: Page) -> None:
    """Draw a second pair, with one feature more."""
    after = source(page, "after")
    page.get_by_label("add a feature").fill("white frame")
    page.locator("#mm-rack .mm-chips button").first.click()
    changed(page, after)
    expect(page.locator("#mm-compare-open")).to_be_visible()


def test_two_thumbnails_are_compared_with_the_keyboard_and_by_a_long_press(page: Page):
    expect(page.locator("#mm-compare-open")).to_have_count(0)  # one picture is compared with none
    two_pictures(page)
    page.locator("#mm-compare-open").focus()
    page.keyboard.press("Enter")
    words = page.locator(".mm-differences")
    expect(words).to_have_text("+ white frame 1")
    sources = [picture.get_attribute("src") for picture in page.locator(".mm-comparison img").all()]
    assert sources[1] == page.locator("#mm-pictures .mm-after").get_attribute("src") != sources[0]
    first = page.locator("[data-pick='1']")
    first.focus()
    page.keyboard.press("Enter")  # out, and in again as the second
    expect(page.locator(".mm-comparison")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(words).to_have_text("− white frame 1")
    page.get_by_role("button", name="slide", exact=True).last.click()
    page.get_by_label("Border between A and B").press("End")
    assert page.locator(".mm-comparison").evaluate("e => e.style.getPropertyValue('--cut')") == "100%"
    page.locator(".mm-visit .mm-close").click()
    page.locator(".mm-history .mm-thumb").last.click(button="right")
    expect(words).to_have_text("+ white frame 1")


def test_favourites_stay_in_the_browser_and_travel_as_one_file(page: Page, address: str, tmp_path: Path):
    two_pictures(page)
    page.locator("#mm-compare-open").click()
    page.locator("[data-star='0']").click()
    expect(page.locator("[data-favourite]")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save favourites").click()
    kept = json.loads(download.value.path().read_text())
    (recipe,) = kept["recipes"]
    assert (kept["mmsteer"], kept["version"]) == ("recipes", 1)
    assert [edit.feature for edit in Recipe.from_query(recipe["query"]).edits] == ["night", "white frame"]

    page.goto(address)
    page.locator("#mm-compare-open").click()  # there on the first screen now, with what is kept
    expect(page.locator("[data-favourite] img")).to_have_count(1)
    after = source(page, "after")
    page.locator("[data-favourite]").click()
    changed(page, after)
    expect(page.locator(".mm-row")).to_have_count(2)

    hostile = {"title": "<img src=x onerror=alert(1)>", "query": "prompt=a+cat&seed=9", "lesson": ""}
    kept["recipes"] += [hostile, {"title": 3, "query": "x"}, {"title": "too long", "query": "x" * 180_001}]
    (tmp_path / "more.json").write_text(json.dumps(kept))
    page.locator(".mm-visit input[type=file]").set_input_files(tmp_path / "more.json")
    status = page.locator(".mm-visit .mm-panel-status")
    expect(status).to_contain_text("1 favourites added. Recipe 3 of the list cannot be read")
    expect(page.locator("[data-favourite]").nth(1)).to_have_text(hostile["title"])
    (tmp_path / "bad.json").write_text('{"mmsteer": "recipes", "version": 2, "recipes": []}')
    page.locator(".mm-visit input[type=file]").set_input_files(tmp_path / "bad.json")
    expect(status).to_contain_text("bad.json: the list has version 2; this page reads version 1.")
    for _ in range(2):
        page.locator(".mm-visit .mm-shelved [aria-label^=take]").first.click()
    expect(page.locator("[data-favourite]")).to_have_count(0)
    assert json.loads(page.evaluate("localStorage.getItem('mmsteer-favourites')"))["recipes"] == []


def test_axe_finds_nothing_serious_in_the_panels(page: Page):
    two_pictures(page)
    page.locator("#mm-compare-open").click()
    page.locator("[data-star='0']").click()
    expect(page.locator("[data-favourite]")).to_have_count(1)
    page.evaluate("dispatchEvent(new CustomEvent('mm-from-pictures'))")
    page.get_by_role("button", name="On my prompt").click()
    page.locator(".mm-trial img").first.wait_for()
    assert violations(page) == []
