"""Stability: matching of steering vectors, names and labels between builds, and how far activations move, by hand."""

import argparse
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.bank import FeatureBank
from mmsteer.cli import bank as command
from mmsteer.studies.measures.rebuilds import SAME, best_matches, cosine_matrix, null_cosines, rebuilt, same_name
from mmsteer.studies.measures.shares import Share, mean_with_interval
from mmsteer.studies.measures.tiny_changes import moved, paraphrase, quantile_with_interval
from mmsteer.studies.stability import spread, summary_rows
from mmsteer.world.captions import wordings
from mmsteer.world.factors import FACTORS
from mmsteer.world.pairs import WorldPairs


def with_vectors(bank: FeatureBank, image: torch.Tensor, text: torch.Tensor, features=None) -> FeatureBank:
    tensors = bank.tensors | {"steering_image": image, "steering_text": text}
    return FeatureBank(features or bank.features, bank.meta, bank.dictionaries, tensors)


def test_features_are_matched_whatever_their_order_scale_and_noise_but_not_with_their_sign_turned(tiny_bank):
    bank = FeatureBank.load(tiny_bank)
    image, text = bank.tensors["steering_image"], bank.tensors["steering_text"]
    noise = 0.02 * torch.randn(text.shape, generator=torch.Generator().manual_seed(2))
    order = [5, 3, 0, 8, 11, 1, 9, 2, 10, 4, 7, 6]
    turned = {bank.get("penguin").text_latent}
    signs = torch.tensor([-1.0 if latent in turned else 1.0 for latent in range(len(text))])[:, None]
    shuffled = [replace(bank.features[k], id=place) for place, k in enumerate(order)]
    other = with_vectors(bank, 3 * image, signs * (text + noise), shuffled)
    cosine = cosine_matrix(bank, other)
    match = best_matches(cosine)
    for k, feature in enumerate(bank.features):
        column = order.index(k)
        if feature.name == "penguin":
            assert cosine[k, column] < -SAME
            assert match[k] is None
        else:
            assert match[k] == column
            assert cosine[k, column] > 0.98


def test_a_vector_is_compared_with_those_of_its_own_side_whatever_the_other_label_is(tiny_bank):
    bank = FeatureBank.load(tiny_bank)
    relabelled = [replace(f, modality="vision") if f.name == "night" else f for f in bank.features]
    other = with_vectors(bank, bank.tensors["steering_image"], bank.tensors["steering_text"], relabelled)
    assert other.get("night").side == "image"
    cosine = cosine_matrix(bank, other)
    night, warm, lovely = (bank.get(name).id for name in ("night", "warm light", "lovely"))
    assert cosine[night, night] == pytest.approx(1.0)  # caption's vector with caption's vector
    assert cosine[warm, lovely] == -1.0  # it has no latent of pictures
    assert cosine[lovely, warm] == -1.0


def test_the_assignment_is_one_to_one_and_of_pairs_that_are_near_enough():
    assert best_matches(np.array([[0.9, 0.8], [0.85, 0.1]])) == [1, 0]  # 0.8 + 0.85 is more than 0.9 alone
    assert best_matches(np.array([[0.9, 0.7], [0.85, -1.0]])) == [
        0,
        None,
    ]  # 0.7 is no match, and takes none from others
    assert best_matches(np.array([[0.2], [0.9], [0.95]])) == [None, None, 0]
    assert best_matches(np.array([[0.2, 0.3]]), least=0.25) == [1]


