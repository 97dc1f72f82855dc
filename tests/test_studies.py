"""What the studies of steering count, on cases that a reader checks by hand; and that no method gets more help than another."""

import numpy as np
import pytest
import torch

from mmsteer.steering.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.effects import concepts
from mmsteer.studies.measures import cases as counting
from mmsteer.studies.measures.cases import Cases, index
from mmsteer.studies.measures.means import FEATURE, FIGURES, SHIPPED, as_shipped, filled, over, summarise
from mmsteer.studies.measures.methods import (
    DIRECTIONS,
    WITH_SUPPRESSION,
    WORDS,
    directions,
    draw_pushed,
    needs_labels,
    suppression_shift,
)
from mmsteer.studies.measures.shares import Share, share
from mmsteer.world.factors import FACTORS, INDEX

THING, GENDER, PLACE, FRAME = (INDEX[name] for name in ("thing", "gender", "place", "frame"))
CAT, DOG, FARMER = (index(("thing", name)) for name in ("cat", "dog", "farmer"))
NIGHT, SNOW = (index(("place", name)) for name in ("night", "snow"))


def row(**values):
    """One picture's factors, all others at their first value."""
    factors = np.zeros(len(FACTORS), dtype=np.int64)
    for name, value in values.items():
        factors[INDEX[name]] = value
    return factors


@pytest.fixture
def four():
    """Four prompts: a cat at night, a dog in the snow, a woman farmer at night, a cat; the last was drawn as a dog."""
    values = np.stack([
        row(thing=CAT, place=NIGHT), row(thing=DOG, place=SNOW), row(thing=FARMER, gender=2, place=NIGHT), row(thing=CAT),
    ])  # fmt: skip
    mentioned = np.zeros_like(values, dtype=bool)
    mentioned[:, THING] = True
    mentioned[:3, PLACE] = True
    mentioned[2, GENDER] = True
    before = values.copy()
    before[3, THING] = DOG
    return Cases(values, mentioned, [1, 2, 3, 4], before)


def test_a_hit_is_a_value_that_was_absent_and_shows_after(four):
    after = four.before.copy()
    after[0, THING] = after[3, THING] = DOG
    assert counting.hit(four, after, ("thing", "dog"))[::3] == (0.5, 2)  # the second and the fourth showed one before
    assert counting.hit(four, after, ("frame", "on"))[::3] == (0.0, 4)
    after[:, GENDER] = 1
    assert counting.hit(four, after, ("gender", "man"))[::3] == (1.0, 1)  # only a person can become one


def test_a_leak_is_another_factor_that_was_mentioned_and_shown_and_is_lost(four):
    after = four.before.copy()
    after[0, PLACE] = SNOW
    assert counting.leak(four, after, "thing")[::3] == (
        pytest.approx(1 / 3),
        3,
    )  # three places; gender goes with the thing
    assert counting.leak(four, after, "place")[::3] == (0.0, 4)  # three things as mentioned, and one gender
    assert counting.others_stay(four, after, "thing")[::3] == (pytest.approx(2 / 3), 3)


def test_removal_in_three_figures(four):
    after = four.before.copy()
    after[0, PLACE] = SNOW  # night is gone from the first, not from the third
    after[1, PLACE] = NIGHT  # the snow did not stay
    assert counting.gone(four, after, ("place", "night"))[::3] == (0.5, 2)
    assert counting.siblings_stay(four, after, ("place", "night"))[::3] == (0.0, 1)
    assert counting.changed(four, after)[::3] == (0.5, 4)


def test_the_same_prompts_with_another_word_or_without(four):
    assert all(
        "night" in text or "moonlight" in text or "stars" in text for text in four.prompts_with(("place", "night"))
    )
    cats = four.prompts_with(("thing", "cat"))
    assert not any("man" in text.split() or "woman" in text.split() or "female" in text.split() for text in cats)
    for text in four.prompts_without("thing"):
        assert not {"cat", "kitten", "kitty", "dog", "puppy", "hound", "farmer"} & set(text.split())
    assert four.prompts == four.prompts


