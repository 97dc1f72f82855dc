"""The tour and talk mode in a real browser; and the whole page by keyboard, and by axe-core's rules."""

import base64
import re
from copy import copy
from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from served import served
from shown_pair import open_menu, open_row

from mmsteer import Edit, FeatureBank, Origin, Recipe, Steerer
from mmsteer.recipes.presets import PRESETS

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
TOUR = [preset for preset in PRESETS if preset.title != "Another animal"]  # the bank made by hand has no panda


def stage(page: Page):
    return page.get_by_role("dialog", name="Talk mode")


def count(page: Page):
    return stage(page).locator(".mm-talk-count")


def open_stage(page: Page) -> None:
    open_menu(page)
    page.locator("#mm-talk-open").click()
    expect(stage(page).locator(".mm-after")).to_be_visible()


def at(page: Page, step: int) -> None:
    """The step is shown, with its own pictures."""
    expect(count(page)).to_have_text(f"{step} of {len(TOUR)}")
    preset = TOUR[step - 1]
    alt = re.compile(f"^After: {preset.prompt}, seed {preset.seed}, {preset.edits[0]}")
    expect(stage(page).locator(".mm-after")).to_have_attribute("alt", alt)


def cut(page: Page) -> str:
    return page.evaluate("document.querySelector('.mm-talk figure').style.getPropertyValue('--cut')")


def test_a_preset_describes_what_kind_of_feature_it_shows_and_what_to_look_at(page: Page):
    page.get_by_role("button", name="Warm light", exact=True).click()
    expect(page.locator("#mm-tour .mm-try")).to_have_text(
        f"2 of {len(TOUR)} · only seen: the light turns warm, and no caption says so"
    )


def test_the_tour_by_keyboard(page: Page):
    open_stage(page)
    assert page.evaluate("Boolean(document.fullscreenElement)")
    at(page, 1)
    expect(stage(page)).to_contain_text("Night falls")
    expect(stage(page).locator(".mm-badge")).to_have_text(re.compile("seen and said"))
    for key, step in (
        ("ArrowRight", 2), (" ", 3), ("PageDown", 4), ("ArrowLeft", 3), ("PageUp", 2), ("5", 5), ("ArrowRight", 5),
        ("1", 1), ("ArrowLeft", 1), ("9", 1), ("End", 5), ("Home", 1),
    ):  # fmt: skip
        page.keyboard.press(key)
        at(page, step)
    page.keyboard.press("ArrowUp")
    assert cut(page) == "55%"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert cut(page) == "45%"
    page.keyboard.press("Escape")
    expect(stage(page)).to_have_count(0)
    page.wait_for_function("!document.fullscreenElement")
    assert page.evaluate("document.activeElement.matches('#mm-pictures summary')")


def test_a_step_shows_what_the_api_draws_and_is_asked_for_once(page: Page, steerer: Steerer, monkeypatch):
    asked = []
    pair = steerer.pair
    monkeypatch.setattr(steerer, "pair", lambda recipe, **more: asked.append(recipe.prompt) or pair(recipe, **more))
    open_stage(page)
    for step in (1, 2, 1, 2):
        page.keyboard.press(str(step))
        at(page, step)
    shown = base64.b64decode((stage(page).locator(".mm-after").get_attribute("src") or "").split(",")[1])
    recipe = Recipe.from_png(BytesIO(shown))
    assert (recipe.prompt, recipe.seed, recipe.edits) == (TOUR[1].prompt, TOUR[1].seed, TOUR[1].edits)
    assert Image.open(BytesIO(shown)).tobytes() == steerer.picture(recipe).tobytes()
    page.keyboard.press("3")
    at(page, 3)
    assert [asked.count(preset.prompt) for preset in TOUR[:3]] == [1, 1, 1]


def test_the_next_step_is_there_without_the_network(page: Page):
    open_stage(page)
    page.wait_for_function("document.querySelector('.mm-talk').dataset.loaded === '2'", timeout=WAIT)
    page.context.set_offline(True)
    page.keyboard.press("ArrowRight")
    assert stage(page).locator(".mm-after").count() == 1  # at once: nothing to wait for
    at(page, 2)
    page.keyboard.press("ArrowLeft")
    at(page, 1)
    page.context.set_offline(False)


def test_the_tour_by_mouse(page: Page):
    open_stage(page)
    page.mouse.click(1300, 150)  # beside the picture
    at(page, 2)
    box = stage(page).locator(".mm-after").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + 200)  # on it: moves the border, steps nowhere
    assert 75 < float(cut(page).rstrip("%")) < 85
    at(page, 2)
    page.keyboard.press("ArrowRight")  # though the border has the focus now
    at(page, 3)
    stage(page).get_by_role("button", name="step back").click()
    at(page, 2)
    stage(page).get_by_role("button", name=re.compile(TOUR[3].title)).click()
    at(page, 4)
    stage(page).get_by_role("button", name="leave talk mode").click()
    expect(stage(page)).to_have_count(0)


