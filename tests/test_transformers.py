"""Families that draw with a transformer, on untrained pipelines of the real classes: Stable Diffusion 3 and FLUX.1."""

import json
import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from checkpoints import captions, joint_vectors, make_sd1, make_sdxl
from transformer_checkpoints import NARROW, WIDTH, make_flux, make_sd3, steerer_of

from mmsteer import Edit, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.models.backbone import Backbone
from mmsteer.models.memory import memory_needed
from mmsteer.models.prompt import encode
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.steer.opening import Opening

PROMPT, FAST, STRONG = "a big red dog", Sampler(steps=3, guidance=4.0), Edit("penguin", strength=8.0)
MAKERS = {
    "sd3": make_sd3,
    "sd3-clip": lambda folder: make_sd3(folder, t5=False),
    "flux": make_flux,
    "schnell": lambda folder: make_flux(folder, dev=False),
}
ALL, SD3, FLUX = tuple(MAKERS), ("sd3", "sd3-clip"), ("flux", "schnell")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transformers")
    for name, make in MAKERS.items():
        make(folder / name)
    return folder


@pytest.fixture(scope="module")
def steerers(home):
    return {name: steerer_of(home / name) for name in ALL}


def _pixels(picture) -> np.ndarray:
    return np.asarray(picture).astype(int)


def _recorded(steerer, monkeypatch):
    """What the transformer reads as rows and pooled vector, in each call."""
    calls, transformer = [], steerer.backbone.pipeline.transformer
    forward = transformer.forward

    def record(*args, **named):
        calls.append((named["encoder_hidden_states"].clone(), named["pooled_projections"].clone()))
        return forward(*args, **named)

    monkeypatch.setattr(transformer, "forward", record)
    return calls


@pytest.mark.parametrize("name", ALL)
def test_prompts_are_encoded_as_diffusers_encodes_them(steerers, name):
    backbone, steerer = steerers[name].backbone, steerers[name]
    pipeline, ours = backbone.pipeline, encode(backbone, [PROMPT]).conditioning
    if name in SD3:
        hidden, negative, pooled, negative_pooled = pipeline.encode_prompt(PROMPT, None, None, device="cpu")
        assert torch.equal(backbone.family.rows(steerer.empty), negative)
        assert torch.equal(steerer.empty.pooled, negative_pooled)
        assert hidden.shape == (1, 77 + 256, 64)
        assert bool(hidden[:, 77:].any()) == (name == "sd3")
    else:
        rows = 256 if name == "schnell" else 512
        hidden, pooled, _ = pipeline.encode_prompt(PROMPT, device="cpu", max_sequence_length=rows)
        assert hidden.shape == (1, rows, 64)
    assert torch.equal(backbone.family.rows(ours), hidden)
    assert torch.equal(ours.pooled, pooled)


@pytest.mark.parametrize("name", ALL)
def test_before_is_the_picture_stock_diffusers_draws(steerers, name):
    steerer = steerers[name]
    more = {"max_sequence_length": 256} if name == "schnell" else {}
    stock = steerer.backbone.pipeline(
        prompt=PROMPT, num_inference_steps=3, guidance_scale=4.0, generator=torch.Generator().manual_seed(5), **more
    ).images[0]
    assert np.array_equal(_pixels(steerer.steer(PROMPT, [], 5, FAST).before), _pixels(stock))


@pytest.mark.parametrize("name", ALL)
def test_the_invariants_hold(steerers, name, monkeypatch):
    steerer = steerers[name]
    state = steerer.read([PROMPT])
    nothing = steerer.schedule(state, [Edit("penguin", strength=0.0), Edit("warm light", strength=0.0)])
    assert nothing.at(0.5) is state.encoded.conditioning
    small, one = (steerer.schedule(state, [Edit("penguin", strength=s)]).moves[0] for s in (1e-5, 1.0))
    assert torch.allclose(small.dh.double() * 1e5, one.dh.double(), rtol=1e-2, atol=1e-3)
    assert torch.allclose(small.dpooled.double() * 1e5, one.dpooled.double(), rtol=1e-2, atol=1e-3)
    result = steerer.steer(PROMPT, [STRONG], 3, FAST)
    assert not np.array_equal(_pixels(result.before), _pixels(result.after))
    calls = _recorded(steerer, monkeypatch)
    again = steerer.steer(PROMPT, [STRONG], 3, FAST)  # its before is cached
    assert len(calls) == 3
    assert np.array_equal(_pixels(result.after), _pixels(again.after))
    halves = [Edit("penguin", strength=8.0, end=0.5), Edit("penguin", strength=8.0, start=0.5)]
    assert np.array_equal(_pixels(result.after), _pixels(steerer.steer(PROMPT, halves, 3, FAST).after))


@pytest.mark.parametrize("name", ALL)
def test_two_requests_share_nothing(steerers, name):
    steerer = steerers[name]
    recipes = [
        Recipe(PROMPT, 3, FAST, (Edit("penguin", strength=8.0, start=0.4),)),
        Recipe("a cat", 4, FAST, (STRONG,)),
    ]
    alone, together = [_pixels(steerer.picture(recipe)) for recipe in recipes], {}
    threads = [
        threading.Thread(target=lambda i=i: together.update({i: _pixels(steerer.picture(recipes[i]))})) for i in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(alone[i], together[i]) for i in (0, 1))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("towards", [1.0, 2.0])
