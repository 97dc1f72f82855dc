"""Codes, scores, matching and bank folders: values a reader checks by hand, and loops as independent implementations."""

import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsteer.bank import FeatureBank
from mmsteer.bank.folder import SCHEMA
from mmsteer.bank.mds import absolute_rule, score
from mmsteer.data.embeddings import Embedded
from mmsteer.errors import SteerError
from mmsteer.labelling.known_names import distinct, f1
from mmsteer.labelling.match import match_codes
from mmsteer.labelling.mutual_exclusion import find_mutually_exclusive
from mmsteer.labelling.ood import embedding_statistics, with_usable_ranges
from mmsteer.labelling.steering_vectors import steering_tensors, steering_vectors
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.config import DictionaryConfig, MatryoshkaGroup, TrainingConfig
from mmsteer.training.dictionaries import fvu
from mmsteer.training.objectives.matryoshka import train_dictionary

codes = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.sampled_from([0.0, 0.25, 2.0])), min_size=1, max_size=30
)


def test_mds_by_hand():
    # ratios 1, 0, 0.75; the pair on which nothing fires does not count
    found = score(np.array([2.0, 0.0, 3.0, 0.0]), np.array([0.0, 1.0, 1.0, 0.0]))
    assert found.mds == pytest.approx((1 + 0 + 0.75) / 3)
    assert found.n_pairs == 3
    assert found.p_both == pytest.approx(1 / 3)
    assert found.cofiring == pytest.approx((1 / 4) / (1 / 2 * 1 / 2))
    assert found.energy_ratio == pytest.approx(13 / 15)
    assert found.low <= found.mds <= found.high


@given(codes)
@settings(max_examples=60, deadline=None)
def test_mds_agrees_with_a_loop_and_swapping_sides_mirrors_it(pairs):
    image, text = np.array(pairs).T
    ratios = [i / (i + t) for i, t in pairs if i + t > 0]
    found, mirrored = score(image, text, resamples=5), score(text, image, resamples=5)
    if not ratios:
        assert np.isnan(found.mds)
        return
    assert found.mds == pytest.approx(sum(ratios) / len(ratios))
    assert mirrored.mds == pytest.approx(1 - found.mds)


@pytest.mark.parametrize("rate", [0.01, 0.3, 1.0])
def test_a_feature_of_pictures_alone_scores_one_however_often_it_fires(rate):
    fires = np.arange(1000) < 1000 * rate
    assert score(fires * 2.0, np.zeros(1000)).mds == 1.0


def fires(count: int, *rows: int) -> np.ndarray:
    """1 on some rows of `count`, else 0."""
    z = np.zeros(count)
    z[list(rows)] = 1.0
    return z


def test_the_absolute_rule():
    assert absolute_rule(score(fires(20, 1, 2, 3), fires(20))) == "vision"
    assert absolute_rule(score(fires(20), fires(20, 1, 2, 3))) == "language"
    assert absolute_rule(score(fires(20, 1, 2, 3), fires(20, 1, 2))) == "cross"
    assert absolute_rule(score(fires(20, 1, 2, 3), fires(20, 7))) == "vision"  # two things, never together
    half = np.arange(20) % 2 == 0
    apart = np.arange(20) % 4 < 2
    assert absolute_rule(score(half * 1.0, apart * 1.0)) == "vision"  # together no more than chance has it
    assert absolute_rule(score(fires(20, 1, 2), 9 * fires(20, 1, 2))) == "language"  # one side dwarfs the other


