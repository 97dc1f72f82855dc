"""What people's folders hold: variants of weights, missing or foreign tokenizers and processors, added tokens, distilled checkpoints."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import WIDTH, build_clip, build_tokenizer

from mmsteer import Edit, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.labelling.text_to_joint import load_prompt_encoder
from mmsteer.models.backbone import Backbone
from mmsteer.models.clip import Clip

PROMPT, FAST = "a big red dog", Sampler(steps=3, guidance=4.0)


def as_variant(folder: Path, variant: str) -> Path:
    """Give every weight file of a folder, or of its folders, the name of a variant."""
    for path in list(folder.rglob("*.safetensors")):
        path.rename(path.with_name(f"{path.stem}.{variant}.safetensors"))
    return folder


@pytest.fixture
def sd1(folders, tmp_path) -> Path:
    """A copy of a checkpoint, to be changed."""
    return shutil.copytree(folders["sd1"], tmp_path / "sd1")


def test_a_folder_of_one_variant_draws_the_same_picture(sd1, steerers, capsys):
    as_variant(sd1, "fp16")
    loaded = Steerer(Backbone.load(str(sd1), "cpu", "float32"), steerers["sd1"].bank)
    ours, unmarked = (s.steer(PROMPT, [Edit("penguin")], 3, FAST) for s in (loaded, steerers["sd1"]))
    assert np.array_equal(np.asarray(ours.after), np.asarray(unmarked.after))
    clip, whole = Clip(sd1 / "clip"), Clip(sd1.parent / "sd1" / "clip")
    assert torch.equal(clip.embed_texts([PROMPT]), whole.embed_texts([PROMPT]))
    assert main(["doctor", str(sd1)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("sd1 "))
    assert "(by its files)" in line


def test_one_part_alone_may_be_of_a_variant(sd1):
    as_variant(sd1 / "unet", "fp16")
    Backbone.load(str(sd1), "cpu")
    as_variant(sd1 / "vae", "ema")
    with pytest.raises(SteerError, match="different variants alone .unet: fp16; vae: ema.: fetch one variant"):
        Backbone.load(str(sd1), "cpu")


def test_unmarked_weights_are_taken_where_both_are_there(sd1):
    for path in list(sd1.rglob("*.safetensors")):
        path.with_name(f"{path.stem}.fp16.safetensors").write_bytes(b"not weights")
    Backbone.load(str(sd1), "cpu")
    Clip(sd1 / "clip").model  # noqa: B018


def test_a_folder_of_pickles_says_what_it_holds(sd1, capsys):
    (sd1 / "unet" / "diffusion_pytorch_model.safetensors").rename(sd1 / "unet" / "diffusion_pytorch_model.bin")
    (sd1 / "clip" / "model.safetensors").rename(sd1 / "clip" / "pytorch_model.bin")
    said = "unet holds config.json, diffusion_pytorch_model.bin, and no safetensors weights: a .bin is a pickle"
    with pytest.raises(SteerError, match=said):
        Backbone.load(str(sd1), "cpu")
    with pytest.raises(SteerError, match="clip holds .*pytorch_model.bin.*a .bin is a pickle"):
        Clip(sd1 / "clip")
    assert main(["doctor", str(sd1)]) == 0
    assert said in capsys.readouterr().out


def test_a_folder_that_is_no_pipeline_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "lora").mkdir()
    with pytest.raises(
        SteerError, match="holds lora/, notes.txt, and no model_index.json. Name a folder that diffusers"
    ):
        Backbone.load(str(tmp_path), "cpu")


def test_a_tokenizer_must_be_there(sd1, dozen, tmp_path, capsys):
    for path in [*(sd1 / "clip").glob("tokenizer*"), *(sd1 / "tokenizer").iterdir()]:
        path.unlink()
    missing = "tokenizer.json, vocab.json with merges.txt, vocab.txt, or a .model file is missing; fetch"
    with pytest.raises(SteerError, match=f"clip has 2 tokens, and its text encoder embeds 90: {missing}"):
        Clip(sd1 / "clip").embed_texts(["a cat"])
    with pytest.raises(SteerError, match=f"tokenizer.*{missing}"):
        Backbone.load(str(sd1), "cpu")
    command = ["bank", "build", "--clip", str(sd1 / "clip"), "--pairs", str(dozen), "--plan"]
    assert main([*command, "--work", str(tmp_path / "work")]) == 2
    assert missing in capsys.readouterr().err


def test_a_tokenizer_must_be_the_models_own(sd1):
    from transformers import CLIPTokenizer

    pieces = [*(f"token{k}</w>" for k in range(88)), "<|startoftext|>", "<|endoftext|>"]
    other = CLIPTokenizer(
        vocab={piece: k for k, piece in enumerate(pieces)}, merges=[]
    )  # as long, of words nobody says
    other.save_pretrained(sd1 / "tokenizer")
    with pytest.raises(SteerError, match=r"tokenizer makes \[\] of 'a cat' and \[\] of .*it holds tokenizer.json"):
        Backbone.load(str(sd1), "cpu")


def test_a_picture_processor_must_be_the_models_own(sd1):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    other = CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    for folder in (sd1 / "clip", sd1 / "feature_extractor"):
        other.save_pretrained(folder)
    with pytest.raises(SteerError, match="clip makes 3x64x64 numbers, and its encoder reads 3x32x32: fetch"):
        Clip(sd1 / "clip").processor  # noqa: B018
    with pytest.raises(SteerError, match="feature_extractor makes 3x64x64"):
        Backbone.load(str(sd1), "cpu")


@pytest.mark.parametrize("in_tokenizer", [True, False])
def test_an_added_token_leaves_a_clip_what_it_is(folders, steerers, tmp_path, in_tokenizer):
    """Textual inversion, as diffusers' `load_textual_inversion` and `save_pretrained` leave it."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(folders["sd2"], local_files_only=True)
    if in_tokenizer:
        pipeline.load_textual_inversion(torch.randn(WIDTH), token="<mine>")
    else:
        pipeline.text_encoder.resize_token_embeddings(len(pipeline.tokenizer) + 1)
    pipeline.save_pretrained(tmp_path / "sd2")
    name, clip = str(tmp_path / "sd2"), Clip(folders["sd2"] / "clip")
    Steerer(Backbone.load(name, "cpu"), steerers["sd2"].bank)
    assert load_prompt_encoder(name, clip, 3000).pipeline.text_encoder.config.vocab_size == len(build_tokenizer()) + 1
    other = shutil.copytree(folders["sd2"] / "clip", tmp_path / "other")
    build_clip(build_tokenizer(), WIDTH, "gelu", seed=7).save_pretrained(other)  # as wide, with other weights
    with pytest.raises(SteerError, match="is not that of .*other"):
        load_prompt_encoder(name, Clip(other), 3000)


