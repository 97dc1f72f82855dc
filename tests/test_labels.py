"""Objectives, cross-modal probes, nulls and the studies of labels: known concepts, values by hand, small real runs."""

import json

import numpy as np
import pytest
import torch

from mmsteer.bank.mds import absolute_rule, score, separation, swap_null
from mmsteer.data.embeddings import Embedded
from mmsteer.errors import SteerError
from mmsteer.labelling.codes import Codes, encode_pairs
from mmsteer.labelling.cross_modal_probe import append_latents, probe_latents
from mmsteer.labelling.known_names import f1
from mmsteer.labelling.match import drop_duplicates, match_latents, probe_unmatched
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.studies.concepts import KINDS, draw_concepts
from mmsteer.studies.measures.objective_runs import DatasetSplits
from mmsteer.studies.measures.truth import decodable, identify
from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries, fvu, quality
from mmsteer.training.objectives import OBJECTIVES, train_dictionaries
from mmsteer.training.scaling import fit_scaling
from mmsteer.training.trainer import new_dictionary
from mmsteer.world.factors import FACTORS, INDEX

GROUPS = (MatryoshkaGroup(8, 2), MatryoshkaGroup(16, 2))
SMALL = DictionarySizes(GROUPS, GROUPS)


def test_topk_fires_the_k_largest_and_survives_saving(tmp_path):
    sae = SparseAutoencoder(SAEConfig(3, 3, k=2))
    with torch.no_grad():
        sae.W_enc.copy_(torch.eye(3))
        sae.W_dec.copy_(torch.eye(3))
    assert sae.encode(torch.tensor([[1.0, 3.0, 2.0], [-1.0, 0.5, -2.0]])).tolist() == [[0, 3, 2], [0, 0.5, 0]]
    sae.save(tmp_path / "image")
    config = json.loads((tmp_path / "image" / "cfg.json").read_text())
    assert (config["architecture"], config["k"]) == ("topk", 2)
    again = SparseAutoencoder.load(tmp_path / "image")
    assert again.config == sae.config
    assert torch.equal(again.encode(torch.ones(1, 3)), sae.encode(torch.ones(1, 3)))


@pytest.mark.parametrize("k", [0, 4])
def test_a_topk_that_cannot_be_is_refused(k):
    with pytest.raises(SteerError, match="0 < k <= n_latents"):
        SAEConfig(3, 3, k=k)