def test_the_null_is_the_nearest_feature_of_another_concept(tiny_bank):
    bank = FeatureBank.load(tiny_bank)
    few = FeatureBank([bank.get("cat"), bank.get("night"), replace(bank.get("snow"), named_by=None)], {})
    cosine = np.array([[0.95, 0.3, 0.99], [0.85, 0.7, 0.99], [0.1, 0.1, 0.9]])
    null = null_cosines(few, few, cosine)
    # of cat the nearest other concept is at 0.3, of night at 0.85; snow has no known concept
    assert null["null, median"] == pytest.approx((0.3 + 0.85) / 2)
    assert null[f"null from {SAME} on"].value == 0.5
    assert null[f"same concept from {SAME} on"].value == 0.5  # 0.95 and 0.7
    assert null["nearest, median"] == 0.99


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("cat", "cat 2", True), ("dog", "hound", True), ("bike", "bicycle 2", True), ("snow 2", "in winter", True),
        ("cat", "dog", False), ("warm light", "cool light", False), ("one", "one 3", True), ("cat", "feature 7", False),
    ],
)  # fmt: skip
def test_names_agree_but_for_numbers_and_wordings(tiny_bank, one, other, same):
    cat = FeatureBank.load(tiny_bank).get("cat")
    a, b = (replace(cat, name=name, named_by=None if name.startswith("feature") else "truth") for name in (one, other))
    assert same_name(a, b) is same
    assert same_name(b, a) is same


def test_the_table_counts_builds_labels_and_names_by_modality(tiny_bank):
    bank = FeatureBank.load(tiny_bank).features
    known = {f.name: k for k, f in enumerate(bank)}
    first = [None if f.name == "lovely" else f for f in bank]
    second = [None if f.modality != "cross" else f for f in bank]
    second[known["cat"]] = replace(bank[known["cat"]], modality="vision", name="dog")
    features = [
        {"found in": 1 + sum(build[k] is not None for build in (first, second)), "hits": [None] * 3}
        for k in range(len(bank))
    ]
    features[known["snow"]]["hits"] = [Share(1.0, 0, 1, 4), Share(0.5, 0, 1, 4), Share(0.75, 0, 1, 4)]
    vision, language, cross, unnamed = summary_rows(bank, [first, second], features)
    assert (vision["features"], vision["count"]) == ("vision", 3)
    assert (vision["3 of 3"].value, vision["2 of 3"].value, vision["1 of 3"].value) == (0, 1, 0)
    assert (language["2 of 3"].value, language["1 of 3"].value) == pytest.approx((2 / 3, 1 / 3))
    assert language["same label"].trials == 2  # lovely has no match
    assert cross["3 of 3"].value == 1
    assert cross["same label"].value == cross["same name"].value == pytest.approx(5 / 6)
    assert (cross["hit"].value, cross["hit of matches"].value) == (1.0, pytest.approx(5 / 8))
    assert cross["spread"].value == 0.5
    assert unnamed["count"] == 0


