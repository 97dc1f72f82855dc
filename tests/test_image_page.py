"""The image sliders of the page in a real browser: an adapter's scale, and a whole picture from the tab "From a picture"."""

import base64
import io
import json
from dataclasses import replace
from urllib.request import Request, urlopen

import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import Page, expect
from served import served

from mmsteer.models.sampler import Sampler
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.provenance import not_read
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.steer.image import acting, image_of

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def address(adapted):
    steerer = adapted["sd1"]
    steerer.sampler = Sampler(2, 1.0)
    with served(steerer, steerer.bank.folder) as at:
        yield at


def recipe_at(page: Page, place: str) -> Recipe:
    source = page.locator(place).get_attribute("src") or ""
    return Recipe.from_png(io.BytesIO(base64.b64decode(source.split(",")[1])))


def drawn(page: Page, place: str, act) -> Recipe:
    """The recipe of a picture after something has changed it."""
    old = page.locator(place).get_attribute("src")
    act()
    page.wait_for_function(
        "([place, old]) => document.querySelector(place)?.src !== old && !document.querySelector(place)?.src.startsWith('data:image/jpeg')",
        arg=[place, old], timeout=30_000,
    )  # fmt: skip  # a live frame, a JPEG, is not the pair
    return recipe_at(page, place)


def press(page: Page, label: str, key: str):
    return lambda: page.get_by_label(label, exact=True).press(key)


def test_the_scale_is_a_slider_and_a_whole_picture_goes_from_its_tab_into_the_rack(page: Page, tmp_path):
    after = "#mm-pictures .mm-after"
    scale = page.get_by_label("image adapter", exact=True)
    expect(scale).to_have_value("1")
    assert page.get_by_label("whole picture", exact=True).count() == 0
    assert drawn(page, after, press(page, "image adapter", "Home")).sampler.adapter_scale == 0
    assert drawn(page, after, press(page, "image adapter", "End")).sampler.adapter_scale == 1.5

    page.get_by_role("tab", name="From a picture").click()
    in_tab = "#mm-pair figure:nth-child(2) img"
    expect(page.locator(in_tab)).to_be_visible()
    share = page.get_by_label("share of the whole picture")
    expect(share).to_be_enabled()
    assert recipe_at(page, in_tab).picture is None
    whole = drawn(page, in_tab, press(page, "share of the whole picture", "End"))
    assert whole.picture is not None
    assert whole.picture.share == 1
    assert recipe_at(page, "#mm-pair figure:nth-child(1) img").picture is None

    opened = drawn(page, after, page.get_by_role("button", name="Open with the active features").click)
    assert opened.picture == whole.picture
    assert opened.sampler.adapter_scale == 1
    expect(page.get_by_label("whole picture", exact=True)).to_have_value("1")
    less = drawn(page, after, press(page, "whole picture", "ArrowLeft"))
    assert less.picture == replace(whole.picture, share=0.95)
    assert "a whole picture at 0.95" in (page.locator(after).get_attribute("alt") or "")

    page.goto(f"{page.url.split('?')[0]}?{less.to_query()}")
    page.locator(after).wait_for()
    expect(page.get_by_label("whole picture", exact=True)).to_have_value("0.95")
    assert recipe_at(page, after) == less


def test_a_link_that_is_too_long_says_so_and_gives_the_png(page: Page, adapted):
    long = Recipe("a cat", 0, Sampler(2, 1.0), picture=Picture.of([0.1] * 48))
    page.goto(f"{page.url.split('?')[0]}?{long.to_query()}&more={'x' * 10}")
    page.locator("#mm-pictures .mm-after").wait_for()
    page.wait_for_function("document.querySelector('#mm-pictures figure').dataset.query.includes('picture=')")
    # the tiny embedding is short: lengthen what the page takes for the link
    page.evaluate("document.querySelector('#mm-pictures figure').dataset.query += '&x=' + 'x'.repeat(2000)")
    page.locator("#mm-copy").click()
    said = page.locator("#mm-history .mm-note")
    expect(said).to_contain_text("characters, more than many programs pass on: save it as a PNG")
    with page.expect_download() as download:
        said.get_by_text("Save as PNG").click()
    assert Recipe.from_file(download.value.path().read_bytes()).picture == long.picture


def test_the_api_takes_a_scale_and_a_picture(address: str, tmp_path):
    Image.new("RGB", (40, 40), "orange").save(tmp_path / "given.png")
    client = Client(address, verbose=False)
    _, after, about = client.predict(
        "a cat", [], 0, 2, 1.0, "", 0.5, handle_file(str(tmp_path / "given.png")), 0.75, api_name="/steer"
    )
    recipe = Recipe.from_query(about["recipe"])
    assert recipe.sampler.adapter_scale == 0.5
    assert recipe.picture is not None
    assert recipe.picture.share == 0.75
    assert after


def test_a_program_written_before_there_were_scale_and_picture_still_works(address: str):
    call = f"{address}/gradio_api/call/steer"
    body = json.dumps({"data": ["a cat", [], 0, 2, 1.0]}).encode()
    with urlopen(Request(call, body, {"content-type": "application/json"})) as answer:
        event = json.loads(answer.read())["event_id"]
    with urlopen(f"{call}/{event}") as answer:
        said = answer.read().decode()
    assert "event: complete" in said
    assert "adapter_scale" not in said


def test_what_a_backbone_does_not_read_is_left_out_with_a_note(tiny, adapted):
    picture = Picture.of([0.1] * 48, 0.5)
    recipe = Recipe("a cat", sampler=Sampler(adapter_scale=0.5), picture=picture)
    value = image_of(recipe)
    assert acting(tiny, None, value) == (tiny.sampler, None)
    assert acting(adapted["sd1"], Sampler(3), value) == (Sampler(3, adapter_scale=0.5), picture)
    assert acting(adapted["sd1"], Sampler(3), image_of(None)) == (Sampler(3), None)
    assert not_read(recipe, 48, True) == []
    assert not_read(recipe, None, False) == [
        "There is no image adapter here: its scale 0.5 is left out.",
        "The backbone here reads no image embedding: the recipe's whole picture is left out.",
    ]
    assert not_read(recipe, 1024, True) == [
        "The recipe's whole picture is left out: its embedding is 48 wide, and the backbone here reads 1024."
    ]


def test_the_slider_says_why_it_is_disabled(chromium, tiny_folder, tiny_bank):
    from served import whole_words

    with served(whole_words(tiny_folder, tiny_bank), tiny_bank) as at:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.goto(at)
        page.locator("#mm-pictures .mm-after").wait_for()
        assert page.get_by_label("image adapter", exact=True).count() == 0
        page.get_by_role("tab", name="From a picture").click()
        part = page.get_by_role("region", name="the whole picture")
        expect(part).to_contain_text("This backbone reads no image embedding, only words: give it an image adapter")
        expect(part.get_by_label("share of the whole picture")).to_be_disabled()
        page.close()
