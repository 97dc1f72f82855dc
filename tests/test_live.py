"""A slider that moves, in a real browser: the picture follows it, and the pair that the release draws is what stays."""

import base64
import re
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect
from served import served_live
from shown_pair import open_menu, open_row

from mmsteer import Edit, Recipe, Steerer
from mmsteer.recipes.presets import PRESETS

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
NIGHT = {"id": 1, "mode": "slide", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}
FRAME, FINAL = re.compile("^data:image/jpeg"), re.compile("^data:image/png")


@pytest.fixture(scope="module")
def address(steerer: Steerer, tiny_bank: Path) -> Iterator[str]:
    """The page, served as on a machine that is fast."""
    with served_live(steerer, tiny_bank) as url:
        yield url


@pytest.fixture
def drawn(steerer: Steerer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The strengths that are drawn, in turn. Once `gate` is cleared, drawing waits for it, and `begun` tells that some does."""
    drawing = SimpleNamespace(strengths=[], gate=threading.Event(), begun=threading.Event())
    drawing.gate.set()
    draw = steerer._draw

    def slow(plan, recipe, *more):  # type: ignore[no-untyped-def]
        drawing.strengths += [edit.strength for edit in recipe.edits]
        drawing.begun.set()
        drawing.gate.wait(30)
        return draw(plan, recipe, *more)

    monkeypatch.setattr(steerer, "_draw", slow)
    yield drawing
    drawing.gate.set()


def after(page: Page):
    return page.locator("#mm-pictures .mm-after")


def slider(page: Page):
    return page.locator(".mm-row .mm-track input").first


def number(page: Page) -> float:
    return float(slider(page).input_value())


def move(page: Page, *shares: float) -> float:
    """Move the pointer over the slider, to shares of its length; the strength it then stands at."""
    box = slider(page).bounding_box()
    assert box
    for share in shares:
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return number(page)


def grip(page: Page) -> None:
    """Press on the slider's thumb: it stays where it is."""
    stands = number(page)
    low, high, width = slider(page).evaluate("(range) => [+range.min, +range.max, range.offsetWidth]")
    move(page, (8 + (width - 16) * (stands - low) / (high - low)) / width)
    page.mouse.down()
    assert number(page) == stands


def query(page: Page) -> str:
    return page.locator("#mm-pictures figure").get_attribute("data-query") or ""


def edit(strength: float) -> Edit:
    """What the row says at a strength."""
    return Edit("night", strength=strength) if strength > 0 else Edit("night", "remove", -strength)


def shows(page: Page, strength: float) -> None:
    expect(after(page)).to_have_attribute("alt", re.compile(f", {re.escape(str(edit(strength)))}$"))


def final(page: Page, strength: float) -> bytes:
    """The PNG of the pair with this strength, once it is there."""
    shows(page, strength)
    expect(after(page)).to_have_attribute("src", FINAL)
    return base64.b64decode((after(page).get_attribute("src") or "").split(",")[1])


def frames_asked(page: Page) -> list[str]:
    """What the page asks frames with, from now on."""
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.post_data or "") if is_frame(r) else None)
    return asked


def is_frame(request: Any) -> bool:
    return "/queue/join" in request.url and '"number"' in (request.post_data or "")


def on_the_way(
    page: Page, frames: Callable[[Any], Any] = Route.continue_, pairs: Callable[[Any], Any] = Route.continue_
):
    """What becomes of the page's requests, until `arrive`."""
    page.route("**/queue/join*", lambda route: (frames if is_frame(route.request) else pairs)(route))


def arrive(page: Page) -> None:
    page.unroute("**/queue/join*")


def test_the_picture_follows_and_the_release_draws_the_pair(page: Page, steerer: Steerer):
    link, distance = query(page), page.locator("#mm-status .mm-ood").text_content()
    expect(page.locator(".mm-live")).to_be_visible()
    grip(page)
    strength = move(page, 0.8, 0.9)
    expect(after(page)).to_have_attribute("src", FRAME)
    shows(page, strength)
    expect(page.locator("#mm-status .mm-ood")).not_to_have_text(distance or "")
    expect(page.locator("#mm-status")).to_have_attribute("aria-busy", "true")
    assert query(page) == link
    expect(page.locator(".mm-thumb")).to_have_count(1)
    page.mouse.up()
    picture = final(page, strength)
    recipe = Recipe.from_png(BytesIO(picture))
    assert recipe.edits == (Edit("night", strength=strength),)
    assert Image.open(BytesIO(picture)).convert("RGB").tobytes() == steerer.picture(recipe).tobytes()
    assert query(page) == recipe.to_query()
    expect(page.locator(".mm-thumb")).to_have_count(2)
    distance = page.locator("#mm-status .mm-ood")
    expect(distance).to_contain_text(
        f"OOD distance {steerer.steer(recipe.prompt, recipe.edits, recipe.seed).ood_distance:.2f}"
    )
    expect(page.locator("#mm-status")).not_to_have_attribute("aria-busy", "true")


