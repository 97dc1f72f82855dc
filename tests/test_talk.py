"""What talk mode asks the server for, and what a speaker does in it, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from served import served
from shown_pair import open_menu

from mmsteer import Edit, Origin, Recipe, Steerer
from mmsteer.pictures.change import changed_text
from mmsteer.recipes.presets import available
from mmsteer.recipes.recipe import LONGEST_TEXT
from mmsteer.ui.shared.known import Known
from mmsteer.ui.steer import live
from mmsteer.ui.steer.reading import Reading
from mmsteer.ui.talk.stage import Stage

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)


class Loaded:
    """A loading that is over."""

    def __init__(self, steerer: Steerer) -> None:
        self.wait = lambda: steerer
        self.run = lambda do: do(steerer)


@pytest.fixture(scope="module")
def stage(tiny: Steerer) -> Stage:
    loading: Any = Loaded(tiny)
    presets, reading = available(tiny.bank), Reading()
    page = SimpleNamespace(
        bank=tiny.bank, loading=loading, known=Known(tiny.bank, loading), presets=presets, reading=reading
    )
    return Stage(page)  # type: ignore[arg-type]


def own(stage: Stage, recipe: Recipe) -> dict[str, Any]:
    """The pair of a visitor's own step."""
    pair: dict[str, Any] = stage.answer({"kind": "own", "number": 3, "query": recipe.to_query()})["pair"]
    return pair


# -- what the server answers --


def test_a_step_of_the_tour_is_its_preset(stage: Stage, tiny: Steerer):
    answer = stage.answer({"kind": "tour", "number": 7, "step": 0})
    preset, pair = stage.page.presets[0], answer["pair"]
    result = tiny.steer(preset.prompt, preset.edits, preset.seed)
    assert (answer["number"], pair["query"]) == (7, result.recipe.to_query())
    assert pair["changed"] == changed_text(result.before, result.after)
    assert [feature["name"] for feature in pair["features"]] == ["night"]
    assert pair["notes"] == result.notes


def test_the_slider_of_a_step_moves_the_rows_of_its_recipe(stage: Stage):
    rows = own(stage, Recipe("a dog", edits=(Edit("night", "remove", 0.5), Edit("warm light"))))["fader"]
    assert [(row["id"], row["strength"]) for row in rows["rack"]["rows"]] == [(1, -0.5), (2, 1.0)]
    assert [one["startsAtZero"] for one in rows["ranges"]] == [
        False,
        False,
    ]  # the first is removed, the second seen alone
    assert own(stage, Recipe("a dog", edits=(Edit("night"),)))["fader"]["ranges"] == [
        {"usable": [-2.0, 2.0], "risky": False, "startsAtZero": True}
    ]


@pytest.mark.parametrize(
    ("edits", "reason"), [((), "no feature to move"), (tuple(Edit(k % 12) for k in range(17)), "more than 16 features")]
)
def test_why_there_is_no_slider(stage: Stage, edits: tuple[Edit, ...], reason: str):
    assert reason in own(stage, Recipe("a cat", edits=edits))["fader"]["reason"]


def test_a_recipe_of_another_bank_is_drawn_as_far_as_it_can_be_and_says_so(stage: Stage):
    made = Origin("elsewhere", "a" * 16, "b" * 16)
    pair = own(stage, Recipe("a cat", edits=(Edit("zebra"), Edit("night")), origin=made))
    assert [feature["name"] for feature in pair["features"]] == ["night"]
    for part in ("There is no feature 'zebra'", "made for the backbone 'elsewhere'", "another bank of features"):
        assert any(part in note for note in pair["notes"]), part


def test_typed_words_are_drawn_from_the_same_noise(stage: Stage, tiny: Steerer):
    recipe = Recipe("a cat", 5, tiny.sampler, (Edit("night"),))
    words = stage.answer({"kind": "words", "number": 1, "query": recipe.to_query()})["words"]
    before, typed = (tiny.steer(prompt, (), 5).before for prompt in ("a cat", words["prompt"]))
    assert words["prompt"].endswith("night")
    assert words["changed"] == changed_text(before, typed)


@pytest.mark.parametrize(
    "value",
    [
        None, {}, "x", [0], {"kind": "tour", "number": 1, "step": -1}, {"kind": "tour", "number": 1, "step": 99},
        {"kind": "tour", "number": 1, "step": "0"}, {"kind": "tour", "number": 1, "step": True}, {"kind": "own", "number": 1},
        {"kind": "evil", "number": 1}, {"kind": "own", "number": 1, "query": "x" * (LONGEST_TEXT + 1)},
        {"kind": "own", "number": 1, "query": "", "evil": 1},
    ],
)  # fmt: skip
def test_what_no_page_asks_for_is_refused(stage: Stage, value: Any):
    assert "load the page again" in stage.answer(value)["error"]


@pytest.mark.parametrize(
    "query", ["", "prompt=a&seed=x", "prompt=a&edit=%5B", "prompt=a&edit=night:99", "prompt=a&seed=-1"]
)
def test_a_link_that_cannot_be_read_gets_a_sentence(stage: Stage, query: str):
    answer = stage.answer({"kind": "own", "number": 2, "query": query})
    assert answer["number"] == 2
    assert "Something went wrong" not in answer["error"]


# -- what a speaker does --


