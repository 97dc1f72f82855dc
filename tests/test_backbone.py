"""Every family of backbones, on untrained pipelines of the real classes, loaded the way users load theirs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import families
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import make_bank
from families import MAKERS, captions
from safetensors.torch import save_file

from mmsteer import Edit, FeatureBank, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.cli.doctor import memory_needed
from mmsteer.labelling.text_to_joint import fit_joint
from mmsteer.models.backbone import BACKBONES, FAMILIES, Backbone
from mmsteer.models.joint_space import JointSpace
from mmsteer.models.prompt import encode
from mmsteer.steering.recipe import Recipe
from mmsteer.world.models.adapter import initial_weights

PROMPT, FAST = "a big red dog", Sampler(steps=3, guidance=4.0)
ALL = tuple(MAKERS)
TITLES = {"sd1": "1.x", "sd2": "2.x", "turbo": "2.x", "sdxl": "XL", "unclip": "unCLIP"}


def joint_vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    """What transformers' own text tower with projection says, `[N, d_joint]`, unit length."""
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder / "clip")
    tower = CLIPTextModelWithProjection.from_pretrained(folder / "clip").eval()
    with torch.no_grad():
        parts = [
            tower(**tokenizer(texts[i : i + 100], padding="max_length", truncation=True, max_length=77, return_tensors="pt"))
            for i in range(0, len(texts), 100)
        ]  # fmt: skip
    return F.normalize(torch.cat([part.text_embeds for part in parts]), dim=-1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("families")
    return {name: make(home / name) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def steerers(folders: dict[str, Path]) -> dict[str, Steerer]:
    """A Steerer for each family, with a map fitted on 1,500 captions and a bank of random directions."""
    from transformers import CLIPModel

    found, texts = {}, captions(1500)
    for name, folder in folders.items():
        backbone = Backbone.load(str(folder))
        projection = CLIPModel.from_pretrained(folder / "clip").text_projection.weight.detach().T.contiguous()
        joint, told = fit_joint(backbone, texts, joint_vectors(folder, texts), projection)
        bank = make_bank(joint, name)
        bank.meta["text_to_joint"] = told
        found[name] = Steerer(backbone, bank)
    return found


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
    assert {family.pipeline for family in FAMILIES.values()} == {
        "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableUnCLIPImg2ImgPipeline"
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
        more["image_embeds"] = steerer.plan(encode(steerer.backbone, [PROMPT]), ()).at(0).image
    stock = steerer.backbone.pipeline(
        prompt=PROMPT, num_inference_steps=sampler.steps, guidance_scale=sampler.guidance,
        generator=torch.Generator().manual_seed(5), **more,
    ).images[0]  # fmt: skip
    assert np.array_equal(np.asarray(steerer.steer(PROMPT, [], 5, sampler).before), np.asarray(stock))


@pytest.mark.parametrize("name", ALL)
def test_the_invariants_hold_on_every_family(steerers, name):
    steerer = steerers[name]
    encoded = encode(steerer.backbone, [PROMPT])
    nothing = steerer.plan(encoded, [Edit("penguin", strength=0.0), Edit("warm light", strength=0.0)])
    assert nothing.moves == []
    small, one = (steerer.plan(encoded, [Edit("penguin", strength=s)]).moves[0] for s in (1e-5, 1.0))
    assert torch.allclose(small.dh.double() * 1e5, one.dh.double(), rtol=1e-2, atol=1e-3)
    result = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST)
    again = steerer.steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST)
    assert not np.array_equal(np.asarray(result.before), np.asarray(result.after))
    assert np.array_equal(np.asarray(result.after), np.asarray(again.after))


@pytest.mark.parametrize("name", ALL)
def test_a_direction_lifted_and_read_again_is_that_direction(steerers, name):
    steerer = steerers[name]
    encoded = encode(steerer.backbone, list(dict.fromkeys(captions(20, seed=9))))
    x, norm = steerer.joint.project(encoded.last)
    # towards other prompts: differences that occur
    dx = 0.3 * (x.roll(1, 0) - x)
    moved, _ = steerer.joint.project(encoded.last + steerer.joint.lift(dx, norm))
    assert F.cosine_similarity(moved - x, dx, dim=1).mean() > 0.9


def test_the_exact_map_agrees_with_transformers(steerers, folders):
    texts = captions(10, seed=3)
    ours, _ = steerers["sd1"].joint.project(encode(steerers["sd1"].backbone, texts).last)
    assert torch.allclose(ours, joint_vectors(folders["sd1"], texts), atol=1e-5)
    assert steerers["sd1"].bank.meta["text_to_joint"]["kind"] == "exact"


@pytest.mark.parametrize("name", ["sd2", "sdxl", "unclip"])
def test_a_fitted_map_says_how_faithful_it_is_and_is(steerers, folders, name):
    told, texts = steerers[name].bank.meta["text_to_joint"], captions(200, seed=8)
    truth = joint_vectors(folders[name], texts)
    ours, _ = steerers[name].joint.project(encode(steerers[name].backbone, texts).last)
    error = (ours - truth).square().sum() / (truth - truth.mean(0)).square().sum()
    assert told["kind"] == "fitted"
    assert told["condition"] < 1e7
    assert 1 - float(error) == pytest.approx(told["r2"], abs=0.04)


def test_too_few_captions_for_a_map_are_refused(steerers, folders):
    texts = captions(40)
    with pytest.raises(SteerError, match="40 captions are too few"):
        fit_joint(steerers["sd2"].backbone, texts, joint_vectors(folders["sd2"], texts), None)


def test_an_edit_reaches_both_encoders_and_the_pooled_vector(steerers):
    steerer = steerers["sdxl"]
    encoded = encode(steerer.backbone, [PROMPT])
    move = steerer.plan(encoded, [Edit("penguin")]).moves[0]
    first, second = move.dh[0, 5].split([24, 32])
    assert min(first.norm(), second.norm(), move.dpooled.norm()) > 0
    # the pooled vector of an SDXL whose bank lives in the second encoder's joint space is that vector, unscaled
    pooled = F.normalize(encoded.conditioning.pooled + move.dpooled, dim=-1)
    was = F.normalize(encoded.conditioning.pooled, dim=-1)
    shift = steerer.plan(encoded, [Edit("penguin")]).shift
    assert F.cosine_similarity(pooled - was, shift - (shift * was).sum() * was).item() > 0.8
    assert steerer.plan(encoded, [Edit("penguin", words=("dog",))]).moves[0].dpooled is None
    more = steerer.plan(encoded, [Edit("penguin")], pooled=2.5).moves[0]
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
    encoded = encode(steerer.backbone, [PROMPT])
    plan = steerer.plan(encoded, [Edit("warm light", strength=2.0)])
    was, now = steerer.plan(encoded, ()).at(0).image, plan.at(0).image
    length = (0.5**2 * 32) ** 0.5  # of the normaliser's mean 0 and deviation 0.5
    assert was.norm().item() == pytest.approx(length, rel=1e-4)
    assert torch.allclose(now - was, plan.shift * length, atol=1e-5)
    with pytest.raises(SteerError, match="read the prompt once for the whole run"):
        steerer.plan(encoded, [Edit("warm light", start=0.5)])
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
    encoded = encode(steerer.backbone, [PROMPT])
    plan = steerer.plan(encoded, [Edit("warm light", strength=4.0, start=0.5)])
    assert torch.equal(plan.at(0.9).hidden, encoded.conditioning.hidden)
    assert torch.equal(plan.at(0.9).pooled, encoded.conditioning.pooled)
    embeddings, layer = [], steerer.backbone.pipeline.unet.encoder_hid_proj
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda images: embeddings.append(images[0][:, 0].clone()) or forward(images))
    own, edited = plan.prompt.image[0], plan.at(0.9).image[0]
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