def test_of_what_waits_only_the_newest_is_drawn(page: Page, drawn: SimpleNamespace):
    grip(page)
    drawn.gate.clear()
    first = move(page, 0.8)
    assert drawn.begun.wait(30)
    newest = move(page, 0.85, 0.9, 0.6, 0.65)
    drawn.gate.set()
    shows(page, newest)
    assert drawn.strengths == [first, newest]
    page.mouse.up()
    final(page, newest)
    assert drawn.strengths == [first, newest, newest]


def test_what_still_waits_at_the_release_is_not_drawn(page: Page, drawn: SimpleNamespace):
    grip(page)
    drawn.gate.clear()
    first = move(page, 0.8)
    assert drawn.begun.wait(30)
    last = move(page, 0.85, 0.9)
    page.mouse.up()
    drawn.gate.set()
    final(page, last)
    assert drawn.strengths == [first, last]


def test_a_frame_that_comes_late_does_not_replace_the_pair(page: Page, drawn: SimpleNamespace):
    late: list[Any] = []
    on_the_way(page, frames=late.append)
    grip(page)
    first = move(page, 0.8)
    last = move(page, 0.9)
    page.mouse.up()
    final(page, last)
    assert drawn.strengths == [last]
    page.evaluate("""() => {
      window.alts = [];
      const picture = document.querySelector("#mm-pictures .mm-after");
      new MutationObserver(() => window.alts.push(picture.alt)).observe(picture, { attributes: true });
    }""")
    drawn.begun.clear()
    late[0].continue_()
    assert drawn.begun.wait(30)
    assert drawn.strengths == [last, first]
    arrive(page)
    grip(page)  # it goes on, and what comes now comes after the late one
    newest = move(page, 0.6)
    shows(page, newest)
    assert {alt.rsplit(":", 1)[1] for alt in page.evaluate("window.alts")} == {f"{newest:g}"}
    page.mouse.up()
    final(page, newest)


def test_a_slider_that_moves_again_goes_on_from_the_pair_that_comes_meanwhile(page: Page):
    waiting: list[Any] = []
    on_the_way(page, pairs=waiting.append)
    grip(page)
    first = move(page, 0.8)
    page.mouse.up()
    page.mouse.down()
    again = move(page, 0.6)
    shows(page, again)
    waiting[0].continue_()
    expect(page.locator("#mm-pictures figure")).to_have_attribute("data-query", re.compile(f"night%3A{first:g}$"))
    shows(page, again)
    expect(after(page)).to_have_attribute("src", FRAME)
    arrive(page)
    page.mouse.up()
    final(page, again)


def test_where_a_slider_returns_to_its_place_the_pair_is_there_again(page: Page, steerer: Steerer, monkeypatch):
    pair = steerer.pair
    monkeypatch.setattr(steerer, "pair", lambda *a, **k: pair(*a, **k)._replace(seconds=0.125))
    monkeypatch.setattr("mmsteer.ui.steer.reading.Reading.likely", False)  # so that the status line stays word for word
    page.locator("#mm-prompt textarea").press("Enter")
    expect(page.locator(".mm-seconds")).to_have_text("0.12 s")
    expect(page.locator(".mm-similarity")).to_have_count(0)
    old = after(page).get_attribute("src"), after(page).get_attribute("alt"), page.locator(".mm-ood").inner_html()
    start = number(page)
    slider(page).focus()
    for _ in range(10):
        page.keyboard.down("ArrowRight")
    shows(page, start + 0.5)
    on_the_way(page, frames=lambda _: None)  # the next one does not come
    for _ in range(10):
        page.keyboard.down("ArrowLeft")
    assert number(page) == start
    page.keyboard.up("ArrowLeft")
    expect(after(page)).to_have_attribute("src", FINAL)
    assert (
        after(page).get_attribute("src"), after(page).get_attribute("alt"), page.locator(".mm-ood").inner_html(),
    ) == old  # fmt: skip
    expect(page.locator(".mm-thumb")).to_have_count(1)


def test_a_frame_that_is_lost_ends_nothing(page: Page):
    on_the_way(page, frames=lambda route: route.fulfill(status=503))
    grip(page)
    strength = move(page, 0.8, 0.9)
    page.mouse.up()
    final(page, strength)
    arrive(page)
    grip(page)
    strength = move(page, 0.6)
    shows(page, strength)
    expect(after(page)).to_have_attribute("src", FRAME)
    page.mouse.up()
    final(page, strength)


