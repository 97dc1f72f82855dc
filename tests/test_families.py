"""Families of backbones, on untrained pipelines of the real classes, loaded the way users load theirs; and one more, put beside them."""

import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from checkpoints import MAKERS, captions, joint_vectors, projection_of
from conftest import make_bank
from safetensors.torch import save_file

from mmsteer import Edit, FeatureBank, Sampler, Steerer, SteerError
from mmsteer.labelling.text_to_joint import fit_text_to_joint
from mmsteer.models.backbone import Backbone
from mmsteer.models.families import FAMILIES, discover
from mmsteer.models.prompt import encode
from mmsteer.models.registry import BACKBONES
from mmsteer.recipes.recipe import Recipe
from mmsteer.world.models.adapter import initial_weights

PROMPT, FAST = "a big red dog", Sampler(steps=3, guidance=4.0)
ALL = tuple(MAKERS)
TITLES = {"sd1": "1.x", "sd2": "2.x", "turbo": "2.x", "sdxl": "XL", "unclip": "unCLIP"}


@pytest.mark.parametrize("name", ALL)
def test_the_family_is_read_off_the_checkpoint(steerers, name):
    assert steerers[name].backbone.family.title.endswith(TITLES[name])


def test_every_known_backbone_says_what_it_needs():
    for name, spec in BACKBONES.items():
        assert spec.size, name
        if isinstance(spec.source, str):  # a hub id: pinned, and what it takes is known before it is fetched
            assert re.fullmatch("[0-9a-f]{40}", spec.revision), name
            assert spec.memory, name
        assert spec.licence != "see the checkpoint's own card", name
    assert {family.pipeline for family in FAMILIES} == {
        "FluxPipeline", "StableDiffusion3Pipeline", "StableDiffusionPipeline", "StableDiffusionXLPipeline",
        "StableUnCLIPImg2ImgPipeline",
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_prompts_are_encoded_as_diffusers_encodes_them(steerers, name):
    backbone = steerers[name].backbone
    given = backbone.pipeline.encode_prompt(
        PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True
    )
    ours, nothing = encode(backbone, [PROMPT]).conditioning, steerers[name].empty
    assert torch.equal(ours.hidden, given[0])
    assert torch.equal(nothing.hidden, given[1])
    if backbone.family.pooled:
        assert torch.equal(ours.pooled, given[2])
        assert torch.equal(nothing.pooled, given[3])


@pytest.mark.parametrize("name", ALL)
def test_before_is_the_picture_stock_diffusers_draws(steerers, name):
    steerer = steerers[name]
    sampler = steerer.sampler if name == "turbo" else FAST
    more = {}
    if name == "unclip":
        more["image_embeds"] = steerer.schedule(steerer.read([PROMPT]), ()).at(0).image
    stock = steerer.backbone.pipeline(
        prompt=PROMPT, num_inference_steps=sampler.steps, guidance_scale=sampler.guidance,
        generator=torch.Generator().manual_seed(5), **more,
    ).images[0]  # fmt: skip
    assert np.array_equal(np.asarray(steerer.steer(PROMPT, [], 5, sampler).before), np.asarray(stock))


@pytest.mark.parametrize("name", ALL)
def test_the_invariants_hold_on_every_family(steerers, name):
    steerer = steerers[name]
    state = steerer.read([PROMPT])
    nothing = steerer.schedule(state, [Edit("penguin", strength=0.0), Edit("warm light", strength=0.0)])
    assert nothing.moves == []
    small, one = (steerer.schedule(state, [Edit("penguin", strength=s)]).moves[0] for s in (1e-5, 1.0))
    assert torch.allclose(small.dh.double() * 1e5, one.dh.double(), rtol=1e-2, atol=1e-3)
    result = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST)
    again = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST)
    assert not np.array_equal(np.asarray(result.before), np.asarray(result.after))
    assert np.array_equal(np.asarray(result.after), np.asarray(again.after))


@pytest.mark.parametrize("name", ALL)
def test_a_direction_lifted_and_read_again_is_that_direction(steerers, name):
    steerer = steerers[name]
    state = steerer.read(list(dict.fromkeys(captions(20, seed=9))))
    x, norm = steerer.joint.project(state.encoded.last)
    # towards other prompts: differences that occur
    dx = 0.3 * (x.roll(1, 0) - x)
    moved, _ = steerer.joint.project(state.encoded.last + steerer.joint.lift(dx, norm))
    assert F.cosine_similarity(moved - x, dx, dim=1).mean() > 0.9


