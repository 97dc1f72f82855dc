"""What a first visitor meets in the browser: few controls, undo, an address that follows, files dropped anywhere, sliders for fingers."""

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, open_menu, open_options, open_row, pixels, recipe_shown, source

from mmsteer import Recipe
from mmsteer.recipes.presets import PRESETS

expect.set_options(timeout=WAIT)
CONTROLS = """() => [...document.querySelectorAll('button, input, select, textarea, summary, a[href], [role=tab]')].filter((e) =>
  e.checkVisibility({ visibilityProperty: true }) && e.type !== 'file' && e.getBoundingClientRect().top < innerHeight
  && !e.closest('[aria-hidden=true], footer')).length"""
DROP = """([name, type, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { type }));
  for (const kind of ['dragover', 'drop']) document.querySelector('#mm-head').dispatchEvent(
    new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


def edits_in_address(page: Page) -> list[str]:
    return parse_qs(urlparse(page.url).query).get("edit", [])


def add(page: Page, name: str) -> None:
    page.get_by_label("add a feature").fill(name)
    page.locator("#mm-rack .mm-chips button").first.click()


def test_the_first_screen_has_few_controls(page: Page):
    """Tabs, prompt, "New picture", one row, the search, options, five examples, the picture's border and menu."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_function(f"() => ({CONTROLS})() <= 20", timeout=WAIT)


def test_draw_shows_while_there_is_something_to_draw_and_moves_nothing(page: Page):
    draw, below = page.locator("#mm-draw"), page.locator("#mm-dice")
    expect(draw).to_be_hidden()
    place = below.bounding_box()
    page.locator("#mm-prompt textarea").fill("a cat at night")
    expect(draw).to_be_visible()
    assert below.bounding_box() == place
    draw.click()
    expect(draw).to_be_hidden()
    open_options(page)
    page.locator("#mm-seed input").fill("7")
    expect(draw).to_be_visible()


def test_what_the_rack_offers_comes_with_the_search(page: Page):
    expect(page.locator("#mm-rack .mm-chips")).to_be_hidden()
    page.get_by_label("add a feature").focus()
    expect(page.locator("#mm-rack .mm-chips button").first).to_be_visible()


def test_undo_and_redo_walk_through_the_pairs_of_the_visit(page: Page):
    first = source(page, "after")
    expect(page.locator("#mm-undo")).to_have_count(0)
    add(page, "white frame")
    changed(page, first)
    second = source(page, "after")
    page.locator("h1").click()  # out of the search, whose own undo Ctrl+Z would be
    page.keyboard.press("Control+z")
    changed(page, second)
    assert pixels(page, "after") == pixels_of(first)
    expect(page.locator(".mm-row")).to_have_count(1)
    page.locator("#mm-redo").click()
    changed(page, first)
    expect(page.locator(".mm-row")).to_have_count(2)
    expect(page.locator("#mm-redo")).to_have_count(0)


