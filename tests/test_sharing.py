"""Recipes that come and go, in a real browser: links, files, and the thumbnails of a visit."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, pixels, recipe_shown, source

from mmsteer import Edit, Origin, Recipe, Sampler, Steerer
from mmsteer.recipes.presets import PRESETS

expect.set_options(timeout=WAIT)


def test_a_link_holds_the_whole_recipe(chromium, address: str, steerer: Steerer):
    recipe = Recipe(
        "a small cat at night", 77, Sampler(4, 2.0),
        (Edit("penguin", "set", 1.5), Edit("night", "add", -1.0), Edit("warm light", "remove", 0.5, start=0.5)),
        steerer.origin,
    )  # fmt: skip
    page = chromium.new_page()
    page.goto(f"{address}/?{recipe.to_query()}")
    expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile("seed 77"))
    assert recipe_shown(page) == recipe
    assert pixels(page, "after") == steerer.picture(recipe).tobytes()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#mm-copy").click()
    expect(page.locator("#mm-copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(address)
    assert Recipe.from_query(copied.split("?", 1)[1]) == recipe
    page.close()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("prompt=cat&seed=-1", "`seed` is -1"),
        ("prompt=cat&edit=nonsense%5B", "cannot read the edit"),
        ("prompt=cat&steps=1e9", "settings cannot be read"),
        ("prompt=cat&bank=..%2Fmine", "`bank` is '../mine'"),
        ("prompt=%3Cscript%3Ewindow.pwned%3D1%3C/script%3E&seed=x", "settings cannot be read"),
    ],
)
def test_a_hostile_link_gets_a_sentence(chromium, address: str, query: str, message: str):
    page = chromium.new_page()
    page.goto(f"{address}/?{query}")
    expect(page.locator("#mm-notice .mm-problem")).to_contain_text(message)
    expect(page.locator("#mm-notice .mm-problem")).to_be_visible()
    expect(page.locator(".mm-after")).to_be_visible()  # and the page is there, as without a link
    assert page.evaluate("window.pwned") is None
    page.close()


def test_a_link_made_with_another_bank_opens_what_is_here_and_offers_the_nearest_names(chromium, address: str):
    edits = (Edit("vignettes", strength=1.5), Edit("night"))
    recipe = Recipe("a cat", 5, edits=edits, origin=Origin(bank="0123456789abcdef"))
    page = chromium.new_page()
    page.goto(f"{address}/?{recipe.to_query()}")
    expect(page.locator(".mm-after")).to_have_attribute("alt", "After: a cat, seed 5, night:1")
    notes = page.locator("#mm-notice .mm-note")
    expect(notes).to_have_count(2)
    expect(notes.first).to_contain_text("made with another bank of features")
    expect(notes.last).to_contain_text("no feature 'vignettes' in this bank: the edit vignettes:1.5 is left out")
    notes.last.get_by_role("button", name="vignette").click()
    expect(page.locator(".mm-after")).to_have_attribute("alt", "After: a cat, seed 5, night:1, vignette:1.5")
    page.close()


def test_a_saved_picture_dropped_back_in_restores_everything(page: Page, steerer: Steerer, tmp_path: Path):
    recipe = Recipe("a big penguin in the snow", 5, Sampler(3, 4.0), (Edit("snow", strength=1.5),), steerer.origin)
    recipe.save_png(steerer.picture(recipe), tmp_path / "saved.png")
    (tmp_path / "saved.json").write_text(recipe.to_json())
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "bad.json").write_text('{"prompt": "x", "evil": 1}')
    for name in ("saved.png", "saved.json"):
        page.get_by_role("button", name=PRESETS[1].title, exact=True).click()
        expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile(PRESETS[1].prompt))
        page.locator("#mm-under input[type=file]").set_input_files(tmp_path / name)
        expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile("seed 5"))
        assert recipe_shown(page) == recipe
    # a picture without a recipe is one to edit
    for name, place, message in (
        ("bad.png", "#mm-own", "cannot be read"),
        ("bad.json", "#mm-notice", "unknown keys evil"),
    ):
        page.locator("#mm-under input[type=file]").set_input_files(tmp_path / name)
        expect(page.locator(f"{place} .mm-problem")).to_contain_text(message)
        assert recipe_shown(page) == recipe


def test_the_pictures_of_a_visit_stay_as_thumbnails(page: Page):
    first = recipe_shown(page)
    after = source(page, "after")
    page.get_by_role("button", name=PRESETS[1].title, exact=True).click()
    changed(page, after)
    expect(page.locator(".mm-thumb")).to_have_count(2)
    after = source(page, "after")
    page.locator(".mm-thumb").last.click()
    changed(page, after)
    assert recipe_shown(page) == first
    expect(page.locator(".mm-thumb")).to_have_count(2)