def test_the_exact_map_agrees_with_transformers(steerers, folders):
    texts = captions(10, seed=3)
    ours = steerers["sd1"].read(texts).x
    assert torch.allclose(ours, joint_vectors(folders["sd1"], texts), atol=1e-5)
    assert steerers["sd1"].bank.meta["text_to_joint"]["kind"] == "exact"


@pytest.mark.parametrize("name", ["sd2", "sdxl", "unclip"])
def test_a_fitted_map_says_how_faithful_it_is_and_is(steerers, folders, name):
    fitted, texts = steerers[name].bank.meta["text_to_joint"], captions(200, seed=8)
    truth = joint_vectors(folders[name], texts)
    ours = steerers[name].read(texts).x
    error = (ours - truth).square().sum() / (truth - truth.mean(0)).square().sum()
    assert fitted["kind"] == "fitted"
    assert fitted["condition"] < 1e7
    assert 1 - float(error) == pytest.approx(fitted["r2"], abs=0.04)


def test_too_few_captions_for_a_map_are_refused(steerers, folders):
    texts = captions(40)
    with pytest.raises(SteerError, match="40 captions are too few"):
        fit_text_to_joint(steerers["sd2"].backbone, texts, joint_vectors(folders["sd2"], texts), None)


def test_an_edit_reaches_both_encoders_and_the_pooled_vector(steerers):
    steerer = steerers["sdxl"]
    state = steerer.read([PROMPT])
    move = steerer.schedule(state, [Edit("penguin")]).moves[0]
    first, second = move.dh[0, 5].split([24, 32])
    assert min(first.norm(), second.norm(), move.dpooled.norm()) > 0
    # the pooled vector of an SDXL whose bank lives in the second encoder's joint space is that vector, unscaled
    pooled = F.normalize(state.encoded.conditioning.pooled + move.dpooled, dim=-1)
    was = F.normalize(state.encoded.conditioning.pooled, dim=-1)
    shift = steerer.schedule(state, [Edit("penguin")]).shift
    assert F.cosine_similarity(pooled - was, shift - (shift * was).sum() * was).item() > 0.8
    assert steerer.schedule(state, [Edit("penguin", words=("dog",))]).moves[0].dpooled is None
    more = steerer.schedule(state, [Edit("penguin")], pooled=2.5).moves[0]
    assert torch.equal(more.dh, move.dh)
    assert torch.allclose(more.dpooled, 2.5 * move.dpooled)
    drawn = [steerer.steer(PROMPT, [Edit("penguin")], 3, Sampler(2, 1.0, pooled_guidance=w)) for w in (1.0, 8.0)]
    assert np.array_equal(*(np.asarray(one.before) for one in drawn))
    assert not np.array_equal(*(np.asarray(one.after) for one in drawn))
    halves = [Edit("penguin", strength=6.0, end=0.5), Edit("penguin", strength=6.0, start=0.5)]
    whole = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST).after
    assert np.array_equal(np.asarray(whole), np.asarray(steerer.steer(PROMPT, halves, 3, FAST).after))


def test_vision_features_also_enter_as_an_image_embedding(steerers):
    steerer = steerers["unclip"]
    state = steerer.read([PROMPT])
    schedule = steerer.schedule(state, [Edit("warm light", strength=2.0)])
    was, now = steerer.schedule(state, ()).at(0).image, schedule.at(0).image
    length = (0.5**2 * 32) ** 0.5  # of the normaliser's mean 0 and deviation 0.5
    assert was.norm().item() == pytest.approx(length, rel=1e-4)
    assert torch.allclose(now - was, schedule.shift * length, atol=1e-5)
    with pytest.raises(SteerError, match="read the prompt once for the whole run"):
        steerer.schedule(state, [Edit("warm light", start=0.5)])
    with pytest.raises(SteerError, match="leave `edit_guidance` at 1, not 2"):
        steerer.steer(PROMPT, [Edit("warm light")], 0, Sampler(2, 1.0, 2.0))
    with pytest.raises(SteerError, match="reads an image embedding by itself: leave the adapter out"):
        Backbone.load(str(steerer.backbone.spec.source), adapter="ip-adapter.safetensors")