def test_the_tour_by_touch_on_a_phone_from_a_link(chromium, address: str):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{address}/?talk=1")
    at(page, 1)
    expect(stage(page)).to_contain_text("swipe or tap")
    touch = context.new_cdp_session(page)

    def swipe(start: int, end: int) -> None:
        for kind, points in (("Start", [start]), ("Move", [(start + end) // 2]), ("Move", [end]), ("End", [])):
            touches = [{"x": x, "y": 600} for x in points]
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": touches})

    swipe(300, 80)
    at(page, 2)
    swipe(80, 300)
    at(page, 1)
    page.touchscreen.tap(200, 620)
    at(page, 2)
    assert page.evaluate("document.querySelector('.mm-talk').scrollWidth") <= 390
    context.close()


def test_what_cannot_be_drawn_gets_a_sentence_on_the_stage_and_is_tried_again(
    page: Page, steerer: Steerer, monkeypatch
):
    from mmsteer import SteerError

    def refuse(*_, **__):
        raise SteerError("the cable is pulled: put it back")

    with monkeypatch.context() as patched:
        patched.setattr(steerer, "pair", refuse)
        open_menu(page)
        page.locator("#mm-talk-open").click()
        expect(stage(page)).to_contain_text("the cable is pulled: put it back")
    page.keyboard.press("1")
    at(page, 1)


def test_nothing_moves_for_visitors_who_want_no_motion(chromium, address: str):
    page = chromium.new_page(reduced_motion="reduce")
    page.goto(f"{address}/?talk=1")
    at(page, 1)
    assert (
        page.evaluate("document.getAnimations().filter(a => a.effect.target.closest('.mm-talk, #mm-pictures')).length")
        == 0
    )
    page.close()


# -- names in links, notes, and what a backbone cannot do --


def test_links_and_alternative_texts_say_names(page: Page, tiny_bank: Path):
    assert (page.locator(".mm-after").get_attribute("alt") or "").endswith(f"seed {PRESETS[0].seed}, night:1")
    assert "edit=night%3A1" in (page.locator("#mm-pictures figure").get_attribute("data-query") or "")
    bank = FeatureBank.load(tiny_bank)
    assert [bank.reference(bank.get(name)) for name in ("night", 4)] == ["night", "please draw"]


def test_a_recipe_of_another_backbone_is_drawn_with_a_note(chromium, address: str):
    page = chromium.new_page()
    evil = '<img src=x onerror="window.pwned=1">'
    page.goto(f"{address}/?{Recipe('a cat', 5, edits=(Edit('night'),), origin=Origin(evil)).to_query()}")
    expect(page.locator("#mm-notice .mm-note")).to_contain_text(
        f"made for the backbone '{evil}'; here it is drawn with 'whole'"
    )
    expect(page.locator(".mm-after")).to_have_attribute("alt", "After: a cat, seed 5, night:1")
    assert page.evaluate("window.pwned") is None
    for query in (Recipe("a cat", 6, origin=Origin("whole")).to_query(), "prompt=a+cat&seed=6"):
        page.goto(f"{address}/?{query}")
        expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile("seed 6"))
        expect(page.locator("#mm-notice .mm-note")).to_have_count(0)
    page.close()


def test_a_backbone_that_reads_the_prompt_once_offers_no_part_of_the_run(chromium, steerer: Steerer, tiny_bank: Path):
    class ReadsOnce(type(steerer.backbone.family)):  # type: ignore[misc]
        phases = False

    once = copy(steerer)
    once.backbone = replace(steerer.backbone, family=ReadsOnce(**vars(steerer.backbone.family)))
    loaded = Event()
    with served(once, tiny_bank, ready=loaded) as address:
        page = chromium.new_page()
        page.goto(address)
        open_row(page)
        expect(page.get_by_role("group", name="words that night applies to")).to_be_visible()
        expect(page.get_by_text("steps of drawing: early … late", exact=True)).to_be_visible()  # not known yet
        loaded.set()
        expect(page.locator(".mm-after")).to_be_visible()
        expect(page.get_by_text("steps of drawing: early … late", exact=True)).to_have_count(0)
        page.close()


# -- inclusive --


def violations(page: Page) -> list[str]:
    """Serious and critical findings of axe-core on what is shown, one line each."""
    page.evaluate(AXE)
    results = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}"
        for v in results if v["impact"] in ("serious", "critical") for node in v["nodes"]
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_serious_on_any_tab(chromium, address: str, scheme: str, width: int):
    page = chromium.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page.goto(address)
    expect(page.locator(".mm-after")).to_be_visible()
    open_row(page)
    for tab in page.get_by_role("tab").all():
        page.set_viewport_size({"width": 1440, "height": 900})  # on a phone some tabs are in a menu
        tab.click()
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("!document.querySelector('.pending')")
        assert violations(page) == [], tab.text_content()
    page.goto(f"{address}/?talk=1")
    at(page, 1)
    assert violations(page) == []
    page.close()


def test_every_control_of_the_first_tab_is_reached_by_tab_with_a_visible_focus(page: Page):
    open_row(page)
    page.evaluate("""document.querySelectorAll('button, input, textarea, select, [tabindex="0"]').forEach((e) => {
      if (e.checkVisibility({ visibilityProperty: true }) && !e.disabled && e.tabIndex >= 0 && e.type !== 'file') e.dataset.walk = '';
    })""")
    left = page.locator("[data-walk]")
    assert left.count() > 40
    page.locator("h1").click()
    for _ in range(left.count() + 25):
        page.keyboard.press("Tab")
        outlined = page.evaluate("""() => {
          const focused = document.activeElement;
          delete focused.dataset.walk;
          return focused === document.body || [focused, focused.closest('.mm-compare')].some((part) => {
            const style = part && getComputedStyle(part);
            return style && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
          }) || focused.outerHTML.slice(0, 150);
        }""")
        assert outlined is True
    assert page.evaluate("[...document.querySelectorAll('[data-walk]')].map((e) => e.outerHTML.slice(0, 150))") == []
