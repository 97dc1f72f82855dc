"""Presence: one number for what a prompt contains, shown by chips and API and taken out by `remove`."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmsteer import Edit, FeatureBank, Steerer
from mmsteer.bank.promising import CONTAINED
from mmsteer.bank.shared_dictionary import as_shared
from mmsteer.labelling.naming.known_names import concepts, known_value
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.steering.presence import Presence
from mmsteer.ui.api import Api
from mmsteer.ui.prompt.contained import contained
from mmsteer.ui.shared.page_state import PageState
from mmsteer.world.captions import captions
from mmsteer.world.factors import draw_factors
from mmsteer.world.scheme import SCHEME

PROMPTS = 200


def bank_of(**changes) -> FeatureBank:
    """One feature, on the first of two coordinates: activation x0 - 2, scale 4, its steering vector (2, 0), at rest 0.25."""
    from mmsteer.bank import Feature

    feature = Feature(
        id=0, name="cat", name_confidence=None, modality="cross", modality_paper="cross", mds=0.5, mds_low=0.5, mds_high=0.5, n_pairs=9,
        energy_ratio=0.5, cofiring=2.0, p_both=0.5, rate_image=0.1, rate_text=0.1, image_latent=0, text_latent=0, activation_scale=4.0,
    )  # fmt: skip
    dictionary = SparseAutoencoder(SAEConfig(2, 2)).requires_grad_(False)
    dictionary.W_enc.data, dictionary.W_dec.data = torch.eye(2), torch.eye(2)
    dictionary.b_enc.data = torch.tensor([-2.0, 0.0])
    steering, rest = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0.25, 0.0])
    tensors = {"steering_image": steering, "steering_text": steering, "baseline_image": rest, "baseline_text": rest}
    return FeatureBank([replace(feature, **changes)], {}, {"image": dictionary, "text": dictionary}, tensors)


def test_presence_is_the_projection_from_half_a_scale_on_and_the_activation_below():
    presence = Presence(bank_of())
    # x0 / 2 - 0.25 is the projection; half of the scale is 2, which x0 = 4.5 reaches; the second latent is no feature's
    x = torch.tensor([[4.5, 7.0], [10.5, 7.0], [4.4, 7.0], [2.0, 7.0]])
    assert torch.allclose(presence.of(x, "text"), torch.tensor([[2.0, 0], [5.0, 0], [2.4, 0], [0.0, 0]]))
    assert [amount for _, amount in presence.features(presence.of(x, "text")[1])] == pytest.approx([5.0 / 4])
    assert [amount for _, amount in presence.features(presence.of(x, "text")[2])] == pytest.approx([2.4 / 4])
    assert presence.features(presence.of(x, "text")[3]) == []


def test_no_text_contains_a_vision_only_feature():
    x = torch.tensor([[10.5, 7.0]])
    for bank in (bank_of(modality="vision"), bank_of(modality="vision", text_latent=None)):
        presence = Presence(bank)
        assert presence.features(presence.of(x, "text")[0]) == []
        assert not presence.of(x, "image").any()
        assert not presence.of(x, "text").any()


def test_in_a_shared_dictionary_too_what_is_listed_is_what_is_removed(tiny: Steerer):
    paired = [replace(f, image_latent=k, text_latent=k) for k, f in enumerate(tiny.bank.features)]
    features, tensors, dictionaries = as_shared(paired, tiny.bank.tensors, tiny.bank.dictionaries["text"])
    steerer = Steerer(tiny.backbone, FeatureBank(features, tiny.bank.meta, dictionaries, tensors))
    prompt = "a big cat at night"
    listed = steerer.features_of(prompt)
    assert listed
    assert not any(feature.image_only for feature, _ in listed)
    for feature, amount in listed:
        shift = steerer.schedule(steerer.read([prompt]), [Edit(feature.id, "remove")]).shift[0]
        expected = -amount * feature.activation_scale * tensors["steering_shared"][feature.latent]
        assert torch.allclose(shift, expected, atol=1e-5)


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    """Captions of the world that say something, and the two in which a feature could be removed that was not shown."""
    rng = np.random.default_rng(17)
    said = [text for text in captions(rng, *draw_factors(rng, PROMPTS + 20)) if text]
    return ["a cat at night", "a house", *said][:PROMPTS]


def test_over_many_prompts_what_is_shown_is_exactly_what_is_removed(mini: Steerer, prompts: list[str]):
    said = [feature for feature in mini.bank.features if not feature.image_only]
    state = mini.read(prompts)
    steering = mini.bank.tensors["steering_text"]
    removed = np.zeros((PROMPTS, len(mini.bank.features)))  # in activation scales
    for feature in said:
        shift = mini.schedule(state, [Edit(feature.id, "remove")]).shift
        row = steering[feature.latent]
        assert torch.allclose(shift, (shift @ row / (row @ row))[:, None] * row, atol=1e-5)  # nothing else is moved
        removed[:, feature.id] = -(shift @ row / (row @ row)).numpy() / feature.activation_scale
    shown = np.zeros_like(removed)
    for number, prompt in enumerate(prompts):
        for feature, amount in mini.features_of(prompt):
            shown[number, feature.id] = amount
    assert np.allclose(shown, removed, atol=1e-3)
    assert ((shown > 0) == (removed > 0)).all()
    assert (shown > 0).sum(1).min() > 0  # all of them contain something


def test_api_and_chips_show_the_same(mini: Steerer, prompts: list[str]):
    api = Api(PageState(mini.bank, lambda: mini))
    for prompt in prompts:
        listed = mini.features_of(prompt)
        told = [(record["id"], record["presence"]) for record in api.features_of_prompt(prompt)]
        assert told == [(feature.id, round(amount, 3)) for feature, amount in listed]
        chips = re.findall(r'data-mm-add="(\d+)".*?<small>([\d.]+)</small>', contained(listed))
        shown = [(f, amount) for f, amount in listed if f.specific and amount >= CONTAINED]
        assert chips == [(str(feature.id), f"{amount:.1f}") for feature, amount in shown]


def test_the_features_that_the_prompt_says_are_shown_though_they_are_silent(mini: Steerer):
    shown = {feature.name for feature, _ in mini.features_of("a cat at night")}
    assert {"cat", "night"} <= shown
    assert "house" in {feature.name for feature, _ in mini.features_of("a house")}


def test_presence_misses_less_of_what_captions_say_than_activation_does(mini: Steerer):
    rng = np.random.default_rng(5)
    values, said = draw_factors(rng, 600)
    x = torch.cat([mini.read(texts).x for texts in _parts(rng, values, said)])
    named = [f for f in mini.bank.features if f.side == "text" and f.named_by == "truth"]
    names, truth = concepts(SCHEME, values, said, "text")
    truth = truth[:, [names.index(known_value(f.name, SCHEME)) for f in named]]
    reached = {}
    for how, code in (
        ("activation", mini.bank.dictionaries["text"].encode(x)),
        ("presence", mini.presence.of(x, "text")),
    ):
        there = (code[:, [f.latent for f in named]] > 0).numpy()
        reached[how] = (there & truth).sum() / there.sum(), (there & truth).sum() / truth.sum()  # precision, recall
    assert reached["activation"] == pytest.approx((0.92, 0.76), abs=0.02)
    assert reached["presence"] == pytest.approx((0.87, 0.90), abs=0.02)


def _parts(rng: np.random.Generator, values: np.ndarray, said: np.ndarray) -> list[list[str]]:
    texts = [text or "a picture" for text in captions(rng, values, said)]
    return [texts[i : i + 200] for i in range(0, len(texts), 200)]