def test_where_the_release_fails_the_pair_comes_back(page: Page):
    old = after(page).get_attribute("src") or "", after(page).get_attribute("alt") or ""
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill("")
    grip(page)
    move(page, 0.9)
    expect(after(page)).to_have_attribute("src", FRAME)  # of the pair shown, whose prompt is not empty
    page.mouse.up()
    expect(page.locator("#mm-status .mm-problem")).to_contain_text("the prompt is empty")
    expect(after(page)).to_have_attribute("src", old[0])
    expect(after(page)).to_have_attribute("alt", old[1])


def test_the_picture_follows_the_arrow_keys(page: Page):
    slider(page).focus()
    page.keyboard.down("ArrowLeft")
    expect(after(page)).to_have_attribute("src", FRAME)
    page.keyboard.down("ArrowLeft")
    page.keyboard.up("ArrowLeft")
    final(page, 0.9)
    expect(page.locator(".mm-thumb")).to_have_count(2)


def test_border_and_view_stay_as_they_are(page: Page):
    style = "(name) => getComputedStyle(document.querySelector('.mm-after'))[name]"
    page.get_by_label("Border between before and after, percent").focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    clip = page.evaluate(style, "clipPath")
    assert "40%" in clip
    page.evaluate(
        """() => {
      window.clips = new Set();
      const look = () => {
        window.clips.add(getComputedStyle(document.querySelector('.mm-after')).clipPath);
        requestAnimationFrame(look);
      };
      look();
    }"""
    )
    grip(page)
    move(page, 0.9)
    expect(after(page)).to_have_attribute("src", FRAME)
    page.mouse.up()
    expect(after(page)).to_have_attribute("src", FINAL)
    assert page.evaluate("[...window.clips]") == [clip]  # not for one moment elsewhere
    open_menu(page)
    page.get_by_role("group", name="how to compare").get_by_text("difference").click()
    grip(page)
    move(page, 0.5)
    expect(after(page)).to_have_attribute("src", FRAME)
    expect(page.locator(".mm-heat")).to_be_visible()
    page.mouse.up()
    expect(after(page)).to_have_attribute("src", FINAL)


def test_another_control_wins(page: Page, drawn: SimpleNamespace, steerer: Steerer):
    preset = next(p for p in PRESETS if p.title == "Warm light")
    slider(page).focus()
    drawn.gate.clear()
    page.keyboard.down("ArrowLeft")
    assert drawn.begun.wait(30)
    page.get_by_role("button", name=preset.title, exact=True).click()
    drawn.gate.set()
    expect(after(page)).to_have_attribute("alt", re.compile(f"^After: {preset.prompt}, seed {preset.seed}, "))
    expect(after(page)).to_have_attribute("src", FINAL)
    page.keyboard.up("ArrowLeft")
    recipe = Recipe.from_query(query(page))
    assert (recipe.prompt, recipe.edits) == (preset.prompt, preset.edits)


def test_a_finger_that_scrolls_on_leaves_no_frame_behind(page: Page):
    slider(page).evaluate("""(range) => {
      range.value = 0.5;
      range.dispatchEvent(new Event("input"));
      range.dispatchEvent(new PointerEvent("pointercancel"));
    }""")
    final(page, 1)  # the finger did not mean the slider


def test_a_slow_backbone_draws_on_release_alone(chromium, address: str, steerer: Steerer, monkeypatch):
    pair = steerer.pair
    monkeypatch.setattr(steerer, "pair", lambda *a, **k: pair(*a, **k)._replace(seconds=1e9))
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/?{Recipe('a slow cat', 5, edits=(Edit('night'),)).to_query()}")
    expect(after(page)).to_have_attribute("alt", "After: a slow cat, seed 5, night:1")
    asked = frames_asked(page)
    grip(page)
    strength = move(page, 0.8, 0.9)
    page.mouse.up()
    final(page, strength)
    assert asked == []
    expect(page.locator(".mm-live")).to_be_hidden()
    page.close()


def test_live_again_only_well_under_the_limit(chromium, address: str, steerer: Steerer, monkeypatch):
    pair, took = steerer.pair, [2 * 0.9e6]  # two pictures at first
    monkeypatch.setattr(steerer, "pair", lambda *a, **k: pair(*a, **k)._replace(seconds=took[-1]))
    page = chromium.new_page()
    page.goto(f"{address}/?{Recipe('a cat, now and then', 5, edits=(Edit('night'),)).to_query()}")
    expect(after(page)).to_have_attribute("alt", "After: a cat, now and then, seed 5, night:1")
    moves = [(3e6, True), (3e6, False), (0.9e6, False), (0.7e6, True), (0.9e6, True)]  # of a limit of 1e6
    for k, (seconds, visible) in enumerate(moves):
        took.append(seconds)
        open_row(page)
        page.locator(".mm-row input[type=number]").first.fill(f"0.{k + 1}")
        page.keyboard.press("Enter")
        final(page, (k + 1) / 10)
        expect(page.locator(".mm-live")).to_be_visible(visible=visible)
    page.close()
