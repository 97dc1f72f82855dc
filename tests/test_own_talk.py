"""A talk of one's own: what the server says of its recipes, and the panel that keeps, saves and opens it, in a real browser."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from shown_pair import open_menu

from mmsteer import Edit, Origin, Recipe, Steerer
from mmsteer.recipes.start import Start
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.talk.own import checked
from mmsteer.ui.talk.stage import Stage

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
EVIL = "<img src=x onerror=window.ran=1>"


def query(*edits: Edit, **more: Any) -> str:
    return Recipe("a cat", 5, edits=edits, **more).to_query()


def test_the_server_says_what_it_knows_of_a_recipe_before_it_is_drawn(tiny: Steerer):
    made = Origin(bank="b" * 16)
    queries = [query(Edit("night"), Edit("lovely")), query(), query(Edit("zebra"), origin=made), "prompt=&seed=1"]
    first, plain, another, wrong = checked(tiny.bank, {"queries": queries})["recipes"]
    assert (first["title"], [f["modality"] for f in first["features"]]) == ("night + lovely", ["cross", "language"])
    assert (plain["title"], plain["notes"]) == ("a cat", [])
    assert "There is no feature 'zebra' in this bank" in another["notes"][0]
    assert "made with another bank of features" in another["notes"][1]
    assert "prompt" in wrong["error"]
    assert [one["query"] for one in (first, plain, another, wrong)] == queries


@pytest.mark.parametrize(
    "value",
    [
        None, {}, [], {"queries": "x"}, {"queries": [1]}, {"queries": ["x"] * 61}, {"queries": ["x" * 180_001]},
        {"queries": [], "evil": 1},
    ],
)  # fmt: skip
def test_what_no_page_asks_is_refused(tiny: Steerer, value: Any):
    assert "load the page again" in checked(tiny.bank, value)["error"]


def test_what_cannot_be_made_here_is_left_out_and_a_step_of_nothing_else_says_why(steerer: Steerer):
    stage = Stage(PageState(steerer.bank, lambda: steerer))

    def answer(*edits: Edit) -> dict[str, Any]:
        return stage.answer({"kind": "own", "number": 7, "query": query(*edits)})

    unread = Edit("xyzzy → blargh")
    why = "The edit xyzzy → blargh:1 is left out: the model does not know xyzzy, blargh: use other words."
    assert answer(unread) == {"number": 7, "error": f"Nothing of this step can be drawn here. {why}"}
    assert "There is no feature 'zebra'" in answer(Edit("zebra"))["error"]
    pair = answer(unread, Edit("night"))["pair"]
    assert why in pair["notes"]
    assert [edit.feature for edit in Recipe.from_query(pair["query"]).edits] == ["night"]
    assert [row["id"] for row in pair["fader"]["rack"]["rows"]] == [1]


def add(page: Page, preset: str | None = None) -> None:
    if preset:
        old = page.locator("#mm-pictures figure").get_attribute("data-query")
        page.get_by_role("button", name=preset, exact=True).click()
        expect(page.locator("#mm-pictures figure")).not_to_have_attribute("data-query", old or "")
    open_menu(page)
    page.locator("#mm-own-add").click()


def titles(page: Page) -> list[str]:
    return [field.input_value() for field in page.get_by_label(re.compile("^title of step")).all()]


def open_file(page: Page, content: Any, name: str = "talk.json") -> None:
    data = content if isinstance(content, str) else json.dumps(content)
    page.locator("#mm-under input[type=file]").set_input_files(
        [{"name": name, "mimeType": "application/json", "buffer": data.encode()}]
    )


def test_a_talk_is_made_kept_shown_and_saved(page: Page, tmp_path: Path):
    expect(page.locator("#mm-own-talk")).to_be_hidden()
    add(page)
    add(page, "Warm light")
    expect(page.locator(".mm-own-step")).to_have_count(2)
    expect(page.get_by_label("title of step 2")).to_have_value("warm light")
    page.get_by_label("step 2: earlier").click()
    page.get_by_label("title of step 1").fill("The light")
    page.get_by_label("note of step 1").fill("Nobody says it.")
    page.get_by_label("note of step 1").blur()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert (saved["mmsteer"], saved["version"]) == ("recipes", 1)
    assert [(one["title"], one["lesson"]) for one in saved["recipes"]] == [
        ("The light", "Nobody says it."),
        ("night", ""),
    ]
    assert Recipe.from_query(saved["recipes"][0]["query"]).edits == (Edit("warm light"),)

    page.reload()
    page.locator(".mm-own-panel summary").click()
    expect(page.get_by_label("title of step 1")).to_have_value("The light")
    page.locator("#mm-own-start").click()
    talk = page.get_by_role("dialog", name="Talk mode")
    expect(talk.locator("h2")).to_have_text("The light")
    expect(talk.locator(".mm-talk-count")).to_have_text("my talk: 1 of 2")
    expect(talk).to_contain_text("Nobody says it.")
    expect(talk.locator(".mm-after")).to_have_attribute("alt", re.compile("warm light:1$"))
    page.keyboard.press("ArrowRight")
    expect(talk.locator(".mm-after")).to_have_attribute("alt", re.compile("night:1$"))
    page.keyboard.press("m")
    expect(talk.locator(".mm-talk-count")).to_have_text("1 of 5")
    page.keyboard.press("Escape")
    page.get_by_label("step 1: take it out").click()
    assert titles(page) == ["night"]
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator("#mm-own-talk")).to_be_hidden()


def test_a_file_is_opened_as_far_as_it_can_be_read(page: Page):
    recipes = [
        {"title": EVIL, "query": query(Edit("night")), "lesson": EVIL},
        {"title": "wrong", "query": "prompt=&seed=nine", "lesson": ""},
        {"title": 5, "query": "prompt=a", "lesson": ""},
        {"title": "elsewhere", "query": query(Edit("zebra"))},
    ]
    open_file(page, {"mmsteer": "recipes", "version": 1, "recipes": recipes})
    expect(page.locator("#mm-own-talk .mm-note")).to_contain_text("talk.json holds 3 recipes")
    page.locator("#mm-own-take").click()
    expect(page.locator("#mm-own-talk")).to_contain_text("Recipe 3 of the list cannot be read and is left out.")
    expect(page.locator(".mm-own-step").nth(1)).to_contain_text("This step is skipped: ")
    expect(page.locator(".mm-own-step").nth(2)).to_contain_text("There is no feature 'zebra' in this bank")
    assert titles(page) == [EVIL, "wrong", "elsewhere"]
    page.locator("#mm-own-start").click()
    talk = page.get_by_role("dialog", name="Talk mode")
    expect(talk.locator("h2")).to_have_text(EVIL)
    expect(talk.locator(".mm-talk-lesson")).to_have_text(EVIL)
    expect(talk.locator(".mm-after")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(talk.locator(".mm-talk-count")).to_have_text("my talk: 2 of 2")  # the step between is skipped
    expect(talk.locator(".mm-talk-notes")).to_contain_text("There is no feature 'zebra'")
    assert page.evaluate("window.ran") is None
    page.keyboard.press("Escape")
    page.evaluate("localStorage.clear()")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"mmsteer": "recipes", "version": 2, "recipes": []}, "the list has version 2; this page reads version 1"),
        ({"mmsteer": "recipes", "version": 1, "recipes": {}}, "this file is no list of recipes"),
        (json.dumps({"mmsteer": "recipes", "version": 1, "recipes": ["x" * 1000] * 1000}), "1,000,000 are allowed"),
    ],
)
def test_a_list_that_cannot_be_read_gets_a_sentence(page: Page, content: Any, sentence: str):
    open_file(page, content)
    expect(page.locator("#mm-own-talk")).to_contain_text(
        f"talk.json: {sentence}" if "allowed" not in sentence else sentence
    )
    expect(page.locator(".mm-own-step")).to_have_count(0)


def test_recipes_with_a_picture_of_ones_own_are_kept_until_there_is_no_more_room(page: Page):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    long = query(start=Start.of(Image.fromarray(noise), 256))
    assert len(long) > 40_000
    page.evaluate("query => (document.querySelector('#mm-pictures figure').dataset.query = query)", long)
    open_menu(page)
    page.locator("#mm-own-add").click()
    expect(page.locator(".mm-own-step")).to_have_count(1)
    expect(page.get_by_label("title of step 1")).to_have_value("a cat")  # the server has read it
    page.evaluate(
        "query => (document.querySelector('#mm-pictures figure').dataset.query = query + '&x=' + 'x'.repeat(1e6))", long
    )
    page.evaluate("document.querySelector('#mm-own-add').click()")  # its menu has closed
    said = page.locator("#mm-own-talk .mm-try")
    expect(said).to_contain_text("1,000,000 may be kept: take out recipes with a picture of your own")
    expect(said).to_contain_text(f"This recipe has {len(long) + 3 + 1_000_000:,} characters.")
    expect(page.locator(".mm-own-step")).to_have_count(1)
    page.evaluate("localStorage.clear()")


def test_a_single_recipe_is_opened_as_ever(page: Page):
    open_file(page, Recipe("a dog", 8, edits=(Edit("night"),)).to_json(), "recipe.json")
    expect(page.locator("#mm-pictures .mm-after")).to_have_attribute("alt", "After: a dog, seed 8, night:1")
