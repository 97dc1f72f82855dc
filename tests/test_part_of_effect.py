"""How much of an edit is left on some words or in some steps alone: against NumPy, in sentences, and as a row's options say it."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, open_row

from mmsteer import Edit, Recipe, Region, Sampler, Steerer
from mmsteer.pictures.part_of_effect import in_words, part_of_effect
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.part import measured

expect.set_options(timeout=WAIT)
RECIPE = Recipe("a big cat", 3, Sampler(4, 3.0), (Edit("night"),), region=Region.box(0, 0, 0.5, 1))


def test_it_is_the_change_beside_that_of_the_whole_edit(tiny: Steerer):
    words = Edit("penguin", strength=4.0, words=("cat",))
    everywhere = Edit("penguin", strength=4.0)
    before, part, whole = (
        np.asarray(tiny.steer("a big cat", edits, 3, RECIPE.sampler).after).astype(float)
        for edits in ((), (words,), (everywhere,))
    )
    by_hand = np.abs(part - before).mean() / np.abs(whole - before).mean()
    assert by_hand > 0
    assert part_of_effect(tiny, RECIPE, words) == pytest.approx(min(1.0, by_hand))
    assert part_of_effect(tiny, RECIPE, everywhere) == 1.0
    assert (
        part_of_effect(tiny, RECIPE, Edit("penguin", strength=4.0, start=0.8)) == 0.0
    )  # four steps begin at 0 to 0.75
    assert part_of_effect(tiny, RECIPE, Edit("penguin", strength=0.0, words=("cat",))) is None


ALONE, ALL = "On “fox” alone", "% of the effect that it has on all words."
REST = (
    " The rest is in later words and the end of the prompt. For one part of the picture, use “Only here…” in its menu."
)
STEPS = "In these steps alone this feature has"


@pytest.mark.parametrize(
    ("edit", "share", "sentence"),
    [
        (Edit("night", words=("fox",)), 0.04, f"{ALONE} this feature has 4.0 {ALL}{REST}"),
        (Edit("night", words=("a", "fox")), 0.6, f"On “a” and “fox” alone this feature has 60 {ALL}"),
        (Edit("night", words=("fox",), end=0.5), 0.5, f"{ALONE} in these steps this feature has 50 {ALL}"),
        (Edit("night", start=0.5), 0, f"{STEPS} 0 % of the effect that it has in all of them. The first steps decide: start earlier."),
        (Edit("night", end=0.2), 0.1, f"{STEPS} 10 % of the effect that it has in all of them. Let it act longer."),
        (Edit("night", words=("fox",)), None, "This feature hardly changes this picture, on all words and in all steps either."),
    ],
)  # fmt: skip
def test_a_share_in_words(edit: Edit, share: float | None, sentence: str):
    assert in_words(edit, share) == sentence


def test_the_page_answers_what_its_rows_ask(tiny: Steerer):
    state = PageState(tiny.bank, lambda: tiny)
    edit = Edit("penguin", strength=4.0, words=("cat",))
    query = Recipe("a big cat", 3, tiny.sampler, (Edit("night"), edit)).to_query()
    answer = measured(state.known, state.loading, {"query": query, "id": 0})
    share = part_of_effect(tiny, Recipe("a big cat", 3, tiny.sampler), edit)
    assert answer == {
        "query": query,
        "id": 0,
        "sentence": in_words(edit, share),
        "little": share is not None and share < 0.2,
    }
    for asked in (
        None,
        3,
        {},
        {"query": query},
        {"query": query, "id": 8},
        {"query": "x", "id": 0},
        {"query": query, "id": 0, "x": 1},
    ):
        wrong = measured(state.known, state.loading, asked)
        assert "sentence" not in wrong
        assert "log" not in wrong["error"]


def test_a_row_s_options_say_what_is_left(page: Page):
    feature = page.locator(".mm-row .mm-name").first.inner_text().split("\n")[0]
    open_row(page, feature)
    expect(page.locator(".mm-what-is-left")).to_have_count(0)  # it acts on all words and in all steps
    page.locator(f"[aria-label='words that {feature} applies to'] .mm-chip").first.click()
    left = page.locator(".mm-what-is-left")
    expect(left).to_be_visible()
    expect(left).to_contain_text(re.compile("left|alone|hardly changes"))
    # where pictures are live it is measured by itself; a new pair replaces the button, so it is clicked as it is found
    page.wait_for_function(
        """() => {
          const left = document.querySelector(".mm-what-is-left");
          left.querySelector("button")?.click();
          return /alone this feature has \\d|hardly changes this picture/.test(left.textContent);
        }""",
        timeout=WAIT,
    )