def test_a_step_range_changes_just_those_calls(steerers, name, towards, monkeypatch):
    steerer = steerers[name]
    edit, family = Edit("penguin", strength=8.0, start=0.5), steerer.backbone.family
    schedule = steerer.schedule(steerer.read([PROMPT]), [edit])
    calls = _recorded(steerer, monkeypatch)
    steerer.picture(Recipe(PROMPT, 3, Sampler(4, 3.0, towards), (edit,)))
    own = 1 if name in SD3 else 0  # the empty prompt's rows come first
    assert [len(rows) for rows, _ in calls] == [own + (1 if towards == 1 else 2)] * 4
    for (rows, pooled), fraction in zip(calls, (0.0, 0.25, 0.5, 0.75), strict=True):
        read = schedule.at(fraction)
        assert torch.equal(rows[own], family.rows(read)[0])
        assert torch.equal(pooled[own], read.pooled[0])
        assert torch.equal(pooled[-1], schedule.prompt.pooled[0]) == (towards != 1 or fraction < 0.5)
    assert not torch.equal(calls[0][1], calls[-1][1])


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_edit_guidance_goes_beyond_after(steerers, name):
    edits, samplers = [Edit("penguin", strength=4.0)], [Sampler(2, 3.0, g) for g in (0.0, 1.0, 4.0)]
    none, plain, more = (steerers[name].steer(PROMPT, edits, 3, sampler) for sampler in samplers)
    before = _pixels(plain.before)
    assert np.abs(_pixels(none.after) - before).max() <= 1
    assert np.abs(_pixels(more.after) - before).mean() > np.abs(_pixels(plain.after) - before).mean() > 0


@pytest.mark.parametrize("name", SD3)
def test_sd3_edits_reach_both_clips_and_neither_padding_nor_t5(steerers, name):
    steerer = steerers[name]
    state, family = steerer.read([PROMPT]), steerer.backbone.family
    schedule = steerer.schedule(state, [Edit("penguin")])
    change = family.rows(schedule.at(0)) - family.rows(schedule.prompt)
    assert not change[:, :, NARROW + WIDTH :].any()
    assert not change[:, 77:].any()
    assert not change[:, 0].any()
    first, second = change[0, 5, : NARROW + WIDTH].split([NARROW, WIDTH])
    pooled_first, pooled_second = schedule.moves[0].dpooled[0].split([NARROW, WIDTH])
    assert min(part.norm() for part in (first, second, pooled_first, pooled_second)) > 0
    # the second half of the pooled vector is the bank's own joint space, unscaled: it goes where the joint vector goes
    was, now = (torch.nn.functional.normalize(schedule.at(f).pooled[0, NARROW:], dim=0) for f in (1.0, 0.0))
    shift = schedule.shift[0]
    assert torch.cosine_similarity(now - was, shift - (shift @ was) * was, dim=0) > 0.8
    bound = steerer.schedule(state, [Edit("penguin", words=("dog",))]).moves[0]
    assert bound.dpooled is None
    assert set(bound.dh[0].norm(dim=1).nonzero()[:, 0].tolist()) == set(state.encoded.rows(0, "dog"))


def test_sd3_reads_rows_as_sdxl_does_but_needs_a_map_to_its_own_pooled_vector(steerers, tmp_path):
    sdxl = steerer_of(make_sdxl(tmp_path / "sdxl"))
    ours, theirs = (encode(one.backbone, [PROMPT]).hidden for one in (steerers["sd3"], sdxl))
    assert torch.equal(ours, theirs)
    with pytest.raises(SteerError, match="whose pooled vector is 32 wide; the one here is 56.*bank fit"):
        Steerer(steerers["sd3"].backbone, sdxl.bank)


def test_a_bank_of_sd1_steers_flux_through_clip_s_own_matrix(steerers, home, tmp_path):
    sd1 = steerer_of(make_sd1(tmp_path / "sd1"))
    flux = Steerer(steerers["flux"].backbone, sd1.bank)
    assert steerers["flux"].bank.meta["text_to_joint"]["kind"] == "exact"
    texts = captions(5, seed=3)
    assert torch.allclose(flux.read(texts).x, joint_vectors(home / "flux", texts), atol=1e-5)
    move = flux.schedule(flux.read([PROMPT]), [Edit("penguin")]).moves[0]
    assert torch.equal(move.dpooled, sd1.schedule(sd1.read([PROMPT]), [Edit("penguin")]).moves[0].dh[:, -1])