@pytest.mark.parametrize("told", [0.2, 0.5, 1.0])
def test_a_concept_seldom_captioned_is_still_cross(told):
    drawn = np.arange(2000) % 20 == 0
    said = drawn & (np.arange(2000) // 20 % 10 < 10 * told)
    found = score(drawn * 1.0, said * 1.0)
    assert found.mds == pytest.approx(1 - told / 2)
    assert found.both == pytest.approx(0.5)
    assert absolute_rule(found) == "cross"


def test_a_latent_fires_above_its_threshold_and_decodes_linearly():
    sae = SparseAutoencoder(SAEConfig(3, 3))
    with torch.no_grad():
        sae.W_enc.copy_(torch.eye(3))
        sae.W_dec.copy_(torch.eye(3))
        sae.threshold.copy_(torch.tensor([1.5, 0.0, 2.0]))
    x = torch.tensor([[1.0, 3.0, 2.5], [-1.0, 0.5, 2.0]])
    assert sae.encode(x).tolist() == [[0.0, 3.0, 2.5], [0.0, 0.5, 0.0]]
    assert sae(x).tolist() == [[0.0, 3.0, 2.5], [0.0, 0.5, 0.0]]


def test_a_dictionary_survives_saving(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    sae = train_dictionary(x, DictionaryConfig((MatryoshkaGroup(16, 4),), TrainingConfig(30)))
    sae.save(tmp_path / "image")
    assert torch.equal(SparseAutoencoder.load(tmp_path / "image").encode(x), sae.encode(x))


def test_training_finds_known_directions():
    rng = torch.Generator().manual_seed(0)
    truth = torch.linalg.qr(torch.randn(16, 16, generator=rng)).Q[:6]
    # as many on at once as may fire: with room to spare TopK fills it, and directions blur
    which = torch.rand(4000, 6, generator=rng).argsort(1)[:, :2]
    on = torch.zeros(4000, 6).scatter(1, which, 1 + torch.rand(4000, 2, generator=rng))
    x = on @ truth + 0.01 * torch.randn(4000, 16, generator=rng)
    sae = train_dictionary(x, DictionaryConfig((MatryoshkaGroup(12, 2),), TrainingConfig(600)))
    decoder = torch.nn.functional.normalize(sae.W_dec, dim=1)
    assert fvu(sae, x) < 0.1
    assert (decoder @ truth.T).max(0).values.min() > 0.9


TWO_GROUPS = DictionaryConfig((MatryoshkaGroup(4, 1), MatryoshkaGroup(12, 3)), TrainingConfig(5))


@pytest.mark.parametrize("row", [torch.zeros(8), torch.full((8,), torch.nan), torch.full((8,), torch.inf)])
def test_a_bad_embedding_is_named(row):
    x = torch.randn(40, 8)
    x[7] = row
    with pytest.raises(SteerError, match="7"):
        train_dictionary(x, TWO_GROUPS)


def test_fewer_pairs_than_latents_is_refused():
    with pytest.raises(SteerError, match="10 pairs for 16 latents"):
        train_dictionary(torch.randn(10, 8), TWO_GROUPS)


def _two_latents():
    """A dictionary whose latents are the coordinates, and four rows; latent 0 fires on the first two, latent 1 never."""
    sae = SparseAutoencoder(SAEConfig(2, 2))
    with torch.no_grad():
        sae.W_enc.copy_(torch.eye(2))
        sae.W_dec.copy_(torch.eye(2))
    x = torch.tensor([[2.0, -1.0], [4.0, -3.0], [-1.0, -2.0], [-3.0, -4.0]])
    return sae, x


def test_a_steering_vector_is_the_mean_where_a_latent_fires_minus_the_mean_where_it_is_silent():
    sae, x = _two_latents()
    vectors, baselines = steering_vectors(sae, x)
    # latent 0 fires on the first two rows, 3 on average: (3, -2) - (-2, -3), over 3; latent 1 never does
    assert vectors[0].tolist() == pytest.approx([5 / 3, 1 / 3])
    assert vectors[1].tolist() == [0.0, 1.0]
    # where latent 0 is silent the mean is (-2, -3): along (5, 1) / 3 that is -13/3 of a squared length of 26/9
    assert baselines[0].item() == pytest.approx(-13 / 3 / (26 / 9))


def test_a_latent_that_varies_between_captions_of_a_scene_is_compared_within_scenes():
    sae, _ = _two_latents()
    # three scenes of three captions; latent 0 fires on one caption of the first two, latent 1 on all of the second scene
    scenes = [[[1.0, -2.0], [-1.0, -2.0], [-1.0, -2.0]], [[-1.0, 5.0], [1.0, 5.0], [-1.0, 5.0]], [[-1.0, -8.0]] * 3]
    vectors, baselines = steering_vectors(sae, torch.tensor(scenes).flatten(0, 1), captions_per_scene=3)
    # nothing of the scenes, of which the third never has it
    assert vectors[0].tolist() == pytest.approx([2.0, 0.0], abs=1e-5)
    assert baselines[0].item() == pytest.approx(-0.5)
    # latent 1: between scenes, (-1/3, 5) - (-2/3, -5) over 5
    assert vectors[1].tolist() == pytest.approx([1 / 15, 2.0])


def test_steering_vectors_of_text_latents_are_taken_from_captions_alone_where_there_are_any():
    sae, x = _two_latents()
    none = np.zeros((4, 0))
    pairs = Embedded(x, x, ["a"] * 4, none.astype(np.int64), none.astype(bool))
    scenes = torch.stack([x[:2], 3 * x[1:3], 2 * x[2:]])
    tensors = steering_tensors(pairs, {"image": sae, "text": sae}, scenes)
    assert torch.equal(tensors["steering_image"], steering_vectors(sae, x)[0])
    assert torch.equal(tensors["steering_text"], steering_vectors(sae, scenes.flatten(0, 1), captions_per_scene=2)[0])
    assert not torch.allclose(tensors["steering_text"], tensors["steering_image"])
    assert torch.equal(embedding_statistics(pairs)["mean_text"], x.mean(0))


def test_the_usable_range_ends_where_a_typical_prompt_leaves_the_usual_range(tiny_bank):
    feature = FeatureBank.load(tiny_bank).get("night")  # row 1 of the captions' dictionary, unit 0.5
    tensors = {
        "steering_text": torch.tensor([[0.0, 0.0], [1.0, 0.0]]), "ood_mean": torch.zeros(2),
        "ood_precision": torch.tensor([[4.0, 0.0], [0.0, 1.0]]), "ood_p99": torch.tensor(2.0),
    }  # fmt: skip
    # strength 1 moves x by (0.5, 0), which is a distance of 1; from (0.2, 0) the 2 are reached at 1.6 and at -2.4
    text = torch.tensor([[0.2, 0.0], [0.2, 0.0], [0.2, 0.0], [0.0, 9.0]])  # the last one lies outside
    assert with_usable_ranges([feature], tensors, text)[0].usable == (-2.4, 1.6)


def test_latents_that_fire_together_are_matched_one_to_one():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((500, 4)).astype(np.float32))
    text = torch.rand(500, 5, generator=torch.Generator().manual_seed(1))
    text[:, [3, 0, 2]] = image[:, :3]  # image latents 0, 1, 2 are text latents 3, 0, 2; the rest is noise
    matches = match_codes(image, text)
    assert list(zip(matches.image, matches.text, strict=True)) == [(0, 3), (1, 0), (2, 2)]
    assert matches.correlation == pytest.approx([1, 1, 1])


def test_f1_by_hand():
    fires = np.array([[1], [1], [0], [0]], bool)
    truth = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], bool)
    assert f1(fires, truth).tolist() == [[0.5, 0.0]]