def scheduled(folder: Path, **config) -> Path:
    """Give a checkpoint another scheduler."""
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"][1] = config["_class_name"]
    (folder / "model_index.json").write_text(json.dumps(index))
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(
        json.dumps({"num_train_timesteps": 1000, "beta_schedule": "scaled_linear", "steps_offset": 1} | config)
    )
    return folder


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("sd1", {"_class_name": "DDIMScheduler"}, (25, 7.5)),
        ("zsnr", {"_class_name": "DDIMScheduler", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}, (25, 7.5)),
        ("vpred", {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing", "prediction_type": "v_prediction"}, (25, 7.5)),
        ("few", {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}, (2, 0.0)),
        ("dreams", {"_class_name": "LCMScheduler"}, (4, 0.0)),
        ("dreams", {"_class_name": "TCDScheduler"}, (4, 0.0)),
        ("dreams-turbo", {"_class_name": "DDIMScheduler"}, (2, 0.0)),
        ("dreams-Lightning-8steps", {"_class_name": "DDIMScheduler"}, (8, 0.0)),
        ("hyper_sd", {"_class_name": "DDIMScheduler"}, (4, 0.0)),
        ("dmd2", {"_class_name": "DDIMScheduler"}, (4, 0.0)),
        ("hypernetworks", {"_class_name": "DDIMScheduler"}, (25, 7.5)),
        ("turbo", {"_class_name": "DDIMScheduler", "_sampling": {"num_inference_steps": 9, "guidance_scale": 3.0}}, (9, 3.0)),
    ],
)  # fmt: skip
def test_distilled_checkpoints_are_known_by_several_signs(sd1, name, config, expected):
    folder = scheduled(sd1.rename(sd1.parent / name) if name != "sd1" else sd1, **config)
    backbone = Backbone.load(str(folder), "cpu")
    assert (backbone.steps, backbone.guidance) == expected


def test_a_denoiser_that_reads_the_guidance_scale_is_asked_once_a_step(sd1, steerers):
    """As latent consistency models are: four steps, and no prediction for the empty prompt."""
    from diffusers import UNet2DConditionModel

    old = UNet2DConditionModel.from_pretrained(sd1 / "unet")
    UNet2DConditionModel.from_config(old.config, time_cond_proj_dim=8).save_pretrained(sd1 / "unet")
    backbone = Backbone.load(str(scheduled(sd1, _class_name="LCMScheduler")), "cpu")
    assert (backbone.steps, backbone.guidance) == (4, 8.0)
    batches = []
    backbone.pipeline.unet.register_forward_pre_hook(lambda _, args: batches.append(len(args[0])))
    steerer = Steerer(backbone, steerers["sd1"].bank)
    edits = [Edit("penguin", strength=2.0, start=0.5)]
    plain = steerer.steer(PROMPT, edits, 3)
    assert batches == [1] * 8  # before and after
    stock = backbone.pipeline(
        PROMPT, num_inference_steps=4, guidance_scale=8.0, generator=torch.Generator().manual_seed(3)
    )
    assert np.array_equal(np.asarray(plain.before), np.asarray(stock.images[0]))
    assert not np.array_equal(np.asarray(plain.before), np.asarray(plain.after))
    batches.clear()
    steerer.steer(PROMPT, edits, 3, Sampler(4, 8.0, edit_guidance=2.0))
    assert batches[-4:] == [2] * 4  # after, beside before
