"""What promises most on a prompt: the rule, the pictures, and the panel in a real browser."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, source

from mmsteer import Edit, FeatureBank, Recipe, Sampler, Steerer, SteerError, sweep
from mmsteer.bank.promising import TRIALS, Trial, promising
from mmsteer.pictures.change import mean_difference
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.rack import rows
from mmsteer.ui.sweep.panel import Sweeps

expect.set_options(timeout=WAIT)
NAMES = [
    ("cat", "cross"), ("dog", "cross"), ("owl", "cross"), ("owl 2", "cross"), ("snow", "cross"), ("big", "cross"), ("warm", "vision"),
    ("frame", "vision"), ("blur", "vision"), ("dark", "vision"), ("please", "language"), ("lovely", "language"),
]  # fmt: skip
CAT, DOG, OWL, OWL_2, SNOW, BIG, WARM, FRAME, BLUR, DARK, PLEASE, LOVELY = range(12)
ANIMALS = {CAT, DOG, OWL, OWL_2}


@pytest.fixture(scope="module")
def bank(tiny_bank: Path) -> FeatureBank:
    """Animals that exclude each other, the owl nearest to the cat; names less sure from one to the next."""
    made = FeatureBank.load(tiny_bank)
    first = {"cross": made.get("penguin"), "vision": made.get("warm light"), "language": made.get("lovely")}
    features = [
        replace(
            first[modality], id=k, name=name, name_confidence=1 - k / 100, modality=modality,
            mutually_exclusive=tuple(sorted(ANIMALS - {k})) if k in ANIMALS else (),
        ) for k, (name, modality) in enumerate(NAMES)
    ]  # fmt: skip
    bank = FeatureBank(features, made.meta, made.dictionaries, made.tensors)
    bank.__dict__["directions"] = made.directions[:12].clone()
    bank.directions[OWL] = bank.directions[CAT]
    return bank


def chosen(bank: FeatureBank, contained: Sequence[tuple[int, float]], **more) -> list[tuple[str, bool]]:
    trials = promising(bank, [(bank.get(k), amount) for k, amount in contained], **more)
    return [(trial.feature.name, trial.takes_out) for trial in trials]


def test_the_twelve_follow_the_rule(bank: FeatureBank):
    """The cat is contained, hardly any snow; the nearest animal first, a concept once; the surest names of the rest."""
    assert chosen(bank, [(CAT, 1.1), (SNOW, 0.4)]) == [
        ("cat", True), ("owl", False), ("dog", False), ("snow", False), ("big", False), ("warm", False), ("frame", False),
        ("blur", False), ("dark", False), ("please", False), ("lovely", False),
    ]  # fmt: skip
    assert promising(bank, [(bank.get(CAT), 1.0)])[1] == Trial(bank.get(OWL), False, bank.get(CAT))


def test_what_a_prompt_says_already_is_taken_out_and_not_added(bank: FeatureBank):
    assert ("lovely", True) in chosen(bank, [(LOVELY, 1.0)])
    assert ("snow", False) not in chosen(bank, [(SNOW, 1.0)])


def test_active_features_and_those_that_act_on_nothing_are_left_out(bank: FeatureBank):
    names = [name for name, _ in chosen(bank, [(CAT, 1.0)], active={OWL_2, WARM}, image_only=False)]
    assert names == ["cat", "dog", "snow", "big", "please", "lovely"]


def test_no_more_than_twelve_and_nothing_without_a_name(tiny: Steerer):
    many = FeatureBank.load("assets/banks/mini")
    trials = promising(many, [(many.get(name), 1.0) for name in ("cat", "night", "big")])
    assert len(trials) == len({trial.feature.id for trial in trials}) == TRIALS
    assert [t.feature.modality for t in trials].count("vision") == 3
    assert all(trial.feature.specific for trial in trials)


def test_the_change_is_the_mean_difference_of_all_pixels():
    black, grey = Image.new("RGB", (2, 1)), Image.new("RGB", (2, 1))
    grey.putpixel((0, 0), (51, 102, 0))  # a fifth and two fifths, of six values in all
    assert mean_difference(black, grey) == pytest.approx((0.2 + 0.4) / 6)
    assert mean_difference(grey, grey) == 0
    assert mean_difference(black, Image.new("RGB", (2, 1), "white")) == 1


def test_each_picture_has_one_edit_more(tiny: Steerer):
    recipe = Recipe("a cat", 3, Sampler(2, 1.0), (Edit("night", strength=0.5),))
    laid = sweep.each(tiny.bank, recipe, [Edit("snow"), Edit("cat", "remove"), Edit("night", strength=2.0)])
    assert laid.columns == ("snow", "without cat", "night")
    assert [cell.recipe.edits for cell in laid.cells] == [
        (Edit("night", strength=0.5), Edit("snow")), (Edit("night", strength=0.5), Edit("cat", "remove")),
        (Edit("night", strength=2.0),),
    ]  # fmt: skip
    for edits in ([], [Edit("snow")] * 13):
        with pytest.raises(SteerError, match="from 1 to 12"):
            sweep.each(tiny.bank, recipe, edits)


def test_the_panel_lays_them_out_and_draws_what_a_click_gives(steerer: Steerer, tiny_bank: Path):
    state = PageState(FeatureBank.load(tiny_bank), lambda: steerer)
    sweeps, shown = Sweeps(state), rows(state.bank, [Edit("night")])
    laid = sweeps.lay("a cat", 3, shown, Sampler(2, 1.0), "", None, None, {"kind": "each", "features": [], "run": 1})[
        "laid"
    ]
    assert "mean difference" in laid["rule"]
    ids = [cell["puts"][0][0] for cell in laid["cells"]]
    assert len(set(ids)) == len(ids) <= TRIALS
    assert state.bank.get("night").id not in ids
    drawn = sweeps.draw({"again": laid["again"], "cell": 2, "run": 1})["drawn"]
    base = Recipe("a cat", 3, Sampler(2, 1.0), (Edit("night"),))
    feature, strength = laid["cells"][2]["puts"][0]
    edit = Edit(state.bank.get(feature).name, "add" if strength > 0 else "remove", abs(strength))
    after = steerer.picture(replace(base, edits=(*base.edits, edit)))
    assert drawn["change"] == pytest.approx(mean_difference(steerer.picture(base), after))


@pytest.mark.parametrize("prompt", ["", "x" * 3000])
def test_a_prompt_that_cannot_be_drawn_gets_a_sentence(steerer: Steerer, tiny_bank: Path, prompt: str):
    sweeps = Sweeps(PageState(FeatureBank.load(tiny_bank), lambda: steerer))
    answer = sweeps.lay(prompt, 3, {"rows": [], "silent": []}, None, "", None, None, {"kind": "each", "features": []})
    assert set(answer) == {"error", "run"}
    assert "log" not in answer["error"]


def test_on_my_prompt_sorts_by_change_and_a_click_activates(page: Page):
    page.get_by_role("button", name="On my prompt").click()
    expect(page.locator(".mm-sweep-status")).to_contain_text("Sorted")
    shares = [float(text.split()[0]) for text in page.locator(".mm-trial small").all_text_contents()]
    assert len(shares) > 5
    assert shares == sorted(shares, reverse=True)
    after = source(page, "after")
    page.locator(".mm-trial button").first.click()
    expect(page.locator(".mm-row")).to_have_count(2)
    changed(page, after)


def test_on_my_prompt_stops_when_another_picture_is_asked_for(
    page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    draw = steerer._draw

    def slow(*recipe):  # type: ignore[no-untyped-def]
        time.sleep(0.5)  # or all twelve could be there before the click
        return draw(*recipe)

    monkeypatch.setattr(steerer, "_draw", slow)
    page.get_by_role("button", name="On my prompt").click()
    page.wait_for_function(
        "document.querySelector('.mm-trial img') && !void document.querySelector('#mm-dice').click()", timeout=WAIT
    )  # at once
    expect(page.locator(".mm-sweep-status")).to_contain_text("stopped at")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