def test_repeated_names_are_numbered():
    assert distinct(["cat", "dog", "cat"]) == ["cat", "dog", "cat 2"]


def test_a_bank_survives_saving(tiny_bank, tmp_path):
    bank = FeatureBank.load(tiny_bank)
    bank.save(tmp_path / "bank")
    again = FeatureBank.load(tmp_path / "bank")
    assert again.features == bank.features
    for side, dictionary in bank.dictionaries.items():
        assert torch.equal(again.dictionaries[side].W_dec, dictionary.W_dec)
    assert all(torch.equal(again.tensors[key], value) for key, value in bank.tensors.items())
    assert not list(tmp_path.glob("*.partial"))


def test_a_missing_bank_names_the_file_and_the_cure(tmp_path):
    with pytest.raises(
        SteerError, match=r"bank\.json does not exist.*git checkout|bank\.json does not exist.*bank build"
    ):
        FeatureBank.load(tmp_path / "nowhere")


@pytest.mark.parametrize("file", ["bank.json", "bridge.safetensors", "text/sae_weights.safetensors"])
def test_a_truncated_file_is_named(tiny_bank, tmp_path, file):
    FeatureBank.load(tiny_bank).save(tmp_path / "bank")
    path = tmp_path / "bank" / file
    path.write_bytes(path.read_bytes()[:40])

    def read_all():
        bank = FeatureBank.load(tmp_path / "bank")
        return bank.dictionaries, bank.tensors

    with pytest.raises(SteerError, match=path.name.replace(".", r"\.")):
        read_all()