def test_an_image_adapter_goes_with_sdxl(steerers, folders, tmp_path, monkeypatch):
    old = steerers["sdxl"].bank
    FeatureBank(old.features, old.meta, old.dictionaries, old.tensors | {"image_norm": torch.tensor(5.0)}).save(
        tmp_path / "bank"
    )
    weights = initial_weights(steerers["sdxl"].backbone.pipeline.unet, len(old.tensors["mean_image"]))
    named = {f"{kind}.{name}": value for kind, part in weights.items() for name, value in part.items()}
    save_file(named, tmp_path / "adapter.safetensors")
    steerer = Steerer.load(str(folders["sdxl"]), tmp_path / "bank", adapter=tmp_path / "adapter.safetensors")
    state = steerer.read([PROMPT])
    schedule = steerer.schedule(state, [Edit("warm light", strength=4.0, start=0.5)])
    assert torch.equal(schedule.at(0.9).hidden, state.encoded.conditioning.hidden)
    assert torch.equal(schedule.at(0.9).pooled, state.encoded.conditioning.pooled)
    embeddings, layer = [], steerer.backbone.pipeline.unet.encoder_hid_proj
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda images: embeddings.append(images[0][:, 0].clone()) or forward(images))
    own, edited = schedule.prompt.image[0], schedule.at(0.9).image[0]
    for towards, rows in (
        (1.0, 2),
        (2.0, 3),
    ):  # of the empty prompt, of the edited one, and for edit guidance of *before*
        steerer.picture(Recipe(PROMPT, 3, Sampler(4, 3.0, towards), (Edit("warm light", strength=4.0, start=0.5),)))
        calls, embeddings[:] = embeddings[:], []
        assert [len(call) for call in calls] == [rows] * 4
        assert not any(call[0].any() for call in calls)
        for call, expected in zip(calls, (own, own, edited, edited), strict=True):
            assert torch.allclose(call[1], expected, atol=1e-4)
            assert all(torch.allclose(call[k], own, atol=1e-4) for k in range(2, rows))


def test_edit_guidance_reaches_sdxl_s_pooled_vector_too(steerers):
    edits, samplers = [Edit("penguin", strength=2.0)], [Sampler(2, 3.0, g) for g in (0.0, 1.0, 2.0)]
    none, plain, more = (steerers["sdxl"].steer(PROMPT, edits, 3, sampler) for sampler in samplers)
    before = np.asarray(plain.before).astype(int)
    assert np.abs(np.asarray(none.after) - before).max() <= 1
    assert np.abs(np.asarray(more.after) - before).mean() > np.abs(np.asarray(plain.after) - before).mean() > 0


def test_a_distilled_checkpoint_is_drawn_in_few_steps_without_guidance(steerers):
    assert steerers["turbo"].sampler == Sampler(steps=2, guidance=0.0)
    assert steerers["sd2"].sampler == Sampler(steps=25, guidance=7.5)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"_class_name": "LatteP"}, "holds a LatteP; mmsteer can steer FluxPipeline, StableDiffusion3Pipeline, "),
        ({"_class_name": "StableDiffusionXLPipeline", "text_encoder": [None, None]}, "has one text encoder"),
        ([], "is damaged"),
    ],
)
def test_other_checkpoints_are_refused_before_anything_is_loaded(tmp_path, index, message):
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(SteerError, match=message):
        Backbone.load(str(tmp_path))


TOY = """
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families.family import Family

class Toy(Family):
    def matches(self, checkpoint):
        return checkpoint.index["_class_name"] == self.pipeline and checkpoint.read("vae/config.json")["latent_channels"] == 4

    def encode(self, pipeline, ids):
        return Conditioning(2 * pipeline.text_encoder(*ids).last_hidden_state)

FAMILY = Toy("Toy", "StableDiffusionPipeline", "twice the last hidden state", "nobody/clip", steps=2, guidance=3.0)
"""


def test_a_family_more_is_one_file_more(folders, tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "notes.py").write_text("NOTHING = 1\n")  # a file without a family is none
    (toy,) = discover(tmp_path)
    folder, texts = folders["sd1"], captions(1500)
    backbone = Backbone.load(str(folder), families=(toy, *FAMILIES))
    assert (backbone.family.title, backbone.steps, backbone.guidance) == ("Toy", 2, 3.0)
    usual = Backbone.load(str(folder))
    assert usual.family.title == "Stable Diffusion 1.x"
    twice = encode(backbone, [PROMPT])
    assert torch.equal(twice.hidden, 2 * encode(usual, [PROMPT]).hidden)
    joint, fitted = fit_text_to_joint(backbone, texts, joint_vectors(folder, texts), projection_of(folder))
    bank = make_bank(joint, "toy")
    bank.meta["text_to_joint"] = fitted
    steerer = Steerer(backbone, bank)
    result = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 3)
    assert not np.array_equal(np.asarray(result.before), np.asarray(result.after))
    state = steerer.read([PROMPT])
    assert steerer.schedule(state, ()).at(0.5) is state.encoded.conditioning
    assert [family.title for family in FAMILIES] == [
        "FLUX.1", "Stable Diffusion 1.x", "Stable Diffusion 2.x", "Stable Diffusion 3", "Stable Diffusion XL", "Stable unCLIP",
    ]  # fmt: skip
