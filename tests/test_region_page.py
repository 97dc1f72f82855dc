"""A region on the page: drawn with mouse and keys, shown on the picture, kept by links, undo and reload; and what no page sends."""

import re
from dataclasses import replace
from io import BytesIO

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, open_menu, recipe_shown, source

from mmsteer import Edit, Recipe, Region, Steerer
from mmsteer.ui.shared.outline import outline
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer import live
from mmsteer.ui.steer.compare import compare
from mmsteer.ui.steer.opening import Opening
from mmsteer.ui.steer.pair import PairDrawer
from mmsteer.ui.steer.rack import rows
from mmsteer.ui.steer.region import read_region
from mmsteer.ui.sweep.panel import Sweeps

expect.set_options(timeout=WAIT)
LEFT = Region.box(0, 0, 0.5, 1)


@pytest.fixture(scope="module")
def state(tiny: Steerer) -> PageState:
    return PageState(tiny.bank, lambda: tiny)


def test_the_outline_runs_along_the_border():
    (corner,) = re.findall(r'd="([^"]*)"', outline(Region.box(0, 0, 1 / 32, 1 / 32)))
    assert (
        set(re.findall(r"M[^M]+", corner)) == {"M1 0L0 1", "M2 1L1 0", "M1 2L2 1", "M0 1L1 2"} or corner.count("M") == 4
    )
    ends = [float(number) for number in re.findall(r"\d+", corner)]
    assert sorted(set(ends)) == [0, 1, 2]  # half cells: of the first cell alone
    (half,) = re.findall(r'd="([^"]*)"', outline(LEFT))
    assert half.count("M") == 2 * (16 + 32)  # one line for each side of a cell along it


@pytest.mark.parametrize(
    "value", ["A" * 171, "0,0,1,1", "x", 3, {"grid": LEFT.grid}, "é" * 171, "A" * 100_000, [LEFT.grid]]
)
def test_a_region_that_no_page_sends_is_refused_in_a_sentence(state, value):
    *_, answer = PairDrawer(state).draw("a cat", 3, rows(state.bank, [Edit("night")]), None, "", None, None, value)
    assert re.search("the region (is|cannot be read)", answer[1])
    assert "log" not in answer[1]


def shown(answers) -> str:
    """The pair among what a drawing reports."""
    return next(pictures for pictures, *_ in answers if isinstance(pictures, str))


def test_everything_that_draws_acts_in_the_region(state, tiny: Steerer):
    shelf, recipe = rows(tiny.bank, [Edit("night", strength=2.0)]), Recipe("a cat", 3, tiny.sampler, region=LEFT)
    recipe = replace(recipe, edits=(Edit("night", strength=2.0),), origin=tiny.origin)
    pictures = shown(PairDrawer(state).draw("a cat", 3, shelf, None, "", None, None, LEFT.grid))
    assert pictures == compare(tiny.pair(recipe))
    assert "mm-region-border" in pictures
    assert "in 50 % of the picture" in pictures
    everywhere = shown(PairDrawer(state).draw("a cat", 3, shelf, None))
    assert "mm-region-border" not in everywhere
    laid = Sweeps(state).lay("a cat", 3, shelf, None, "", None, None, LEFT.grid, {"kind": "seeds", "features": []})[
        "laid"
    ]
    assert Recipe.from_json(laid["again"]["recipe"]) == recipe
    question = {"number": 1, "query": recipe.to_query(), "rack": shelf}
    assert live.frame(tiny.bank, state.loading, question)["frame"]["after"]["src"] == live._light(tiny.picture(recipe))
    *_, grid, _, notes = Opening(state).restore(lambda: recipe, wait=True)
    assert (read_region(grid), notes) == (LEFT, "")
    assert read_region(Opening(state).restore(lambda: recipe.plain)[-3]) is None


def drag(page: Page, *points: tuple[float, float]) -> None:
    """With the mouse, over the picture, through points in fractions of it."""
    box = page.locator(".mm-marking").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


def draw_region(page: Page) -> None:
    open_menu(page)
    page.locator("#mm-only-here").click()


def test_a_visitor_draws_a_box_and_finds_it_again(page: Page, steerer: Steerer):
    old = source(page, "after")
    before = recipe_shown(page)
    draw_region(page)
    drag(page, (0.51, 0.26), (0.74, 0.99))  # the cells that the pointer touches
    expect(page.locator(".mm-marking-words")).to_contain_text("50–75 % across, 25–100 % down")
    page.get_by_role("button", name="Done").click()
    changed(page, old)
    here = recipe_shown(page)
    assert here == replace(before, region=Region.box(0.5, 0.25, 0.75, 1))
    expect(page.locator(".mm-region-border")).to_be_visible()
    old = source(page, "after")
    page.locator("#mm-undo").click()
    changed(page, old)
    assert recipe_shown(page) == before
    expect(page.locator(".mm-region-border")).to_have_count(0)
    old = source(page, "after")
    page.locator("#mm-redo").click()
    changed(page, old)
    page.reload()
    expect(page.locator(".mm-everywhere")).to_be_visible()
    assert recipe_shown(page) == here
    old = source(page, "after")
    page.locator(".mm-everywhere").click()
    changed(page, old)
    assert recipe_shown(page) == before


def test_a_visitor_draws_by_keys_and_with_a_brush(page: Page):
    old = source(page, "after")
    draw_region(page)
    area = page.get_by_role("application", name="Where the edits act")
    expect(area).to_be_focused()
    page.keyboard.press("ArrowRight")  # the box to begin with: the middle half
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    changed(page, old)
    assert recipe_shown(page).region == Region.box(9 / 32, 7 / 32, 24 / 32, 23 / 32)
    old = source(page, "after")
    draw_region(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")  # leaves it as it was
    expect(page.locator(".mm-marking")).to_have_count(0)
    draw_region(page)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Brush").click()
    drag(page, (0.25, 0.25), (0.75, 0.25))
    page.get_by_role("button", name="Done").click()
    changed(page, old)
    shown = recipe_shown(page).region
    assert shown is not None
    assert all(shown.rows[8][x] for x in range(7, 25))  # a stroke, five cells wide, with round ends
    assert not shown.rows[8][4]
    assert [row[16] for row in shown.rows].count(True) in (4, 5)
    assert Recipe.from_png(BytesIO(_png(page))).region == shown


def _png(page: Page) -> bytes:
    """What "Save" saves of *after*."""
    open_menu(page)
    with page.expect_download() as saved:
        page.locator("[data-save=after]").click()
    return saved.value.path().read_bytes()
