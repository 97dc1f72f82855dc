"""Loading backbones and telling what they need; banks that move between backbones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import checkpoints
import numpy as np
import pytest
import torch
from checkpoints import MAKERS, captions

from mmsteer import Edit, FeatureBank, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.models.backbone import Backbone
from mmsteer.models.families import FAMILIES
from mmsteer.models.joint_space import JointSpace
from mmsteer.models.memory import memory_needed
from mmsteer.models.prompt import encode

PROMPT, FAST = "a big red dog", Sampler(steps=3, guidance=4.0)
ALL = tuple(MAKERS)


def test_a_bank_of_another_clip_is_refused(steerers):
    with pytest.raises(SteerError, match="made for sd2, another text encoder.*bank fit"):
        Steerer(steerers["sd1"].backbone, steerers["sd2"].bank)  # as wide, other weights
    with pytest.raises(SteerError, match="hidden states are 56 wide; those here are 32"):
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


def test_a_bank_of_a_clip_alone_is_refused_with_the_reason(steerers):
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

    monkeypatch.setattr("checkpoints.build_tokenizer", every_byte)
    backbone = Backbone.load(str(checkpoints.make_sd1(tmp_path / "sd1")))
    encoded = encode(backbone, ["一只猫在雪地里, a cat", "猫和猫", "雪" * 100])
    assert encoded.rows(0, "cat") == tuple(range(24, 27))
    assert encoded.rows(0, "猫") == (7, 8, 9)
    assert encoded.rows(0, "雪地") == tuple(range(13, 19))
    assert encoded.rows(1, "猫#2") == (7, 8, 9)
    for absent in ("地雪", "狗", "dog"):
        with pytest.raises(
            SteerError, match=f"the word '{absent}' is not in the prompt; its words are 一只猫在雪地里, a, cat"
        ):
            encoded.rows(0, absent)
    assert encoded.rows(1, "猫") == (1, 2, 3, 7, 8, 9)
    assert encoded.rows(2, "雪") == tuple(77 * k + row for k in range(4) for row in range(1, 76))  # in four chunks


def test_the_safety_checkers_verdict_is_reported(folders, steerers, tmp_path):
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
    state = half.read([PROMPT])
    assert half.schedule(state, ()).at(0) is state.encoded.conditioning
    assert half.schedule(state, [Edit("penguin")]).at(0).hidden.dtype == torch.bfloat16
    edits = [Edit("penguin", strength=2.0)]
    ours, whole = (np.asarray(s.steer(PROMPT, edits, 3, FAST).after).astype(int) for s in (half, steerers["sd1"]))
    assert np.abs(ours - whole).mean() < 3  # of 255
    twice = half.steer(PROMPT, edits, 3, FAST).after
    assert np.array_equal(np.asarray(twice), ours)


def test_weights_that_could_hold_code_are_not_read(folders, tmp_path):
    folder = shutil.copytree(folders["sd2"], tmp_path / "pickled")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(SteerError, match="pickled/unet holds .*.bin, and no safetensors weights"):
        Backbone.load(str(folder))


def test_a_device_that_is_not_there_is_refused(folders):
    with pytest.raises(SteerError, match="there is no device 'cuda' here: choose one of cpu"):
        Backbone.load(str(folders["sd1"]), "cuda")
    with pytest.raises(SteerError, match="there is none here: leave it out"):
        Backbone.load(str(folders["sd1"]), "cpu", offload=True)


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


def test_the_doctor_lists_what_is_installed_and_what_is_missing(folders, capsys):
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
    for family in FAMILIES:
        assert family.clip in told
        assert family.reads in told


@pytest.mark.parametrize("name", ALL)
def test_memory_needed_is_read_off_the_files(folders, steerers, name, tmp_path):
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
    with pytest.raises(SteerError, match="copy is not complete"):
        memory_needed(copy)