def test_scaling_moves_into_the_weights():
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 7) + 3
    scaling = fit_scaling(x, 0.5)
    rows = scaling.apply(x)
    assert rows.square().mean().item() == pytest.approx(1, abs=1e-4)
    dictionary = new_dictionary(SAEConfig(6, 12), torch.Generator().manual_seed(1))
    folded = scaling.fold(dictionary)
    assert torch.allclose(folded.encode(x), dictionary.encode(rows), atol=1e-4)
    back = dictionary.decode(dictionary.encode(rows)) @ scaling.inverse + scaling.mean
    assert torch.allclose(folded(x), back, atol=1e-3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_takes_raw_rows_of_both_sides(name):
    concepts = draw_concepts(0, 0.8, 400)
    trained = train_dictionaries(
        name, concepts.pairs.image, concepts.pairs.text, SMALL, TrainingConfig(20, batch_size=64)
    )
    for dictionary, x in ((trained.image, concepts.pairs.image), (trained.text, concepts.pairs.text)):
        code = dictionary.encode(x)
        assert code.shape == (400, dictionary.config.n_latents)
        assert code.isfinite().all()
        assert (code >= 0).all()
        assert (code > 0).any()
        measured = quality(dictionary, x)
        assert measured["fvu"] == pytest.approx(fvu(dictionary, x), abs=1e-4)
        assert measured["l0"] == pytest.approx((code > 0).sum(1).float().mean().item(), abs=0.01)
    assert trained.paired == (name not in ("matryoshka", "matched", "random"))
    _, latents = match_latents(trained, concepts.pairs)
    assert all(i == t for i, t in latents) == trained.paired
    for side in zip(*latents, strict=True):  # a latent is in one feature at most
        present = [latent for latent in side if latent is not None]
        assert len(set(present)) == len(present) > 0


def test_raw_and_principal_axes_lose_nothing():
    concepts = draw_concepts(0, 0.8, 400)
    for name in ("raw", "pca"):
        trained = train_dictionaries(name, concepts.pairs.image, concepts.pairs.text, SMALL, TrainingConfig(1))
        assert fvu(trained.image, concepts.pairs.image) == pytest.approx(0, abs=1e-6)


def test_a_random_decoder_stays_random():
    concepts = draw_concepts(0, 0.8, 400)
    after = [
        train_dictionaries(
            "random", concepts.pairs.image, concepts.pairs.text, SMALL, TrainingConfig(steps, batch_size=64)
        ).image
        for steps in (1, 30)
    ]
    assert torch.allclose(after[0].W_dec, after[1].W_dec, atol=1e-5)
    assert not torch.allclose(after[0].W_enc, after[1].W_enc, atol=1e-3)


def test_pairs_that_do_not_match_are_refused():
    with pytest.raises(SteerError, match=r"\(40, 8\) picture rows and \(39, 8\) caption rows"):
        train_dictionaries("matryoshka", torch.randn(40, 8), torch.randn(39, 8), SMALL, TrainingConfig(1))
    with pytest.raises(SteerError, match="no objective 'best': choose one of matryoshka, matched"):
        train_dictionaries("best", torch.randn(40, 8), torch.randn(40, 8), SMALL, TrainingConfig(1))


def test_a_concept_is_on_the_sides_of_its_kind():
    concepts = draw_concepts(3, 0.5, 500)
    kinds = np.array(KINDS)
    assert not concepts.image[:, kinds == "language"].any()
    assert not concepts.text[:, kinds == "vision"].any()
    assert (concepts.image[:, kinds == "cross"] == concepts.text[:, kinds == "cross"]).all()
    again = draw_concepts(3, 0.5, 500)
    assert torch.equal(again.pairs.image, concepts.pairs.image)


def test_matching_keeps_a_concept_that_a_shared_dictionary_splits():
    """The problem the default solves (2606.29888), in a few seconds: directions of a concept with a cosine of 0.5."""
    sizes = DictionarySizes((MatryoshkaGroup(48, 4),), (MatryoshkaGroup(48, 4),))
    train, matching, scoring = (draw_concepts(0, 0.5, n) for n in (6000, 2000, 2001))
    cross = np.flatnonzero(np.array(KINDS) == "cross")
    labelled = {}
    for name in ("shared", "matched"):
        trained = train_dictionaries(
            name, train.pairs.image, train.pairs.text, sizes, TrainingConfig(500, batch_size=256)
        )
        _, latents = match_latents(trained, matching.pairs)
        z = encode_pairs(trained, scoring.pairs).of(latents)
        labels = [absolute_rule(score(z.image[:, k], z.text[:, k], resamples=1)) for k in range(len(latents))]
        reached = f1(z.image > 0, scoring.image[:, cross]) > 0.7
        labelled[name] = (reached & (np.array(labels) == "cross")[:, None]).any(0).mean()
    assert labelled["matched"] > 0.8
    assert labelled["shared"] < 0.4


def test_the_cross_modal_probe_extends_a_latent_only_where_the_other_side_predicts_it():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 6, generator=rng)
    predicted = torch.relu(x[:, 0] + x[:, 1] - 1)  # fires along a direction of the other side
    alone = torch.relu(torch.randn(2000, generator=rng) - 1)
    readable, directions, thresholds = probe_latents(torch.stack([predicted, alone], 1), x)
    assert readable.tolist() == [True, False]
    direction = directions[0] / directions[0].norm()
    assert direction[:2].tolist() == pytest.approx([0.5**0.5] * 2, abs=0.05)
    fires = x @ directions[0] > thresholds[0]
    assert (fires == (predicted > 0)).float().mean() > 0.97


def test_an_appended_latent_fires_by_itself_and_decodes_to_nothing():
    dictionary = new_dictionary(SAEConfig(4, 8), torch.Generator().manual_seed(0)).requires_grad_(False)
    dictionary.b_dec.copy_(torch.tensor([1.0, 0.0, 0.0, 2.0]))
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    grown = append_latents(dictionary, torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.tensor([0.5]))
    assert torch.allclose(grown.encode(x)[:, :8], dictionary.encode(x), atol=1e-6)
    assert torch.allclose(grown.encode(x)[:, 8], torch.relu(x[:, 0] - 0.5), atol=1e-6)
    assert torch.allclose(grown(x), dictionary(x), atol=1e-6)


def test_single_latents_get_partners_and_nothing_else_changes():
    train, matching = (draw_concepts(0, 0.5, n) for n in (2000, 1500))
    trained = train_dictionaries(
        "matryoshka", train.pairs.image, train.pairs.text, SMALL, TrainingConfig(100, batch_size=128)
    )
    _, latents = match_latents(trained, matching.pairs)
    grown, after = probe_unmatched(trained, latents, matching.pairs)
    assert isinstance(grown, Dictionaries)
    for (i, t), (new_i, new_t) in zip(latents, after, strict=True):
        assert new_i == i if i is not None else new_i is None or new_i >= trained.image.config.n_latents
        assert new_t == t if t is not None else new_t is None or new_t >= trained.text.config.n_latents


