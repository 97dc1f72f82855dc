"""The negative prompt: what guidance steers away from. Without one, everything is as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmsteer import Edit, FeatureBank, Recipe, Sampler, Steerer, SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.registry import Spec

PROMPT, NEGATIVE, GUIDED = "a big red dog", "a cat in the snow", Sampler(steps=2, guidance=4.0)
UNGUIDED = Sampler(steps=2, guidance=1.0)
LONG = "a cat in the snow at night " * 5


def pixels(picture) -> np.ndarray:
    return np.asarray(picture)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "unclip"])
def test_before_is_the_picture_diffusers_draws_with_this_negative_prompt(steerers, name):
    steerer, more = steerers[name], {}
    if name == "unclip":
        more["image_embeds"] = steerer.schedule(steerer.read([PROMPT]), ()).at(0).image
    stock = steerer.backbone.pipeline(
        prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=2, guidance_scale=4.0,
        generator=torch.Generator().manual_seed(5), **more,
    ).images[0]  # fmt: skip
    steered = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 5, GUIDED, negative_prompt=NEGATIVE)
    assert np.array_equal(pixels(steered.before), pixels(stock))
    assert not np.array_equal(pixels(steered.before), pixels(steered.after))
    assert np.array_equal(pixels(steerer.picture(steered.recipe)), pixels(steered.after))


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_edits_do_not_act_on_it(steerers, name):
    steerer = steerers[name]
    with_it, without = steerer.read([PROMPT], NEGATIVE), steerer.read([PROMPT])
    edits = [Edit("penguin", strength=2.0), Edit("night", "remove")]
    for part, other in zip(steerer.schedule(with_it, edits).at(0), steerer.schedule(without, edits).at(0), strict=True):
        assert part is other is None or torch.equal(part, other)


def test_an_empty_one_is_the_very_tensor_of_before(steerers):
    steerer = steerers["sdxl"]
    assert steerer.read([PROMPT], "").against.conditioning is steerer.empty
    assert not steerer.empty.hidden.any()  # zeros, as SDXL has it for the empty prompt alone
    own = steerer.read([PROMPT], NEGATIVE).against.conditioning
    assert own.hidden.any()
    assert own.pooled.any()
    plain, empty = steerer.steer(PROMPT, [], 3, GUIDED), steerer.steer(PROMPT, [], 3, GUIDED, negative_prompt="  ")
    assert plain.recipe == empty.recipe
    assert empty.before is plain.before
    assert empty.negative is None


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_prompt_and_negative_prompt_have_as_many_chunks(steerers, name):
    steerer = steerers[name]
    for prompt, negative in ((PROMPT, LONG), (LONG, PROMPT), (LONG, "")):
        state = steerer.read([prompt], negative)
        assert state.encoded.hidden.shape == state.against.hidden.shape
        assert state.encoded.chunks == 2
        steerer.steer(prompt, [Edit("penguin")], 3, GUIDED, negative_prompt=negative)


def test_pictures_are_cached_for_each_negative_prompt(tiny: Steerer):
    one, other, none = (
        tiny.steer("a cat", [], 3, GUIDED, negative_prompt=negative) for negative in (NEGATIVE, "a dog", "")
    )
    assert not np.array_equal(pixels(one.before), pixels(other.before))
    assert not np.array_equal(pixels(one.before), pixels(none.before))
    assert tiny.steer("a cat", [], 3, GUIDED, negative_prompt=NEGATIVE).before is one.before


def test_without_guidance_it_has_no_effect_and_that_is_said(tiny: Steerer):
    with_it = tiny.steer("a cat", [Edit("night")], 3, UNGUIDED, negative_prompt=LONG)
    without = tiny.steer("a cat", [Edit("night")], 3, UNGUIDED)
    assert np.array_equal(pixels(with_it.before), pixels(without.before))
    assert np.array_equal(pixels(with_it.after), pixels(without.after))
    (note,) = with_it.notes
    assert note.startswith("The negative prompt has no effect")
    assert without.notes == []


def test_what_the_model_cannot_read_of_it_is_reported(tiny_folder, tiny_bank):
    spec = Spec(tiny_folder, whole_words=True)
    steerer = Steerer(Backbone.load("whole", spec=spec), FeatureBank.load(tiny_bank))
    steered = steerer.steer("a cat", (), 0, GUIDED, negative_prompt="a zebra " + "cat " * 54 + "night")
    assert steered.notes == [
        "The model does not know, of the negative prompt: zebra.", "The negative prompt is too long; left out: cat, cat, cat, night."
    ]  # fmt: skip


def test_a_recipe_carries_it():
    recipe = Recipe("a cat", 3, GUIDED, (Edit("night"),), negative_prompt="  blurry,\n & bad  ")
    assert recipe.negative_prompt == "blurry, & bad"
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_query(recipe.to_query()) == recipe
    assert recipe.plain.negative_prompt == "blurry, & bad"
    assert (
        "negative" not in replace(recipe, negative_prompt="").to_json() + replace(recipe, negative_prompt="").to_query()
    )
    with pytest.raises(SteerError, match="the negative prompt has 2,001 characters; 2,000 are allowed"):
        Recipe("a cat", negative_prompt="x" * 2001)
    with pytest.raises(SteerError, match="the negative prompt is a int: give text"):
        Recipe("a cat", negative_prompt=3)
