"""The invariants of steering, each on a real pipeline."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

import mmsteer.steering.steerer as steerer_module
from mmsteer import Edit, FeatureBank, Recipe, Sampler, Steerer, SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.registry import Spec

PROMPT = "a big cat at night"
FAST = Sampler(steps=4, guidance=3.0)


def pixels(picture) -> np.ndarray:
    return np.asarray(picture)


def test_no_edit_and_strength_zero_give_the_very_same_tensor_and_picture(tiny: Steerer):
    state = tiny.read([PROMPT])
    assert tiny.schedule(state, ()).at(0.5) is state.encoded.conditioning
    nothing = [Edit("penguin", strength=0.0), Edit("warm light", strength=0.0), Edit("night", "remove", 0.0)]
    assert tiny.schedule(state, nothing).at(0.5) is state.encoded.conditioning
    result = tiny.steer(PROMPT, nothing, seed=3, sampler=FAST)
    assert np.array_equal(pixels(result.before), pixels(result.after))


def test_before_is_the_picture_stock_diffusers_draws(tiny: Steerer):
    ours = tiny.steer(PROMPT, [], seed=5, sampler=FAST).before
    stock = tiny.backbone.pipeline(
        PROMPT, num_inference_steps=4, guidance_scale=3.0, generator=torch.Generator().manual_seed(5)
    ).images[0]
    assert np.array_equal(pixels(ours), pixels(stock))


def test_an_edit_changes_the_picture(tiny: Steerer):
    result = tiny.steer(PROMPT, [Edit("penguin", strength=4.0)], seed=3, sampler=FAST)
    assert not np.array_equal(pixels(result.before), pixels(result.after))


def test_add_is_linear_near_zero(tiny: Steerer):
    state = tiny.read([PROMPT])

    def moved(strength: float) -> torch.Tensor:
        return (tiny.schedule(state, [Edit("penguin", strength=strength)]).moves[0].dh).double()

    assert torch.allclose(moved(1e-5) * 1e5, moved(1.0), rtol=1e-2, atol=1e-4)
    assert torch.allclose(moved(0.5) * 2, moved(1.0), rtol=1e-5, atol=1e-6)
    assert torch.allclose(moved(-1.0), -moved(1.0), rtol=1e-4, atol=1e-6)


def test_the_added_difference_is_the_features_direction_in_the_joint_space(tiny: Steerer):
    state = tiny.read([PROMPT])
    schedule = tiny.schedule(state, [Edit("penguin", strength=2.0)])
    row = tiny.bank.dictionaries["text"].W_dec[0]
    assert torch.allclose(schedule.shift[0], 2.0 * 0.5 * row, atol=1e-5)  # strength 2, activation scale 0.5
    end = state.encoded.hidden[0, state.encoded.ends[0, 0]] @ tiny.joint.projection
    lifted = schedule.moves[0].dh[0, state.encoded.ends[0, 0]] @ tiny.joint.projection
    assert torch.allclose(lifted / end.norm(), schedule.shift[0], atol=1e-4)


def test_all_rows_but_the_first_are_edited_or_those_of_the_words(tiny: Steerer):
    state = tiny.read([PROMPT])
    everywhere = tiny.schedule(state, [Edit("penguin")]).moves[0].dh[0].norm(dim=1)
    assert everywhere[0] == 0
    assert (everywhere[1:] > 0).all()
    cat = tiny.schedule(state, [Edit("penguin", words=("Cat",))]).moves[0].dh[0].norm(dim=1)
    assert (cat > 0).nonzero().flatten().tolist() == [3]  # start, a, big, cat
    with pytest.raises(SteerError, match="'dog' is not in the prompt; its words are a, big, cat, at, night"):
        tiny.schedule(state, [Edit("penguin", words=("dog",))])


def test_remove_takes_out_what_the_prompt_has_and_pushes_vision_features_the_other_way(tiny: Steerer):
    state = tiny.read([PROMPT])
    x, _ = tiny.joint.project(state.encoded.hidden[0, state.encoded.ends[0, 0]])
    code = tiny.bank.dictionaries["text"].encode(x)
    present = next(f for f in tiny.bank.features if f.side == "text" and code[f.latent] > 0)
    schedule = tiny.schedule(state, [Edit(present.name, "remove")])
    row = tiny.bank.dictionaries["text"].W_dec[present.latent]
    assert torch.allclose(schedule.shift[0], -code[present.latent] * row, atol=1e-5)
    absent = next(f for f in tiny.bank.features if f.side == "text" and code[f.latent] == 0)
    assert tiny.schedule(state, [Edit(absent.name, "remove")]).moves == []
    warm = tiny.schedule(state, [Edit("warm light", "remove", 1.5)]).shift[0]
    assert torch.allclose(warm, -1.5 * 0.5 * tiny.bank.dictionaries["image"].W_dec[2], atol=1e-6)


@pytest.mark.parametrize(("along", "taken"), [(0.2, 0.0), (0.4, 0.4)])
def test_what_a_silent_feature_has_lost_to_others_is_taken_out_from_half_a_unit_on(tiny: Steerer, along, taken):
    state = tiny.read([PROMPT])
    x = tiny.joint.project(state.encoded.last)[0][0]
    dictionary = tiny.bank.dictionaries["text"]
    silent = next(f for f in tiny.bank.features if f.side == "text" and dictionary.encode(x)[f.latent] == 0)
    row = dictionary.W_dec[silent.latent]  # of unit length; the feature's unit is 0.5
    rest = tiny.bank.tensors["baseline_text"].clone()
    rest[silent.latent] = x @ row - along
    bank = FeatureBank(
        tiny.bank.features, tiny.bank.meta, tiny.bank.dictionaries, tiny.bank.tensors | {"baseline_text": rest}
    )
    steerer = Steerer(tiny.backbone, bank)
    removed = steerer.schedule(steerer.read([PROMPT]), [Edit(silent.id, "remove")]).shift[0]
    assert torch.allclose(removed, -taken * row, atol=1e-5)
    clamped = steerer.schedule(steerer.read([PROMPT]), [Edit(silent.id, "set", 1.5)]).shift[0]
    assert torch.allclose(clamped, (1.5 * 0.5 - taken) * row, atol=1e-5)


def test_adding_a_feature_suppresses_the_strongest_mutually_exclusive_one(tiny: Steerer):
    state = tiny.read([PROMPT])
    dictionary = tiny.bank.dictionaries["text"]
    code = dictionary.encode(tiny.joint.project(state.encoded.last)[0])[0]
    rows = dictionary.W_dec
    silent = next(f for f in tiny.bank.features if f.side == "text" and code[f.latent] == 0)
    strong, weak = sorted(
        (f for f in tiny.bank.features if f.side == "text" and code[f.latent] > 0), key=lambda f: -code[f.latent]
    )[:2]
    other = next(f for f in tiny.bank.features if f.side == "text" and f.id not in (silent.id, strong.id, weak.id))
    exclusive = [
        replace(f, mutually_exclusive=(weak.id, strong.id)) if f.id in (silent.id, other.id) else f
        for f in tiny.bank.features
    ]
    bank = FeatureBank(exclusive, tiny.bank.meta, tiny.bank.dictionaries, tiny.bank.tensors)
    steerer = Steerer(tiny.backbone, bank)

    def shift(*edits: Edit) -> torch.Tensor:
        return steerer.schedule(steerer.read([PROMPT]), edits).shift[0]

    gone = -code[strong.latent] * rows[strong.latent]  # the stronger of the two, and only that
    for strength, share in ((0.5, 0.5), (1.0, 1.0), (2.0, 1.0), (-1.0, 0.0)):
        expected = strength * silent.activation_scale * rows[silent.latent] + share * gone
        assert torch.allclose(shift(Edit(silent.id, strength=strength)), expected, atol=1e-5)
    added = other.activation_scale * rows[other.latent] + silent.activation_scale * rows[silent.latent]
    assert torch.allclose(shift(Edit(silent.id), Edit(other.id)), added + gone, atol=1e-5)  # once, not twice
    assert torch.allclose(shift(Edit(silent.id), Edit(other.id, start=0.5)), added + gone, atol=1e-5)
    kept = silent.activation_scale * rows[silent.latent] + 0.3 * strong.activation_scale * rows[strong.latent]
    weaker = -code[weak.latent] * rows[weak.latent]
    assert torch.allclose(shift(Edit(silent.id), Edit(strong.id, strength=0.3)), kept + weaker, atol=1e-5)


def test_set_clamps_whatever_the_prompt_has(tiny: Steerer):
    state = tiny.read([PROMPT])
    x, _ = tiny.joint.project(state.encoded.hidden[0, state.encoded.ends[0, 0]])
    for feature in [f for f in tiny.bank.features if f.side == "text"]:
        now = tiny.bank.dictionaries["text"].encode(x)[feature.latent]
        shift = tiny.schedule(state, [Edit(feature.name, "set", 1.5)]).shift[0]
        row = tiny.bank.dictionaries["text"].W_dec[feature.latent]
        assert torch.allclose(shift, (1.5 * 0.5 - now) * row, atol=1e-5)


def test_an_edit_acts_on_its_part_of_the_run_only(tiny: Steerer):
    state = tiny.read([PROMPT])
    schedule = tiny.schedule(state, [Edit("penguin", start=0.25, end=0.75)])
    assert schedule.at(0.0) is state.encoded.conditioning
    assert schedule.at(0.25) is schedule.at(0.5)
    assert schedule.at(0.25) is not state.encoded.conditioning
    assert schedule.at(0.75) is state.encoded.conditioning
    whole = tiny.steer(PROMPT, [Edit("penguin", strength=4.0)], 3, FAST).after
    halves = [Edit("penguin", strength=4.0, end=0.5), Edit("penguin", strength=4.0, start=0.5)]
    assert np.array_equal(pixels(whole), pixels(tiny.steer(PROMPT, halves, 3, FAST).after))
    late = tiny.steer(PROMPT, [Edit("penguin", strength=4.0, start=0.5)], 3, FAST)
    assert not np.array_equal(pixels(late.after), pixels(whole))
    assert not np.array_equal(pixels(late.after), pixels(late.before))


def test_the_model_is_never_changed(tiny: Steerer):
    pipeline = tiny.backbone.pipeline
    parts = [pipeline.unet, pipeline.text_encoder, pipeline.vae]
    weights = [{k: v.clone() for k, v in part.state_dict().items()} for part in parts]
    scheduler = dict(vars(pipeline.scheduler))
    tiny.steer(PROMPT, [Edit("penguin", strength=3.0), Edit("warm light", start=0.5)], 1, FAST)
    for part, kept in zip(parts, weights, strict=True):
        assert all(torch.equal(v, kept[k]) for k, v in part.state_dict().items())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in part.modules())
    assert vars(pipeline.scheduler).keys() == scheduler.keys()
    assert pipeline.scheduler._step_index == scheduler["_step_index"]


def test_two_visitors_edits_never_meet(tiny: Steerer):
    wishes = [(PROMPT, [Edit("penguin", strength=s)], k) for k, s in enumerate((4.0, -4.0, 2.0, 0.0, 3.0, -1.0))]
    alone = [pixels(tiny.picture(Recipe(p, k, FAST, tuple(e), tiny.origin))) for p, e, k in wishes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda w: pixels(tiny.steer(w[0], w[1], w[2], FAST).after), wishes * 3))
    for one, many in zip(alone * 3, together, strict=True):
        assert np.array_equal(one, many)


def test_one_seed_one_picture(tiny: Steerer):
    edits = (Edit("penguin", strength=2.0), Edit("warm light"))
    recipe = tiny.steer(PROMPT, edits, 7, FAST).recipe
    alone = pixels(tiny.picture(recipe))
    assert np.array_equal(alone, pixels(tiny.picture(Recipe.from_json(recipe.to_json()))))
    assert np.array_equal(alone, pixels(tiny.picture(Recipe.from_query(recipe.to_query()))))
    batch = tiny.render_many([PROMPT] * 3, edits, [5, 7, 9], FAST).permute(0, 2, 3, 1).numpy()
    # in a batch the sums run in another order: the last bit of a byte may differ
    assert np.abs(batch[1].astype(int) - alone.astype(int)).max() <= 1
    assert np.abs(batch[0].astype(int) - alone.astype(int)).max() > 1


def test_a_slider_move_costs_one_picture(tiny: Steerer, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    render = steerer_module.render
    monkeypatch.setattr(steerer_module, "render", lambda *a: drawn.append(1) or render(*a))
    prompt = "a small dog on the beach"
    tiny.steer(prompt, [Edit("night", strength=1.0)], 11, FAST)
    assert len(drawn) == 2  # before and after
    tiny.steer(prompt, [Edit("night", strength=1.1)], 11, FAST)
    assert len(drawn) == 3
    tiny.steer(prompt, [], 11, FAST)
    assert len(drawn) == 3


def test_the_ood_distance_grows_with_strength(tiny: Steerer):
    distances = [
        tiny.steer(PROMPT, [Edit("warm light", strength=s)], 0, FAST).ood_distance for s in (0.0, 2.0, 4.0, 8.0)
    ]
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(1.0, abs=1e-4)  # identity precision, unit vectors, p99 of 1


def test_what_the_model_cannot_read_is_reported(tiny_folder, tiny_bank):
    spec = Spec(tiny_folder, whole_words=True)
    steerer = Steerer(Backbone.load("whole", spec=spec), FeatureBank.load(tiny_bank))
    result = steerer.steer("a zebra, at night 🦓 кот", (), 0, FAST)
    assert result.unknown == ("zebra", "🦓", "кот")
    long = steerer.steer("a big cat at night " * 13, (), 0, FAST)
    assert len(long.cut) == 65 - 4 * 14
    assert long.unknown == ()


def test_features_of_a_prompt_come_strongest_first(tiny: Steerer):
    found = tiny.features_of(PROMPT)
    assert [a for _, a in found] == sorted((a for _, a in found), reverse=True)
    assert all(f.side == "text" for f, _ in found)


@pytest.mark.parametrize(
    ("prompt", "seed", "message"),
    [
        ("", 0, "the prompt is empty"),
        ("  \n ", 0, "the prompt is empty"),
        ("a" * 10_000, 0, "10,000 characters; 2,000 are allowed"),
        ("a cat", -1, "`seed` is -1"),
        ("a cat", 2**32, "`seed` is 4294967296"),
        ("a cat", 1.5, "`seed` is 1.5"),
    ],
)
def test_bad_input_gets_one_clear_error(tiny: Steerer, prompt: str, seed: int, message: str):
    with pytest.raises(SteerError, match=message):
        tiny.steer(prompt, [], seed, FAST)
    assert tiny.steer("a cat", [], 0, FAST).before.size == (32, 32)  # and nothing is broken by it


def test_an_unknown_feature_lists_the_nearest_names(tiny: Steerer):
    with pytest.raises(SteerError, match="there is no feature 'pengin'; the nearest are penguin"):
        tiny.steer(PROMPT, [Edit("pengin")], 0, FAST)
    with pytest.raises(SteerError, match="there is no feature 99; numbers go from 0 to 11"):
        tiny.steer(PROMPT, [Edit(99)], 0, FAST)