@pytest.fixture(scope="module")
def address(steerer: Steerer, tiny_bank: Path) -> Iterator[str]:
    """The page, served as on a machine that is always fast enough, whatever else this one does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "LIVE", 1e6)
        patched.setattr("mmsteer.ui.talk.panel.LIVE", 1e6)
        with served(steerer, tiny_bank) as url:
            yield url


@pytest.fixture
def talk(chromium, address: str) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    page.goto(f"{address}/?talk=1")
    expect(after(page)).to_be_visible()
    yield page
    page.close()


def after(page: Page):
    return page.locator(".mm-talk .mm-after")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_slider_moves_the_picture_by_keys_that_no_remote_has(talk: Page):
    slider, shown = talk.get_by_label(re.compile("^strength of night: plus")), after(talk).get_attribute("src") or ""
    expect(slider).to_have_value("1")
    assert shown.startswith("data:image/png")  # the step's own picture, until somebody moves the slider
    press(talk, "-", "-", "-")
    expect(slider).to_have_value("0.7")
    expect(after(talk)).to_have_attribute("src", re.compile("^data:image/jpeg"))
    expect(after(talk)).to_have_attribute("alt", re.compile("night:0.7$"))
    press(talk, "+")
    expect(after(talk)).to_have_attribute("alt", re.compile("night:0.8$"))
    press(talk, "ArrowRight", "ArrowLeft")  # a step that is shown again starts where its recipe has it
    expect(slider).to_have_value("1")
    assert after(talk).get_attribute("src") == shown


def test_several_features_move_together(talk: Page):
    press(talk, "End")
    slider = talk.get_by_label(re.compile("^strength of all 3 features together"))
    slider.wait_for()
    press(talk, "-", "-", "-", "-", "-")
    expect(talk.locator(".mm-talk-fader output")).to_have_text("50 %")
    expect(after(talk)).to_have_attribute("alt", re.compile("night:0.5, white frame:0.5, lovely:0.5$"))


def test_typed_beside_steered(talk: Page):
    press(talk, "t")
    expect(talk.locator(".mm-column-typed figcaption")).to_contain_text(
        re.compile("“?a big fox in the middle in a meadow.*night")
    )
    expect(talk.locator(".mm-column-typed img")).to_have_attribute("src", re.compile("^data:image/png"))
    expect(talk.locator(".mm-column-steered")).to_contain_text("+ night")
    expect(talk.locator(".mm-column-plain img")).to_have_attribute("alt", re.compile("^Before"))
    press(talk, "t")
    expect(talk.locator(".mm-column")).to_have_count(0)


def test_a_guess_hides_what_it_asks_for(talk: Page):
    press(talk, "g")
    dialog = talk.get_by_role("dialog")
    expect(dialog).to_contain_text("night: only seen, only said, or both?")
    expect(
        talk.locator(".mm-talk-text .mm-badge, .mm-talk .mm-after, .mm-stamp, .mm-talk-lesson, .mm-talk-fader")
    ).to_have_count(0)
    press(talk, "3")
    expect(talk.locator(".mm-talk-answer")).to_contain_text("✓ night")
    expect(talk.locator(".mm-talk-answer")).to_contain_text("0.60")
    expect(after(talk)).to_be_visible()
    press(talk, "2")  # now a step again
    expect(dialog).to_contain_text("warm light: only seen, only said, or both?")
    talk.get_by_role("button", name="only said").click()
    expect(talk.locator(".mm-talk-answer")).to_contain_text("✗ warm light")
    press(talk, "ArrowRight", "ArrowRight")  # a remote has one key for both: the next question, then its answer
    expect(talk.locator(".mm-talk-answer .mm-talk-name")).to_contain_text("white frame")


def test_before_and_after_in_turn_rest_for_who_wants_no_motion_and_by_keys(talk: Page):
    press(talk, "v")
    figure = talk.locator(".mm-talk .mm-blink")
    expect(talk.locator(".mm-stamp")).to_contain_text(re.compile("^[0-9.]+ % changed: seen and said$"))
    expect(after(talk)).to_be_visible()
    press(talk, "ArrowUp")
    expect(after(talk)).to_be_hidden()
    press(talk, "ArrowDown")
    expect(after(talk)).to_be_visible()
    talk.emulate_media(reduced_motion="no-preference")
    press(talk, "v", "v")
    timing = figure.evaluate("f => f.querySelector('.mm-after').getAnimations()[0].effect.getTiming()")
    assert (timing["duration"], timing["easing"]) == (
        2000,
        "linear",
    )  # each picture for a second: half a flash a second


@pytest.mark.parametrize(("key", "colour"), [("b", "rgb(0, 0, 0)"), (".", "rgb(0, 0, 0)"), ("w", "rgb(255, 255, 255)")])
def test_a_blank_screen_comes_back_with_any_key(talk: Page, key: str, colour: str):
    press(talk, key)
    cover = talk.get_by_label("blank screen")
    expect(cover).to_have_css("background-color", colour)
    press(talk, "ArrowRight")
    expect(cover).to_have_count(0)
    expect(talk.locator(".mm-talk-count")).to_have_text(re.compile("^1 of"))  # that key did nothing else


def test_the_keys_are_listed(talk: Page):
    press(talk, "?")
    expect(talk.locator(".mm-talk-list")).to_contain_text("slider: stronger, weaker")
    expect(talk.locator(".mm-talk-list")).to_contain_text("by more than 16 of 255")
    press(talk, "?")
    expect(talk.locator(".mm-talk-list")).to_have_count(0)


def test_on_a_machine_that_is_not_fast_enough_the_picture_follows_once_the_slider_rests(
    chromium, steerer, tiny_bank, monkeypatch
):
    monkeypatch.setattr("mmsteer.ui.talk.panel.LIVE", 0.0)
    with served(steerer, tiny_bank) as url:
        page = chromium.new_page()
        page.goto(url)
        expect(page.locator("#mm-pictures .mm-after")).to_be_visible()
        open_menu(page)
        page.locator("#mm-talk-open").click()
        expect(after(page)).to_be_visible()
        press(page, "-")
        expect(after(page)).to_have_attribute("alt", re.compile("night:0.9$"))
        page.close()