def test_what_moves_is_the_change_over_the_mean_activation_where_it_fires():
    before = np.array([[2.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    after = np.array([[3.0, 0.0, 5.0], [4.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    values, sample = moved(before, after)  # scales 3 and 1; the third feature never fires before, and has none
    assert sorted(zip(sample.tolist(), values.tolist(), strict=True)) == [
        (0, pytest.approx(1 / 3)),
        (1, 0),
        (1, 2),
        (2, 1),
    ]
    assert quantile_with_interval(values, sample, 0.5).value == pytest.approx((1 / 3 + 1) / 2)


def test_intervals_are_over_inputs_not_over_values():
    one = quantile_with_interval(np.array([1.0, 2.0, 9.0]), np.array([0, 0, 0]), 0.5)
    assert (one.value, one.low, one.high) == (2, 2, 2)  # from one input nobody knows how inputs differ
    two = quantile_with_interval(np.array([0.0, 0.0, 10.0, 10.0]), np.array([0, 0, 1, 1]), 0.5)
    assert (two.value, two.low, two.high) == (5, 0, 10)
    assert quantile_with_interval(np.zeros(0), np.zeros(0, int), 0.5).trials == 0
    mean = mean_with_interval([0.0, 1.0] * 50)
    assert mean.value == 0.5
    assert 0.35 < mean.low < 0.5 < mean.high < 0.65


def test_spread_is_over_the_builds_that_have_a_hit():
    half, all_of_them = Share(0.5, 0, 1, 8), Share(1.0, 0, 1, 8)
    assert spread([half, None, all_of_them]) == 0.5
    assert spread([half, None, None]) is None


def test_a_paraphrase_has_the_same_facts_in_other_words():
    batch = next(WorldPairs(4, 60, 128).batches(60))
    rows, texts = paraphrase(np.random.default_rng(0), batch)
    assert len(rows) > 40
    assert all(text != batch.captions[k] for k, text in zip(rows, texts, strict=True))
    checked = 0
    for k, text in zip(rows, texts, strict=True):
        for i, factor in enumerate(FACTORS):
            ways = wordings(factor.name, factor.values[batch.factors[k, i]]) if batch.mentioned[k, i] else ()
            if ways and ways != ("none",):
                assert any(f" {way} " in f" {text.replace(',', ' ,')} " for way in ways), (batch.captions[k], text)
                checked += 1
    assert checked > len(rows)


def test_builds_are_used_again_only_with_the_same_settings_and_seed(tmp_path):
    shipped = FeatureBank.load(ASSETS / "banks" / "mini")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    calls = []

    def build(arguments):
        args = parser.parse_args(["build", *arguments])
        calls.append(args)
        meta = {
            "seed": args.seed,
            "steps": args.steps,
            "pairs": args.count,
            "held_out": round(args.held_out * args.count),
        }
        folder = shutil.copytree(
            shipped.folder, args.out, ignore=shutil.ignore_patterns("examples"), dirs_exist_ok=True
        )
        data = json.loads((folder / "bank.json").read_text())
        (folder / "bank.json").write_text(json.dumps(data | {"meta": data["meta"] | meta}))

    assert rebuilt(shipped, 7, False, tmp_path, build).meta["seed"] == 7
    assert (calls[0].objective, calls[0].image, calls[0].text) == ("matryoshka", "24:5,32:4,160:3", "24:5,72:2,160:3")
    assert (calls[0].steps, calls[0].count, calls[0].pairs) == (1500, 30_000, "world")
    rebuilt(shipped, 7, False, tmp_path, build)
    assert len(calls) == 1
    other = FeatureBank(shipped.features, shipped.meta | {"steps": 99}, folder=shipped.folder)
    assert rebuilt(other, 7, False, tmp_path, build).meta["steps"] == 99
    rebuilt(shipped, 8, False, tmp_path, build)
    assert len(calls) == 3


def test_the_command_hands_the_study_a_way_to_build_banks(monkeypatch, tmp_path):
    built = []
    monkeypatch.setattr(command, "run", built.append)
    monkeypatch.setattr(
        "mmsteer.studies.stability.study", lambda build, work, **_: build(["--out", str(work), "--steps", "7"]) or {}
    )
    assert main(["study", "stability", "--work", str(tmp_path)]) == 0
    assert [(args.action, args.out, args.steps) for args in built] == [("build", tmp_path, 7)]


def test_a_small_world_bank_is_built_with_as_many_held_out_as_asked(tmp_path):
    arguments = ["bank", "build", "--pairs", "world:3", "--count", "300", "--held-out", "0.9", "--steps", "20"]
    arguments += ["--image", "16:2", "--text", "16:2", "--device", "cpu", "--pictures", "0"]
    assert main([*arguments, "--out", str(tmp_path / "bank"), "--work", str(tmp_path / "work")]) == 0
    meta = FeatureBank.load(tmp_path / "bank").meta
    assert (meta["pairs"], meta["held_out"]) == (300, 270)


def test_a_bank_remembers_in_how_many_builds_a_feature_was_found_and_old_ones_load(tiny_bank, tmp_path):
    shutil.copytree(tiny_bank, tmp_path / "bank")
    path = tmp_path / "bank" / "bank.json"
    data = json.loads(path.read_text())
    for record in data["features"]:
        del record["found_in"]  # as banks had it before
    path.write_text(json.dumps(data))
    bank = FeatureBank.load(tmp_path / "bank")
    assert all(feature.found_in is None for feature in bank.features)
    bank.set_found_in({1: (3, 3), 9: (2, 3)})
    assert [f.found_in for f in bank.features if f.found_in] == [(3, 3), (2, 3)]
    again = FeatureBank.load(tmp_path / "bank")
    assert again.features == bank.features
    assert again.get("night").found_in == (3, 3)
    assert again.get("night").name == "night"


def test_a_quick_run_writes_nothing_into_the_bank(capsys):
    assert main(["study", "stability", "--quick", "--write"]) == 2
    assert "--write is for the full run: leave --quick out" in capsys.readouterr().err