def pixels_of(url: str) -> bytes:
    from io import BytesIO

    from PIL import Image

    return Image.open(BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB").tobytes()


def test_the_address_is_the_pair_and_a_reload_shows_it_again(page: Page):
    assert edits_in_address(page) == ["night:1"]
    after = source(page, "after")
    add(page, "white frame")
    changed(page, after)
    page.wait_for_function("location.search.includes('white')", timeout=WAIT)
    recipe = recipe_shown(page)
    page.reload()
    expect(page.locator(".mm-row")).to_have_count(2)
    expect(page.locator(".mm-after")).to_be_visible()
    assert recipe_shown(page) == recipe


@pytest.mark.parametrize("kind", ["json", "png"])
def test_a_file_dropped_anywhere_is_opened(page: Page, tmp_path: Path, kind: str):
    recipe = Recipe("a cat, now and then", 5)
    if kind == "json":
        data = recipe.to_json().encode()
    else:
        from PIL import Image

        recipe.save_png(Image.new("RGB", (8, 8)), tmp_path / "x.png")
        data = (tmp_path / "x.png").read_bytes()
    after = source(page, "after")
    page.evaluate(DROP, [f"x.{kind}", "", base64.b64encode(data).decode()])
    changed(page, after)
    assert (recipe_shown(page).prompt, recipe_shown(page).seed) == (recipe.prompt, 5)
    assert page.evaluate("document.body.classList.contains('mm-dropping')") is False


def test_a_picture_is_saved_with_its_recipe(page: Page):
    for which, edits in (("after", 1), ("before", 0)):
        open_menu(page)
        with page.expect_download() as download:
            page.locator(f"[data-save={which}]").click()
        assert download.value.suggested_filename.endswith(f"-{which}.png")
        assert len(Recipe.from_png(download.value.path()).edits) == edits


def test_a_finger_that_scrolls_leaves_a_slider_as_it_was(page: Page):
    """The browser moves the slider under the finger first, and takes the pointer away once it knows that the page scrolls."""
    after = source(page, "after")
    slider = page.locator(".mm-row .mm-track input").first
    slider.evaluate(
        """(e) => { e.value = 1.8; e.dispatchEvent(new PointerEvent('pointercancel', { bubbles: true })); }"""
    )
    assert slider.input_value() == "1"
    expect(page.locator(".mm-row output").first).to_have_text("1.00")
    page.wait_for_timeout(500)
    assert source(page, "after") == after
    assert edits_in_address(page) == ["night:1"]


def test_a_slider_has_no_half_that_does_nothing(page: Page):
    """What the prompt does not contain cannot be taken out; what it contains can, and a vision-only feature goes both ways."""
    slider = page.locator(".mm-row .mm-track input").first
    expect(slider).to_have_attribute("min", "0")  # "night", of which this prompt says nothing
    page.evaluate("dispatchEvent(new CustomEvent('mm-present', { detail: [1] }))")  # as a pair whose prompt has it says
    expect(slider).not_to_have_attribute("min", "0")
    add(page, "white frame")
    expect(page.get_by_label("strength of white frame", exact=True)).not_to_have_attribute("min", "0")


def test_the_sentence_of_an_example_goes_once_it_is_changed(page: Page):
    page.get_by_role("button", name=PRESETS[0].title, exact=True).click()
    line = page.locator("#mm-tour .mm-try")
    expect(line).to_contain_text("seen and said")
    page.get_by_label("take night out").click()
    expect(line).to_be_empty()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("1.7", "1.7, not a whole number"),
        ("-5", "give a whole number from 0"),
        ("9" * 20, "give a whole number from 0"),
    ],
)
def test_a_bad_seed_gets_a_sentence(page: Page, typed: str, message: str):
    open_options(page)
    page.locator("#mm-seed input").fill(typed)
    page.locator("#mm-draw").click()
    expect(page.locator(".mm-problem")).to_contain_text(message)


def test_figures_are_shown_when_asked_for_and_stay(page: Page):
    expect(page.locator(".mm-seconds")).to_be_hidden()
    open_menu(page)
    page.locator("#mm-figures").click()
    expect(page.locator(".mm-seconds")).to_be_visible()
    after = source(page, "after")
    page.locator("#mm-dice").click()
    changed(page, after)
    expect(page.locator(".mm-seconds")).to_be_visible()


def test_on_a_phone_the_picture_stays_in_sight_above_its_slider(page: Page):
    page.set_viewport_size({"width": 390, "height": 844})
    open_row(page)
    page.locator(".mm-row .mm-track").first.scroll_into_view_if_needed()
    page.mouse.wheel(0, 300)
    top = "document.querySelector('.mm-compare').getBoundingClientRect().top"
    page.wait_for_function(f"{top} >= 0 && {top} < 60 && scrollY > 100", timeout=WAIT)
    assert (
        json.loads(page.evaluate("JSON.stringify(document.querySelector('.mm-compare').getBoundingClientRect())"))[
            "height"
        ]
        < 0.45 * 844
    )


def test_the_prompt_is_whole_after_the_phone_is_turned(page: Page):
    prompt = page.locator("#mm-prompt textarea")
    prompt.fill("a big penguin in the middle in the snow at night")
    one_line = prompt.bounding_box()["height"]
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        """() => {
      const field = document.querySelector('#mm-prompt textarea');
      return field.scrollHeight <= field.clientHeight;
    }""",
        timeout=WAIT,
    )
    assert prompt.bounding_box()["height"] > one_line
    prompt.fill("a cat " * 60)
    line = prompt.evaluate("(field) => parseFloat(getComputedStyle(field).lineHeight)")
    assert prompt.bounding_box()["height"] < 4 * line + 24  # of a longer one three lines


def test_the_address_keeps_the_tab_and_a_feature_has_a_link(chromium, address: str):
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/?feature=snow")
    card = page.locator(".mm-card h2")
    expect(card).to_have_text("snow")  # on the tab Explore, which the link opens
    page.locator(".mm-item", has_text="white frame").first.click()
    expect(card).to_have_text("white frame")
    page.wait_for_function("location.search.includes('feature=white')", timeout=WAIT)
    page.reload()
    expect(card).to_have_text("white frame")
    page.get_by_role("tab", name="Proof").last.click()
    page.reload()
    expect(page.locator(".mm-proof .mm-bars").first).to_be_visible()
    page.close()