@pytest.mark.parametrize("name", FLUX)
def test_flux_edits_are_global_and_can_be_scaled(steerers, name):
    steerer = steerers[name]
    state, family = steerer.read([PROMPT]), steerer.backbone.family
    plain, more = (steerer.schedule(state, [Edit("penguin")], w) for w in (1.0, 3.0))
    assert torch.allclose(more.moves[0].dpooled, 3 * plain.moves[0].dpooled)
    assert family.rows(more.at(0)) is family.rows(more.prompt)
    drawn = [steerer.steer(PROMPT, [Edit("penguin")], 3, Sampler(2, 1.0, pooled_guidance=w)) for w in (1.0, 8.0)]
    assert np.array_equal(*(_pixels(one.before) for one in drawn))
    assert not np.array_equal(*(_pixels(one.after) for one in drawn))
    with pytest.raises(SteerError, match="bound to 'dog', but FLUX.1 reads CLIP as one vector.*leave the words"):
        steerer.schedule(state, [Edit("penguin", words=("dog",))])


def test_how_each_is_drawn(steerers):
    usual = {name: steerer.sampler for name, steerer in steerers.items()}
    assert usual["sd3"] == usual["sd3-clip"] == Sampler(28, 7.0)
    assert usual["flux"] == Sampler(28, 3.5)
    assert usual["schnell"] == Sampler(4, 0.0)
    scales = [_pixels(steerers["flux"].steer(PROMPT, [], 3, Sampler(2, g)).before) for g in (1.0, 9.0)]
    assert not np.array_equal(*scales)  # dev reads the scale as a number
    scales = [_pixels(steerers["schnell"].steer(PROMPT, [], 3, Sampler(2, g)).before) for g in (0.0, 9.0)]
    assert np.array_equal(*scales)


@pytest.mark.parametrize("name", ALL)
def test_memory_and_doctor_know_them(steerers, home, name, capsys):
    modules = [m for m in steerers[name].backbone.pipeline.components.values() if isinstance(m, torch.nn.Module)]
    needed = memory_needed(home / name)
    stored = {one.data_ptr(): one.numel() for module in modules for one in module.state_dict().values()}
    assert needed.weights == pytest.approx(sum(stored.values()), rel=0.01)
    assert needed.size == (16 if name in SD3 else 256)
    assert steerers[name].backbone.side == 16
    assert main(["doctor", str(home / name)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{name} "))
    assert "(by its files)" in line
    assert steerers[name].backbone.family.title in line


@pytest.mark.parametrize(
    ("pipeline", "encoders", "message"),
    [
        ("ZImagePipeline", ["Qwen3Model"], "has no CLIP text encoder (it reads Qwen3): features of CLIP's joint space"),
        ("QwenImagePipeline", ["Qwen2_5_VLForConditionalGeneration"], "no CLIP text encoder (it reads Qwen2.5-VL)"),
        ("Flux2Pipeline", ["Mistral3ForConditionalGeneration"], "no CLIP text encoder (it reads Mistral3)"),
        ("SanaPipeline", ["Gemma2Model"], "no CLIP text encoder (it reads Gemma2)"),
        ("PixArtSigmaPipeline", ["T5EncoderModel"], "no CLIP text encoder (it reads T5)"),
        (
            "HunyuanImagePipeline",
            ["Qwen2_5_VLForConditionalGeneration", "T5EncoderModel"],
            "(it reads Qwen2.5-VL and T5)",
        ),
        ("SomethingNewPipeline", ["UMT5EncoderModel"], "no CLIP text encoder (it reads UMT5)"),
        (
            "HiDreamImagePipeline",
            ["CLIPTextModelWithProjection", "CLIPTextModelWithProjection", "T5EncoderModel", "LlamaForCausalLM"],
            "reads a CLIP beside T5 and Llama in a way that mmsteer does not know; mmsteer can steer FluxPipeline",
        ),
        ("StableDiffusionInpaintPipeline", ["CLIPTextModel"], "StableDiffusionInpaintPipeline; mmsteer can steer"),
    ],
)
def test_other_models_are_refused_by_what_reads_their_words(tmp_path, pipeline, encoders, message):
    parts = {f"text_encoder{f'_{k}' if k > 1 else ''}": ["transformers", name] for k, name in enumerate(encoders, 1)}
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline, "vae": [None, None]} | parts))
    with pytest.raises(SteerError, match=re.escape(message)):
        Backbone.load(str(tmp_path))


def test_an_image_adapter_is_refused(home):
    with pytest.raises(
        SteerError, match="draws with a transformer, and image adapters go into UNets: leave the adapter"
    ):
        Backbone.load(str(home / "sd3"), adapter="ip-adapter.safetensors")


def test_a_checkpoint_that_reads_words_alone_leaves_out_what_draws(home):
    for name, t5 in (("sd3", "text_encoder_3"), ("flux", "text_encoder_2")):
        backbone = Backbone.load(str(home / name), words_only=True)
        assert backbone.denoiser is getattr(backbone.pipeline, t5) is None
        assert json.loads((home / name / "model_index.json").read_text())[t5][0] == "transformers"


def test_the_page_says_that_flux_reads_words_by_t5(steerers):
    loading = SimpleNamespace(wait=lambda: steerers["flux"])
    opening = Opening(SimpleNamespace(loading=loading, bank=steerers["flux"].bank))
    rack, _, _, notice = opening.loaded("")
    assert rack.props["words"] is False
    assert rack.props["phases"] is True
    assert "reads the words of a prompt by T5" in notice
    assert "global" in notice