def test_a_bank_of_another_clip_is_refused(steerers):
    with pytest.raises(SteerError, match="made for sd2, another text encoder.*bank fit"):
        Steerer(steerers["sd1"].backbone, steerers["sd2"].bank)  # as wide, other weights
    with pytest.raises(SteerError, match="text rows are 56 wide; those here are 32"):
        Steerer(steerers["sd1"].backbone, steerers["sdxl"].bank)
    Steerer(steerers["turbo"].backbone, steerers["sd2"].bank)  # the same encoder in another checkpoint


def test_a_bank_moves_to_another_backbone_of_its_clip(folders, steerers, tmp_path):
    home = tmp_path / "bank"
    steerers["sd1"].bank.save(home)
    (tmp_path / "captions.txt").write_text("\n".join(captions(3000)))
    command = ["bank", "fit", str(home), "--backbone", str(folders["sd2"]), "--clip", str(folders["sd2"] / "clip")]
    assert main([*command, "--captions", str(tmp_path / "captions.txt")]) == 0
    moved = Steerer.load(str(folders["sd2"]), home)
    assert moved.bank.meta["backbone"] == "sd2"
    assert moved.bank.faithfulness.startswith("fitted map to the joint space, R² 0.9")
    assert [f.name for f in moved.bank.features] == [f.name for f in steerers["sd1"].bank.features]
    with pytest.raises(SteerError, match="another text encoder"):
        Steerer.load(str(folders["sd1"]), home)


