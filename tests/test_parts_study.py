"""The study of edits that act in part: its parts are what recipes draw, its figures can be computed by hand, its page says them."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mmsteer import Edit, Recipe, Region, Steerer
from mmsteer.studies.measures.shares import Share, ratio_with_interval
from mmsteer.studies.parts import in_region, left
from mmsteer.studies.parts.drawing import (
    REGION,
    ROWS,
    WHOLE,
    Measured,
    from_start,
    measure,
    pictures,
    row_masks,
    scenes,
)
from mmsteer.studies.results import page
from mmsteer.studies.results.sections.pictures import parts as results
from mmsteer.ui.proof import tab as proof
from mmsteer.world.factors import THINGS
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge


@pytest.fixture(scope="module")
def mini():
    return Steerer.load("mini")


def test_a_ratio_is_of_sums_over_prompts_and_then_a_mean_over_features():
    parts, wholes = np.array([[1.0, 3.0], [0.0, 2.0]]), np.array([[2.0, 6.0], [4.0, 4.0]])
    ratio = ratio_with_interval(parts, wholes)
    assert ratio.value == pytest.approx((4 / 8 + 2 / 8) / 2)
    assert (ratio.low, ratio.high) == (0.25, 0.5)  # both prompts the first, or both the second
    assert ratio.trials == 2
    assert ratio_with_interval(0.4 * wholes, wholes) == pytest.approx((0.4, 0.4, 0.4, 2))


def test_prompts_are_fresh_each_has_a_thing_of_its_own_and_none_is_a_feature():
    each = scenes(1000, 24, ["penguin"])
    assert len({scene.thing for scene in each}) == 24
    assert {scene.thing for scene in each} <= THINGS.keys() - {"penguin"}
    assert len({scene.seed for scene in each}) == 24
    assert scenes(1000, 24, ["penguin"]) == each != scenes(1001, 24, ["penguin"])


def test_the_rows_of_the_words_and_of_the_end_are_all_rows_but_the_start(mini):
    each = scenes(0, 2, [])
    masks = row_masks(mini.read([scene.prompt for scene in each]).encoded, each)
    assert list(masks) == list(ROWS)
    assert [int(masks[kind][0].sum()) for kind in ROWS] == [2, 1, 1, 1, 1, 6, 1, 17]
    assert ((masks["all words"] + masks[ROWS[-1]])[:, 1:] == 1).all()
    assert not any(mask[:, 0].any() for mask in masks.values())


def test_parts_are_what_recipes_draw(mini):
    (scene,) = scenes(3, 1, [])
    night = mini.bank.get("night")
    drawn = pictures(mini, [scene], night)
    plain = Recipe(scene.prompt, scene.seed, mini.sampler)
    whole = replace(plain, edits=(Edit(night.id),))
    recipes = {
        "before": plain, WHOLE: whole, REGION: replace(whole, region=Region.box(0.5, 0, 1, 1)),
        "thing": replace(plain, edits=(Edit(night.id, words=(scene.thing,)),)),
        "all words": replace(plain, edits=(Edit(night.id, words=("a", "big", scene.thing, "in", scene.place)),)),
        from_start(0.5): replace(plain, edits=(Edit(night.id, start=0.5),)),
    }  # fmt: skip
    for part, recipe in recipes.items():
        ours = drawn[part][0].permute(1, 2, 0).numpy().astype(int)
        assert np.abs(ours - np.asarray(mini.picture(recipe)).astype(int)).max() <= 1, part
    measured = measure(mini, Judge.load(MINI / "judge"), [scene], [night])
    change = (drawn["thing"].float() - drawn["before"].float()).abs().mean()
    assert measured["thing"].change.tolist() == [[pytest.approx(float(change))]]


def test_figures_of_a_part_by_hand():
    def shown(change, new, outside=0.0):
        values = np.array([[change, change]])
        return Measured(values, values / 2, np.full((1, 2), outside), np.array([new]))

    measured = {WHOLE: shown(8.0, [1, np.nan], 6.0), "thing": shown(2.0, [0, np.nan]), REGION: shown(4.0, [1, 0], 41.0)}
    assert left(measured, "thing")["left"] == Share(0.25, 0.25, 0.25, 2)
    assert left(measured, "thing")["hit"][::3] == (0.0, 1)  # the second showed the value before
    region = in_region(measured, 0)
    assert region["inside"].value == 0.5
    assert (region["outside, dB"].value, region["outside everywhere, dB"].value) == (41.0, 6.0)
    assert (region["hit"].value, region["hit everywhere"].value) == (0.5, 1.0)


@pytest.fixture(scope="module")
def written():
    return page.read()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows", 2, "left", "value"), 0.987), (("rows", 9, "hit", "low"), 0.987), (("steps", 2, "left", "high"), 0.987),
        (("regions", 0, "outside, dB", "value"), 12.3), (("regions", 7, "hit", "value"), 0.987), (("prompts",), 99),
        (("seconds",), 7777.0),
    ],
)  # fmt: skip
def test_a_figure_changed_in_the_file_changes_the_section(path, value, written):
    figures = copy.deepcopy(written["parts"])
    place = figures
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] != value
    place[path[-1]] = value
    before, after = page.sections(written), page.sections({**written, "parts": figures})
    assert {name for name in before if before[name] != after[name]} == {"parts"}


def test_the_page_stands_without_the_file(written):
    assert results.TITLE in page.render(written)
    assert results.TITLE not in page.render({name: figures for name, figures in written.items() if name != "parts"})


def test_the_proof_says_what_the_file_says(tmp_path, written):
    figures = copy.deepcopy(written["parts"])
    next(row for row in figures["rows"] if row["on"] == "thing" and row["UNet"] == "mini")["left"]["value"] = 0.123
    assert "<b>12 %</b>" not in proof.proofs()
    (tmp_path / "parts.json").write_text(json.dumps(figures), encoding="utf-8")
    for version in ("parts.png", "parts-dark.png"):
        shutil.copy(proof.FIGURES / version, tmp_path)
    assert "<b>12 %</b> of an edit" in proof.proofs(tmp_path)
