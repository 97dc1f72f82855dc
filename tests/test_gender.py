"""The study of gender bias: figures that a reader checks by hand, what every removal keeps, and the command on small runs."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.bank import FeatureBank
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.steering.steerer import Steerer
from mmsteer.studies import gender
from mmsteer.studies.bias import pictures, verdict
from mmsteer.studies.bias.carriers import probe
from mmsteer.studies.bias.detection import credit, detect, gap_by_occupation
from mmsteer.studies.bias.drawing import Cast
from mmsteer.studies.bias.groups import COMPARISONS, SideGroups, separation
from mmsteer.studies.bias.mitigation import arms
from mmsteer.studies.bias.people import TEMPLATES, People, prompts_for
from mmsteer.studies.bias.removal import WAYS, along, energy_of, mean_difference, new_space, removed, without
from mmsteer.studies.bias.skew import kl, max_skew, mean_absolute_deviation, ndkl, shares
from mmsteer.studies.bias.trial import Sizes, new_trial
from mmsteer.studies.measures.shares import Share
from mmsteer.studies.results import page
from mmsteer.studies.results.sections import gender as section
from mmsteer.world.factors import BIAS, FACTORS, INDEX, OCCUPATIONS, USUAL_GENDER
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

EVEN = np.array([0.5, 0.5])
TINY = Sizes(people=4, others=4, pairs=256, top=4, draws=2, pictures=2)
THING, GENDER = INDEX["thing"], INDEX["gender"]


# -- skew --


def test_a_ranking_with_every_group_at_its_share_has_no_skew():
    assert max_skew(np.array([0, 1, 1, 0]), EVEN) == 0
    assert max_skew(np.array([0, 1, 1, 1]), np.array([0.25, 0.75])) == 0
    assert kl(EVEN, EVEN) == 0


def test_max_skew_is_the_log_of_the_most_favoured_share_over_the_desired_one():
    assert max_skew(np.array([0, 0, 0, 1]), EVEN) == pytest.approx(np.log(0.75 / 0.5))
    assert max_skew(np.array([1, 1]), EVEN) == pytest.approx(
        np.log(2)
    )  # one group alone: the other is never the maximum


def test_kl_of_one_group_alone_is_log_two():
    assert kl(np.array([1.0, 0.0]), EVEN) == pytest.approx(np.log(2))


def test_ndkl_weighs_the_first_ranks_most():
    # KL of the top 1 is log 2, of the top 2 is 0; the weights are 1 and 1 / log2(3)
    assert ndkl(np.array([0, 1]), EVEN) == pytest.approx(np.log(2) / (1 + 1 / np.log2(3)))
    assert ndkl(np.array([0, 0, 1, 1]), EVEN) > ndkl(np.array([0, 1, 0, 1]), EVEN)
    assert ndkl(np.array([0, 0, 0]), EVEN) == pytest.approx(np.log(2))


def test_shares_and_deviation():
    assert shares(np.array([1, 1, 2, 0]), 3).tolist() == [0.25, 0.5, 0.25]
    assert mean_absolute_deviation(np.array([1.0, 0.5])) == 0.25
    assert mean_absolute_deviation(np.array([0.0, 1.0])) == 0.5


# -- detection --


@pytest.fixture
def four() -> tuple[torch.Tensor, torch.Tensor, People]:
    """A man and a woman as cook and as doctor. The first coordinate says man, the second cook, the third doctor; the woman doctor
    looks like a man, and queries for an occupation lean to men."""
    people = People(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), ("man", "woman"), ("cook", "doctor"))
    image = torch.tensor([[1.0, 1, 0], [-1, 1, 0], [1, 0, 1], [0.1, 0, 1]])
    man, woman = torch.tensor([1.0, 0, 0]), torch.tensor([-1.0, 0, 0])
    cook, doctor = torch.tensor([0.2, 1, 0]), torch.tensor([0.2, 0, 1])
    texts = [man] * len(TEMPLATES) + [woman] * len(TEMPLATES) + [cook, doctor]
    texts += [man + cook, woman + cook, man + doctor, woman + doctor]
    return F.normalize(image, dim=1), F.normalize(torch.stack(texts), dim=1), people


def test_prompts_ask_for_each_group_and_occupation():
    prompts = prompts_for(("man", "woman"), ("cook", "doctor"))
    assert [prompts.texts[i] for i in prompts.groups[1]] == ["a woman", "a picture of a woman", "a photo of a woman"]
    assert [prompts.texts[i] for i in prompts.occupations] == ["a cook", "a doctor"]
    assert prompts.texts[prompts.groups_at_work[1, 0]] == "a man doctor"
    assert prompts_for(("man", "woman"), ("",)).occupations.size == 0


def test_detection_counts_by_occupation_and_group(four):
    image, text, people = four
    found = detect(image, text, people, prompts_for(people.groups, people.occupations), 1)
    assert found.right.tolist() == [[1, 1], [1, 0]]
    assert gap_by_occupation(found.right).tolist() == [0, 1]
    assert found.shares[0].tolist() == [1, 0]  # of the cooks, the man leads: the query leans to men
    assert found.max_skew[0] == pytest.approx(np.log(2))


def test_a_tie_is_half_right_however_rounding_breaks_it():
    similarity = torch.tensor([[0.3, 0.3 + 1e-7], [0.3, 0.5], [0.5, 0.3]])
    assert credit(similarity, np.array([0, 0, 0])).tolist() == [0.5, 0, 1]


def test_prompts_that_are_projected_away_answer_nothing(four):
    image, text, people = four
    prompts = prompts_for(people.groups, people.occupations)
    blind = without(text, along(text, text[torch.from_numpy(prompts.groups.ravel())].T))
    assert detect(image, blind, people, prompts, 1).right.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_the_desired_share_is_that_of_the_people(four):
    assert four[2].desired.tolist() == [0.5, 0.5]
    assert four[2]._replace(group=np.array([0, 0, 0, 1])).desired.tolist() == [0.75, 0.25]


# -- removal --


@pytest.fixture
def space():
    """Twenty vectors read by a dictionary whose latents are the coordinates."""
    dictionary = SparseAutoencoder(SAEConfig(4, 4))
    dictionary.W_dec.data, dictionary.W_enc.data = torch.eye(4), torch.eye(4)
    x = F.normalize(torch.rand(20, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    return new_space(x, dictionary.requires_grad_(False), torch.full((3, 4), 0.25))


def test_each_way_takes_out_what_it_says(space):
    latents = np.array([0, 2])
    zero, project, median = (removed(space, latents, way) for way in WAYS)
    assert torch.allclose(zero[:, latents], space.x[:, latents])
    assert not zero[:, [1, 3]].any()
    assert torch.allclose(project, zero, atol=1e-6)  # encoder and decoder are the same here
    assert torch.allclose((space.x - median)[:, latents], torch.full((20, 2), 0.25))


@pytest.mark.parametrize("way", WAYS)
def test_nothing_removed_changes_nothing(space, way):
    assert torch.allclose(without(space.x, removed(space, np.array([], dtype=np.int64), way)), space.x, atol=1e-6)


def test_what_is_left_has_unit_length_and_nothing_along_a_projected_direction(space):
    direction = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    left = without(space.x, along(space.x, direction))
    assert torch.allclose(left.norm(dim=1), torch.ones(20))
    assert (left @ direction).abs().max() < 1e-6
    twice = torch.cat([direction, 2 * direction], 1)  # the same span
    assert torch.allclose(along(space.x, twice), along(space.x, direction), atol=1e-6)


def test_rounding_is_not_scaled_to_unit_length():
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert without(x, torch.tensor([[1.0, 1e-6], [0.0, 0.5]])).tolist() == [[0, 0], [0, 1]]


def test_energy_is_the_mean_squared_length():
    assert energy_of(torch.tensor([[3.0, 4.0], [0.0, 0.0]])) == 12.5


def test_a_mean_difference_leads_from_the_first_group_to_each_other():
    x = torch.tensor([[0.0, 0], [2, 0], [0, 3], [0, 5]])
    assert mean_difference(x, np.array([0, 0, 1, 1])).T.tolist() == [[-1, 4]]
    assert mean_difference(x, np.array([0, 1, 2, 2])).shape == (2, 2)


# -- which features --


def test_a_latent_that_tells_groups_apart_separates_them_fully():
    code = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert separation(code, np.array([0, 0, 1, 1])).tolist() == [1, 0, 0]


@pytest.fixture(scope="module")
def bank() -> FeatureBank:
    return FeatureBank.load(ASSETS / "banks" / "mini")


@pytest.fixture(scope="module")
def trial(bank):
    return new_trial(bank, 7, TINY)


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_comparison_takes_as_many_of_every_class_and_only_its_own(bank, trial, side, comparison):
    groups: SideGroups = trial.groups[side]
    chosen = {
        name: groups.chosen(comparison, name, np.random.default_rng(0), 2)
        for name in groups.latents
    }  # fmt: skip
    for name, choices in chosen.items():
        assert all(
            set(latents) <= set(groups.latents[name]) and len(set(latents)) == len(latents) for latents in choices
        )
    if comparison == "whole":
        assert chosen["random"] == []
    else:
        assert len({len(latents) for choices in chosen.values() for latents in choices}) == 1


def test_test_people_are_balanced_and_other_people_are_others(trial):
    cells = np.bincount(trial.people.occupation * 2 + trial.people.group)
    assert cells.tolist() == [TINY.people] * 2 * len(OCCUPATIONS)
    assert len(trial.gender) == TINY.others * 2 * len(OCCUPATIONS)
    assert trial.gender.mean() == 0.5


def test_all_arms_of_a_comparison_take_out_the_same_energy(trial):
    energies: dict[tuple[str, str], list[dict[str, float]]] = {}
    for arm, outcome in arms(trial):
        assert all(np.isfinite(values).all() for values in outcome.figures.values())
        if arm.comparison in verdict.FAIR:
            energies.setdefault((arm.comparison, arm.way), []).append(outcome.energy)
    assert len(energies) == len(verdict.FAIR) * len(WAYS)
    for each in energies.values():
        for side in ("image", "text"):
            amounts = [energy[side] for energy in each if energy[side]]
            assert max(amounts) == pytest.approx(min(amounts), rel=1e-3)


def test_a_trial_returns_with_its_seed(bank, trial):
    again = new_trial(bank, 7, TINY).figures({})
    assert all(np.array_equal(values, again[name]) for name, values in trial.figures({}).items())


def test_a_probe_reads_what_is_there_and_chance_where_nothing_is():
    rng = np.random.default_rng(0)
    group = np.arange(200) % 2
    noise = torch.from_numpy(rng.normal(size=(200, 3)))
    assert np.mean(probe(noise, group)) == pytest.approx(0.5, abs=0.15)
    noise[:, 1] += 10 * torch.from_numpy(group)
    assert np.mean(probe(noise, group)) == 1


# -- pictures --


def seen(*people: tuple[str, str]) -> np.ndarray:
    rows = np.zeros((len(people), len(FACTORS)), np.int64)
    for row, (thing, who) in zip(rows, people, strict=True):
        row[THING] = FACTORS[THING].values.index(thing)
        row[GENDER] = FACTORS[GENDER].values.index(who)
    return rows


def test_the_share_of_men_is_among_people():
    read = seen(("doctor", "man"), ("doctor", "woman"), ("doctor", "woman"), ("cat", "nobody"))
    assert pictures.share_of_men(read)[::3] == (pytest.approx(1 / 3), 3)
    assert pictures.is_shown(read, "doctor").tolist() == [True, True, True, False]


def test_a_leak_is_everything_but_gender():
    before = seen(("doctor", "man"), ("doctor", "man"))
    assert pictures.leak(before, seen(("doctor", "woman"), ("doctor", "woman"))).value == 0
    changed = pictures.leak(before, seen(("doctor", "man"), ("cat", "man")))
    assert changed.value * changed.trials == pytest.approx(1)


def test_the_planted_share_is_the_worlds():
    assert all(
        pictures.planted_share(name) == pytest.approx(BIAS if usual == "man" else 1 - BIAS)
        for name, usual in USUAL_GENDER.items()
    )
    assert pictures.prompt_for("doctor") == "a doctor"
    assert pictures.prompt_for("doctor", "woman") == "a woman doctor"
    assert pictures.prompt_for("artist") == "an artist"  # as captions have it


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


@pytest.fixture(scope="module")
def edits(mini) -> pictures.GenderEdits:
    return pictures.GenderEdits(mini)


def test_the_feature_that_carries_most_is_named_after_gender(edits):
    assert edits.ranked("cross")[0].name in ("man", "woman")


def test_edits_of_a_class_are_of_its_features(edits):
    for name in ("vision", "language", "cross"):
        chosen = [edits.bank.get(edit.feature) for edit in edits.of(name, count=3)]
        assert [feature.modality for feature in chosen] == [name] * 3
    assert len(edits.of("random")) == pictures.COUNT
    assert edits.of("cross", strength=0) == ()


def test_strength_scales_what_is_removed(mini, edits):
    state = mini.read(["a woman doctor"])
    half, full = (mini.schedule(state, edits.of("cross", strength)).shift for strength in (0.5, 1.0))
    assert torch.allclose(2 * half, full, atol=1e-4)
    assert not mini.schedule(state, edits.of("vision", way="set")).shift.any()  # no prompt contains them


def test_without_edits_the_same_pictures_are_drawn_and_counted(mini):
    judge = Judge.load(MINI / "judge")
    before, after = (pictures.draw(mini, [pictures.prompt_for("doctor")] * 2, [0, 1], ()) for _ in range(2))
    assert torch.equal(before, after)
    read = judge.read(before), judge.read(after)
    assert pictures.share_of_men(read[0]) == pictures.share_of_men(read[1])
    assert pictures.planted_share("doctor") == pytest.approx(BIAS)
    assert pictures.leak(*read).value == 0
    words = pictures.draw(mini, [pictures.prompt_for("doctor", g) for g in ("man", "woman")], [0, 1])
    assert pictures.share_of_men(judge.read(words)).value == 0.5


def test_every_way_of_drawing_has_a_row(mini):
    cast = Cast(mini, Judge.load(MINI / "judge").read, [3], 2, ("doctor",))
    rows = list(cast.rows())
    plain, words = rows[0], rows[-1]
    assert plain["removed"] == "nothing"
    assert plain["leak"].value == 0
    assert words["way"] == "words"
    lengths = [row["length"] for row in rows if row["strength"] == "equal energy"]
    assert max(lengths) == pytest.approx(min(lengths), rel=1e-3)
    untouched = next(row for row in rows if (row["removed"], row["way"]) == ("vision", "set"))
    assert untouched["men"] == plain["men"]


# -- verdict --


def outcome(name: str, comparison: str, low: float, high: float) -> dict:
    over = {key: Share((low + high) / 2, low, high, 18) for key in ("gap", *verdict.GAPS)}
    return {"removed": name, "comparison": comparison, "way": "zero", "on": "pictures", "over random": over}


def test_a_claim_holds_where_both_gaps_are_narrower_in_most_comparisons():
    narrow, wide, unclear = (-0.2, -0.1), (0.1, 0.2), (-0.1, 0.1)
    first, second = verdict.FAIR
    figures = {"mitigate": [outcome("vision", first, *narrow), outcome("vision", second, *narrow),
                            outcome("language", first, *narrow), outcome("language", second, *unclear),
                            outcome("cross", first, *wide), outcome("cross", "whole", *narrow)]}  # fmt: skip
    assert verdict.counts(verdict.fair_rows(figures, "vision"), "MaxSkew") == (2, 0)
    assert verdict.counts(verdict.fair_rows(figures, "cross"), "MaxSkew") == (0, 1)
    assert [verdict.holds(figures, name) for name in verdict.NAMES] == [True, False, False]


# -- the command --


def test_the_study_writes_figures_and_a_section(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(gender, "QUICK", TINY)
    monkeypatch.setattr(gender, "SEEDS", 2)
    monkeypatch.setattr(gender, "Cast", partial(Cast, occupations=("doctor",)))
    target, drawn = tmp_path / "gender.json", tmp_path / "gender.png"
    assert main(["study", "gender", "--quick", "--json", str(target), "--figure", str(drawn)]) == 0
    assert Image.open(drawn).width > 500
    figures = json.loads(target.read_text())
    text = section.section(figures)
    assert figures["text"] in text
    assert figures["features"][0]["feature"] in text
    assert "claim" in figures["text"]
    present = {name: value for name, value in page.read().items() if name != "gender"}
    assert section.TITLE not in page.render(present)
    assert section.TITLE in page.render(present | {"gender": figures})
