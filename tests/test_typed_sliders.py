"""Sliders that a visitor types, on the page: the row, its picture, the link, the sweep; and what cannot be made."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, pixels, recipe_shown, source

from mmsteer import Edit, FeatureBank, Recipe, Steerer, SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.ui.api import Api
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.live import frame
from mmsteer.ui.steer.opening import Opening
from mmsteer.ui.steer.rack import edits_of, rows
from mmsteer.ui.steer.typed import make
from mmsteer.ui.steer.words import by_words
from mmsteer.ui.sweep.panel import Sweeps

FAST = Sampler(2, 1.0)
EDITS = (Edit("cat → snow", strength=0.8), Edit("night", "remove", 0.5))
RECIPE = Recipe("a cat at night", 3, FAST, EDITS)


@pytest.fixture(scope="module")
def state(steerer: Steerer, tiny_bank: Path) -> PageState:
    """What the page's handlers share."""
    return PageState(FeatureBank.load(tiny_bank), lambda: steerer)


def test_a_typed_slider_is_known_by_its_name_class_range_and_nearest_features(state: PageState, steerer: Steerer):
    made = make(state.known, {"text": "Cat -> snow"})["made"]
    direction = steerer.feature("cat -> snow")
    assert (made["id"], made["name"]) == ("cat → snow", "cat → snow")
    assert made["modality"] == direction.modality
    assert made["usable"] == list(direction.usable)
    assert direction.near[0][0].name in made["scoreTooltip"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"text": "cat -> zebra"}, "does not know zebra"), ({"text": "-> "}, "a word after it"), ({"text": "night"}, "add it"),
        ({"text": "yak"}, "no feature"), ({"text": 3}, "cannot be read"), (None, "cannot be read"), ({"text": "→" * 10**5}, "one arrow"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_said_in_one_sentence(state: PageState, value: object, why: str):
    answer = make(state.known, value)
    assert list(answer) == ["error"]
    assert why in answer["error"]
    assert len(answer["error"]) < 700


def test_rows_hold_typed_sliders_and_give_their_edits_back(state: PageState):
    rack = rows(state.known, EDITS)
    assert [entry["id"] for entry in rack["directions"]] == ["cat → snow"]
    assert edits_of(state.known, rack) == list(EDITS)
    modality = state.known.get("cat → snow").modality
    assert edits_of(state.known, rack | {"silent": [modality, "cross"]}) == []
    with pytest.raises(SteerError, match="the rack cannot be read"):
        edits_of(state.known, {"rows": [rack["rows"][0] | {"id": "→ x" * 1000}], "silent": []})


def test_a_link_with_a_typed_slider_is_opened_and_says_what_cannot_be_made(state: PageState):
    opening = Opening(state)
    link = Recipe("a cat", 3, FAST, (*EDITS, Edit("cat -> zebra"))).to_query()
    prompt, seed, rack, sampler, *_, notes = opening.restore(lambda: Recipe.from_query(link))
    assert (prompt, seed, sampler) == ("a cat", 3, FAST)
    assert edits_of(state.known, rack) == list(EDITS)
    assert "cat -&gt; zebra:1 is left out: the model does not know zebra" in notes


def test_frames_and_the_third_picture_follow_it(state: PageState):
    question = {
        "number": 1,
        "query": RECIPE.to_query(),
        "rack": {"rows": rows(state.known, EDITS)["rows"], "silent": []},
    }
    assert frame(state.known, state.loading, question)["frame"]["after"]["src"].startswith("data:image/jpeg")
    third = by_words(state.bank, state.loading, state.reading, {"query": RECIPE.to_query()})
    assert third["prompt"] == "a snow at"


def test_the_panel_sweeps_it(state: PageState):
    sweeps, rack = Sweeps(state), rows(state.known, EDITS)
    question = {"kind": "over", "features": ["cat → snow"], "run": 1}
    laid = sweeps.lay("a cat at night", 3, rack, FAST, "", None, None, question)["laid"]
    assert laid["axes"] == ("cat → snow",)
    assert laid["cells"][0]["puts"] == [["cat → snow", state.known.get("cat → snow").usable[0]]]
    drawn = sweeps.draw({"again": laid["again"], "cell": laid["order"][0], "run": 1})
    assert drawn["drawn"]["picture"].startswith("data:image/")


def test_the_api_draws_and_sweeps_it(state: PageState, steerer: Steerer):
    api = Api(state)
    assert api.asked("a cat", ["cat -> snow:0.5"]).edits == (Edit("cat -> snow", strength=0.5),)
    api.check_strip("a cat", "cat -> snow")
    cells = api.strip("a cat", "cat -> snow", frames=3, sampler=FAST, origin=steerer.origin).cells
    assert len(cells) == 3
    for refuse in (lambda: api.asked("a cat", ["a -> b -> c"]), lambda: api.check_strip("a cat", "->")):
        with pytest.raises(SteerError, match="one arrow"):
            refuse()


def test_type_two_words_and_a_row_draws_and_stays_after_a_reload(page: Page):
    after, search = source(page, "after"), page.get_by_label("add a feature")
    search.fill("night -> zebra")
    search.press("Enter")
    expect(page.locator("#mm-rack [role=alert]")).to_contain_text("the model does not know zebra", timeout=WAIT)
    assert source(page, "after") == after
    search.fill("night -> beach")
    search.press("Enter")
    row = page.locator(".mm-row", has_text="night → beach")
    expect(row.locator(".mm-badge")).to_be_visible(timeout=WAIT)
    changed(page, after)
    assert recipe_shown(page).edits[-1] == Edit("night → beach")
    assert pixels(page, "before") != pixels(page, "after")
    expect(page.get_by_label("feature to sweep")).to_have_value("night → beach")
    drawn = pixels(page, "after")
    page.reload()
    expect(page.locator(".mm-row", has_text="night → beach")).to_be_visible(timeout=WAIT)
    page.locator("#mm-pictures .mm-after").wait_for()
    assert pixels(page, "after") == drawn