def test_means_count_a_concept_once_and_pair_it_with_what_ships():
    def line(feature, concept, method, hits):
        figures = dict.fromkeys(FIGURES) | {"hit": share(hits, 10)}
        return {"feature": feature, "modality": "cross", "concept": concept, "method": method} | figures

    mean = DIRECTIONS["mean"].title
    rows = [
        line("owl", "thing owl", SHIPPED, 10), line("owl 2", "thing owl", SHIPPED, 4), line("cat", "thing cat", SHIPPED, 9),
        line("owl", "thing owl", mean, 5), line("owl 2", "thing owl", mean, 5), line("cat", "thing cat", mean, 5),
    ]  # fmt: skip
    by_method = {row["method"]: row for row in summarise(rows)}
    assert by_method[SHIPPED]["hit"].value == pytest.approx((0.7 + 0.9) / 2)
    assert by_method[SHIPPED]["hit"].trials == 2
    assert by_method[SHIPPED]["hit - shipped"].value == 0
    assert by_method[mean]["hit - shipped"].value == pytest.approx(((0.5 - 0.7) + (0.5 - 0.9)) / 2)
    assert by_method["twins apart"]["hit"].value == pytest.approx(0.6)
    assert by_method[SHIPPED]["leak"] is None
    assert [row["needs labels"] for row in by_method.values()] == ["no", "yes", None]
    printed = filled(list(by_method.values()))
    assert "leak" not in printed[0]
    assert printed[-1]["hit - shipped"] == "-"


def test_what_ships_is_the_feature_with_suppression_where_there_is_any():
    rows = [
        {"feature": f, "method": m} for f, m in (("owl", FEATURE), ("owl", SHIPPED), ("warm", FEATURE), ("owl", "x"))
    ]
    assert [(row["feature"], row["method"]) for row in as_shipped(rows)] == [("owl", SHIPPED), ("warm", FEATURE)]


def test_an_interval_over_concepts_contains_the_mean_and_closes_on_agreement():
    assert over([]) is None
    assert over([0.5, 0.5]) == Share(0.5, 0.5, 0.5, 2)
    apart = over([0.0, 1.0] * 20)
    assert 0.3 < apart.low < 0.5 < apart.high < 0.7


def test_a_proportion_has_its_wilson_interval():
    assert share(8, 10) == pytest.approx((0.8, 0.4902, 0.9433, 10), abs=1e-4)  # by hand, with z = 1.96
    assert (share(5, 5).high, share(0, 5).low) == (1.0, 0.0)
    assert str(share(0, 0)) == "-"


def test_methods_that_use_labels_or_words_of_the_value_say_so():
    needed = {title: needs_labels(title) for title in (FEATURE, SHIPPED, *(method.title for method in WORDS.values()))}
    assert needed == {
        FEATURE: False,
        SHIPPED: False,
        "words appended": True,
        "words replaced": True,
        "words left out": True,
    }
    assert needs_labels(DIRECTIONS["mean"].title + WITH_SUPPRESSION)
    assert not needs_labels(DIRECTIONS["random"].title)


@pytest.fixture(scope="module")
def mini():
    return Steerer.load("mini")


def test_every_direction_is_as_long_as_the_feature_s_own(mini):
    for name in ("night", "warm light", "please draw"):
        feature = mini.bank.get(name)
        vectors = directions(mini, feature, torch.randn(128, generator=torch.Generator().manual_seed(0)))
        assert vectors.keys() == DIRECTIONS.keys()
        lengths = [float(vector.norm()) for vector in vectors.values()]
        assert lengths == pytest.approx([lengths[0]] * 4, rel=1e-5)
        state = mini.read(["a cat"])
        shift = mini.schedule(state, [Edit(feature.id)]).shift[0]
        assert torch.allclose(
            vectors["feature"] + suppression_shift(mini, state, feature, 1.0)[0],
            shift,
            atol=1e-6,
        )


def test_the_feature_with_suppression_is_what_a_slider_draws(mini):
    prompts, seeds = ["a cat at night", "a dog in the snow"], [3, 4]
    for name in ("desert", "white frame"):
        feature = mini.bank.get(name)
        state = mini.read(prompts)
        dx = directions(mini, feature, torch.ones(128))["feature"] + suppression_shift(mini, state, feature, 1.0)
        drawn = draw_pushed(mini, prompts, dx, seeds, feature.image_only)
        slid = mini.render_many(prompts, [Edit(feature.id)], seeds)
        assert (drawn.int() - slid.int()).abs().max() <= 1
        assert (drawn.int() - mini.render_many(prompts, (), seeds).int()).abs().max() > 50


def test_suppression_takes_away_the_mutually_exclusive_feature_in_the_prompt(mini):
    feature = mini.bank.get("desert")
    state = mini.read(["a cat at night", "a cat"])
    fade = suppression_shift(mini, state, feature, 1.0)
    assert fade[0].norm() > 0.1
    assert fade[1].norm() == pytest.approx(0.0, abs=1e-6)
    half = suppression_shift(mini, state, feature, 0.5)
    assert torch.allclose(half, 0.5 * fade, atol=1e-6)


def test_concepts_have_all_features_of_a_value_and_a_large_step_leaves_one_of_each_modality(mini):
    every = concepts(mini, 1)
    assert len(every[("place", "forest")]) > 1
    few = concepts(mini, 1000)
    assert {features[0].modality for features in few.values()} == {"cross", "vision", "language"}
    assert len(few) == 3