@pytest.mark.parametrize(("schema", "cure"), [(99, "update mmsteer"), (1, "build the bank again")])
def test_a_bank_of_another_schema_is_refused_with_the_cure(tiny_bank, tmp_path, schema, cure):
    FeatureBank.load(tiny_bank).save(tmp_path / "bank")
    path = tmp_path / "bank" / "bank.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', f'"schema": {schema}'))
    with pytest.raises(SteerError, match=f"schema {schema};.*{cure}"):
        FeatureBank.load(tmp_path / "bank")


def test_mutually_exclusive_are_named_features_that_no_caption_has_together(tiny):
    features = tiny.bank.features
    cat, snow, lovely, penguin = (tiny.bank.get(name) for name in ("cat", "snow", "lovely", "penguin"))
    dictionary = SparseAutoencoder(tiny.bank.dictionaries["text"].config)
    dictionary.W_enc.data = torch.eye(16, 24)  # latent k fires where coordinate k is positive
    generator = torch.Generator().manual_seed(0)
    text = torch.zeros(4000, 16)
    thing = torch.randint(3, (4000,), generator=generator)
    text[thing == 0, cat.latent] = 1.0
    text[thing == 1, penguin.latent] = 1.0
    text[torch.rand(4000, generator=generator) < 0.3, snow.latent] = 1.0
    text[:12, lovely.latent] = 1.0  # too rare to tell: with a cat 4 times by chance
    text[:12, [cat.latent, penguin.latent]] = 0.0

    def excluded(features=features):
        marked = find_mutually_exclusive(features, {"text": dictionary}, text)
        return {f.name: f.mutually_exclusive for f in marked}

    exclusive = excluded()
    assert (exclusive["cat"], exclusive["penguin"]) == ((penguin.id,), (cat.id,))
    assert exclusive["lovely"] == exclusive["snow"] == exclusive["warm light"] == ()
    text[:, lovely.latent] = (thing == 2).float()  # now often, and never with a cat or a penguin
    exclusive = excluded()
    assert exclusive["cat"] == (penguin.id, lovely.id)
    assert exclusive["lovely"] == ()  # what no picture shows suppresses nothing that pictures show
    assert excluded([replace(f, named_by=None) if f.name == "cat" else f for f in features])["cat"] == ()
    assert set(excluded([replace(f, named_by=None) for f in features]).values()) == {()}


def test_a_full_disk_leaves_the_bank_that_was_there(tiny_bank, tmp_path):
    """Files may not grow past 2 kB, which no bank fits in."""
    bank = FeatureBank.load(tiny_bank)
    bank.save(tmp_path / "bank")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(SteerError, match=r"cannot write .*bank \(.*File too large.*\): free the disk"):
            bank.save(tmp_path / "bank")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]
    assert FeatureBank.load(tmp_path / "bank").features == bank.features


def test_a_bank_takes_the_place_of_a_bank_and_of_nothing_else(tiny_bank, tmp_path):
    bank = FeatureBank.load(tiny_bank)
    (tmp_path / "photos").mkdir()
    bank.save(tmp_path / "photos")  # empty
    bank.save(tmp_path / "photos")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "cat.jpg").write_bytes(b"mine")
    with pytest.raises(SteerError, match="other exists and is no bank"):
        bank.save(tmp_path / "other")
    assert (tmp_path / "other" / "cat.jpg").read_bytes() == b"mine"