def test_a_bank_of_a_clip_alone_says_what_it_lacks(steerers):
    bank = steerers["sd1"].bank
    tensors = {key: value for key, value in bank.tensors.items() if key != "probes"}
    with pytest.raises(SteerError, match="made for a CLIP alone.*bank fit"):
        Steerer(steerers["sd1"].backbone, FeatureBank(bank.features, bank.meta, bank.dictionaries, tensors))


def test_an_edit_may_name_letters_of_a_script_without_spaces(tmp_path, monkeypatch):
    """With byte-pair encoding, as CLIP has it: three bytes a letter, each a row."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    def every_byte():
        letters = sorted(ByteLevel.alphabet())
        pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
        return CLIPTokenizer(vocab={piece: k for k, piece in enumerate(pieces)}, merges=[], model_max_length=77)

    monkeypatch.setattr("families.build_tokenizer", every_byte)
    backbone = Backbone.load(str(families.make_sd1(tmp_path / "sd1")))
    encoded = encode(backbone, ["一只猫在雪地里, a cat", "猫和猫", "雪" * 100])
    assert encoded.rows(0, "cat") == tuple(range(24, 27))
    assert encoded.rows(0, "猫") == (7, 8, 9)
    assert encoded.rows(0, "雪地") == tuple(range(13, 19))
    assert encoded.rows(0, "地雪") == encoded.rows(0, "狗") == encoded.rows(0, "dog") == ()
    assert encoded.rows(1, "猫") == (1, 2, 3, 7, 8, 9)
    assert encoded.rows(2, "雪") == tuple(range(1, 76))  # the last row is the end of the text


def test_the_safety_checkers_verdict_is_told(folders, steerers, tmp_path):
    fine = steerers["sd1"].steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST)
    assert fine.blanked == (False, False)
    folder = shutil.copytree(folders["sd1"], tmp_path / "strict")
    backbone = Backbone.load(str(folder))
    backbone.pipeline.safety_checker.concept_embeds_weights.fill_(-2.0)  # flags whatever it sees
    strict = Steerer(backbone, steerers["sd1"].bank).steer(PROMPT, [Edit("penguin", strength=6.0)], 3, FAST)
    assert strict.blanked == (True, True)
    assert not np.asarray(strict.after).any()


def test_half_precision_stays_within_its_tolerance(folders, steerers):
    half = Steerer(Backbone.load(str(folders["sd1"]), "cpu", "bfloat16"), steerers["sd1"].bank)
    encoded = encode(half.backbone, [PROMPT])
    assert half.plan(encoded, ()).at(0) is encoded.conditioning
    assert half.plan(encoded, [Edit("penguin")]).at(0).hidden.dtype == torch.bfloat16
    edits = [Edit("penguin", strength=2.0)]
    ours, whole = (np.asarray(s.steer(PROMPT, edits, 3, FAST).after).astype(int) for s in (half, steerers["sd1"]))
    assert np.abs(ours - whole).mean() < 3  # of 255
    twice = half.steer(PROMPT, edits, 3, FAST).after
    assert np.array_equal(np.asarray(twice), ours)


def test_weights_that_could_hold_code_are_not_read(folders, tmp_path):
    folder = shutil.copytree(folders["sd2"], tmp_path / "pickled")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(SteerError, match="cannot load the backbone in .*pickled"):
        Backbone.load(str(folder))


def test_a_device_that_is_not_there_is_refused(folders):
    with pytest.raises(SteerError, match="there is no device 'cuda' here: choose one of cpu"):
        Backbone.load(str(folders["sd1"]), "cuda")
    with pytest.raises(SteerError, match="there is none here: leave it out"):
        Backbone.load(str(folders["sd1"]), "cpu", offload=True)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"_class_name": "FluxPipeline"}, "holds a FluxPipeline; mmsteer can steer StableDiffusionPipeline, "),
        ({"_class_name": "StableDiffusionXLPipeline", "text_encoder": [None, None]}, "has one text encoder"),
        ([], "is damaged"),
    ],
)
def test_other_checkpoints_are_refused_before_anything_is_loaded(tmp_path, index, message):
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(SteerError, match=message):
        Backbone.load(str(tmp_path))


def test_a_hub_id_is_read_from_the_cache_without_network(folders, tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(folders["turbo"], home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "from mmsteer.models.backbone import Backbone; from mmsteer import SteerError\n"
        f"print(Backbone.load('someone/tiny@{commit}').family.title)\n"
        "try: Backbone.load('someone/other')\n"
        "except SteerError as error: print(error)"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    title, refused = done.stdout.strip().splitlines()
    assert title == "Stable Diffusion 2.x"
    assert refused.startswith("cannot get model_index.json of someone/other from the hub or its cache")


def test_the_joint_space_reads_back_what_it_lifts_exactly_where_it_is_exact():
    torch.manual_seed(0)
    joint = JointSpace(torch.nn.init.orthogonal_(torch.empty(12, 12)))
    rows, dx = torch.randn(5, 12), torch.randn(5, 12) * 0.1
    _, norm = joint.project(rows)
    assert torch.allclose(joint.lift(dx, norm) @ joint.projection, dx * norm, atol=1e-5)


def test_the_doctor_names_what_is_here_and_what_is_missing(folders, capsys):
    """Memory of what is here is read off its files; of what is not, it is an estimate, and says so."""
    assert main(["doctor", str(folders["sdxl"]), "someone/unpinned", "nowhere/at/all"]) == 0
    told = capsys.readouterr().out
    lines = {line.split()[0]: line for line in reversed(told.splitlines()) if line.strip()}
    assert "here" in lines["mini"]
    assert "(by its files)" in lines["mini"]
    assert "fetched from the hub on first use" in lines["sd-turbo"]
    assert "about 3 GB (an estimate)" in lines["sd-turbo"]
    (own,) = (line for line in told.splitlines() if line.startswith("sdxl ") and "(by its files)" in line)
    assert "Stable Diffusion XL" in own
    assert "on the CPU" in own
    assert "not pinned: say ID@COMMIT" in lines["someone/unpinned"]
    assert "not usable, see above" in lines["all"]
    assert "nowhere/at/all: there is no backbone" in told
    assert "exact map to the joint space" in told
    for family in FAMILIES.values():
        assert family.clip in told
        assert family.reads in told


@pytest.mark.parametrize("name", ALL)
def test_memory_is_told_by_the_files(folders, steerers, name, tmp_path):
    modules = [
        part for part in steerers[name].backbone.pipeline.components.values() if isinstance(part, torch.nn.Module)
    ]
    found = memory_needed(folders[name])
    numbers = sum(tensor.numel() for part in modules for tensor in part.state_dict().values())
    assert found.weights == pytest.approx(numbers, rel=0.01)
    assert (found.size, found.drawing) == (16, 4 * 8 * 16 * 16)
    copy = shutil.copytree(folders[name], tmp_path / "copy")
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.copy(file, file.with_suffix(".fp16.safetensors"))  # as the hub has both
    assert memory_needed(copy) == found
    file.write_bytes(b"\xff" * 40)
    with pytest.raises(SteerError, match=r"diffusion_pytorch_model.safetensors is damaged"):
        memory_needed(copy)
    shutil.rmtree(copy / "unet")
    with pytest.raises(SteerError, match="copy is not whole"):
        memory_needed(copy)