def test_neither_side_wins_by_scale():
    """Captions encoded three times as strongly give the same scores: activations are divided by each latent's own scale."""
    x = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    pairs = Embedded(x, x + 0.1, [""] * 400, np.zeros((400, 0), int), np.zeros((400, 0), bool))
    quiet, loud = (new_dictionary(SAEConfig(4, 6), torch.Generator().manual_seed(1)) for _ in range(2))
    with torch.no_grad():
        loud.W_enc.mul_(3)
    mds = []
    for text in (quiet, loud):
        z = encode_pairs(Dictionaries(quiet.requires_grad_(False), text.requires_grad_(False), True), pairs)
        mds.append([score(z.image[:, k], z.text[:, k], resamples=1).mds for k in range(6)])
    assert mds[0] == pytest.approx(mds[1], abs=1e-5)


def test_no_feature_comes_twice():
    """Latents 0 and 1 of both sides fire alike; of (0, 0) and (1, 1) the first stays, (2, 2) is another concept."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(500, 2, generator=rng)
    dictionary = SparseAutoencoder(SAEConfig(2, 3)).requires_grad_(False)
    dictionary.W_enc.copy_(torch.tensor([[1.0, 0.9, 0.0], [0.0, 0.1, 1.0]]))
    dictionaries = Dictionaries(dictionary, dictionary, False)
    pairs = Embedded(x, x, [""] * 500, np.zeros((500, 0), int), np.zeros((500, 0), bool))
    assert drop_duplicates(dictionaries, [(0, 0), (1, 1), (2, 2)], pairs) == [(0, 0), (2, 2)]


def test_exchanging_sides_leaves_no_modality():
    """20 one-sided and 20 cross features: the score tells them apart; with the sides of random pairs exchanged it cannot
    (each is at one half but for chance)."""
    rng = np.random.default_rng(0)
    fires = rng.random((4000, 40)) < 0.1
    z_image = fires * rng.uniform(0.5, 1.5, fires.shape)
    z_text = fires * rng.uniform(0.5, 1.5, fires.shape)
    z_text[:, :10], z_image[:, 10:20] = 0, 0

    def separated(a, b):
        mds = np.array([score(a[:, k], b[:, k], resamples=1).mds for k in range(40)])
        return separation(mds[:20], mds[20:]), mds

    assert separated(z_image, z_text)[0] == 1.0
    null = separated(*swap_null(z_image, z_text))[1]
    assert np.abs(null - 0.5).max() < 0.1


def test_separation_by_hand():
    # distances 0.5 and 0.1 against 0.1 and 0.0: won, won, tied, won
    assert separation(np.array([1.0, 0.6]), np.array([0.4, 0.5])) == pytest.approx(3.5 / 4)


def small_world(count: int) -> Embedded:
    """Pairs whose embeddings are the one-hot of place and light on the picture side, of a mentioned place on the other."""
    rng = np.random.default_rng(count)
    factors = np.stack([rng.integers(0, len(f.values), count) for f in FACTORS], 1)
    mentioned = rng.random(factors.shape) < 0.7
    place, light = factors[:, INDEX["place"]], factors[:, INDEX["light"]]
    image = np.concatenate([np.eye(8)[place], np.eye(3)[light]], 1)
    text = np.concatenate([np.eye(8)[place] * mentioned[:, INDEX["place"], None], np.zeros((count, 3))], 1)
    noise = 0.05 * rng.standard_normal((2, count, 11))
    tensors = [torch.from_numpy((side + n).astype(np.float32)) for side, n in zip((image, text), noise, strict=True)]
    return Embedded(tensors[0], tensors[1], [""] * count, factors, mentioned)


def test_only_what_the_embeddings_carry_is_decodable():
    readable = decodable(small_world(1500), small_world(1501))
    assert {("place", v) for v in FACTORS[INDEX["place"]].values} <= readable
    assert ("light", "warm") in readable
    assert not any(factor in ("thing", "size", "frame", "mood") for factor, _ in readable)


def test_a_feature_is_identified_on_its_stronger_side():
    world = small_world(400)
    place, light = world.factors[:, INDEX["place"]], world.factors[:, INDEX["light"]]
    mentioned = world.mentioned[:, INDEX["place"]]
    z_image = np.stack([place == 2, light == 1, np.arange(400) % 2 == 0], 1) * 1.0
    z_text = np.stack([(place == 2) & mentioned, np.zeros(400), np.zeros(400)], 1) * 1.0
    values = identify(Codes(z_image, z_text, np.ones(3), np.ones(3)), world, world)
    assert values == [("place", "night"), ("light", "warm"), None]


def test_a_study_reads_the_same_pairs_again(tmp_path):
    splits = DatasetSplits(tmp_path, 5, 64, 64)
    first, again = splits.embed("world"), splits.embed("world")
    assert [len(part.captions) for part in first] == [64, 32, 32]
    assert torch.equal(first[0].image, again[0].image)
    assert len(list(tmp_path.iterdir())) == 2
