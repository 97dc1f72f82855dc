"""Checkpoints in one file: loaded with a configuration that lies here, and told from everything else that comes as one file."""

import shutil

import numpy as np
import pytest
import torch
from checkpoints import make_sd1
from safetensors.torch import save_file
from single_files import write_single_file

from mmsteer import SteerError
from mmsteer.__main__ import main
from mmsteer.models.backbone import Backbone
from mmsteer.models.loading.single_file import kind_of
from mmsteer.models.prompt import encode

FIRST = "model.diffusion_model.input_blocks.0.0.weight"


@pytest.fixture(scope="module")
def sd1(tmp_path_factory):
    return Backbone.load(str(make_sd1(tmp_path_factory.mktemp("single") / "sd1")))


@pytest.fixture(scope="module")
def file(sd1):
    """The same weights in one file, and beside it a folder with small files alone."""
    home = sd1.spec.source.parent
    shutil.copytree(sd1.spec.source, home / "painter", ignore=shutil.ignore_patterns("*.safetensors", "clip"))
    return write_single_file(sd1.pipeline, home / "painter.safetensors")


def _drawn(backbone):
    made = backbone.pipeline(
        "a big red dog", num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(1)
    )
    return made.images


def test_a_file_is_the_same_checkpoint_as_its_folder(sd1, file):
    loaded = Backbone.load(str(file))
    assert (loaded.name, loaded.family.title) == ("painter.safetensors", "Stable Diffusion 1.x")
    for part in ("unet", "vae", "text_encoder"):
        ours, theirs = (getattr(one.pipeline, part).state_dict() for one in (loaded, sd1))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), part
    assert torch.equal(encode(loaded, ["a cat"]).hidden, encode(sd1, ["a cat"]).hidden)
    sd1.pipeline.safety_checker = None  # which such files do not have
    assert np.array_equal(_drawn(loaded), _drawn(sd1))
    assert Backbone.load(str(file), words_only=True).denoiser is None


def test_its_digest_is_of_its_weights(sd1, file, tmp_path):
    copy = shutil.copy(file, tmp_path / "other.safetensors")
    shutil.copytree(file.with_suffix(""), tmp_path / "other")
    assert len(Backbone.load(str(file)).digest) == 16
    assert Backbone.load(str(copy)).digest == Backbone.load(str(file)).digest
    trained = write_single_file(sd1.pipeline, tmp_path / "other.safetensors", v_pred=torch.tensor([]))
    again = Backbone.load(str(trained))
    assert again.digest != Backbone.load(str(file)).digest
    assert again.pipeline.scheduler.config.prediction_type == "v_prediction"


def test_the_doctor_knows_it(file, capsys):
    assert main(["doctor", str(file)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("painter.safetensors "))
    assert "Stable Diffusion 1.x" in line
    assert "(by its files)" in line


def test_a_file_without_configuration_says_where_that_comes_from(file, tmp_path):
    alone = shutil.copy(file, tmp_path / "alone.safetensors")
    with pytest.raises(SteerError, match=r"its configuration and tokenizer are those of sd15, .* as alone/"):
        Backbone.load(str(alone))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "lora_unet_down_blocks_0.lora_down.weight",
            (4, 4),
            "is a LoRA, not a whole checkpoint of Stable Diffusion .* give one",
        ),
        ("first_stage_model.decoder.conv_in.weight", (4, 4), "is a VAE"),
        ("decoder.conv_in.weight", (4, 4), "is a VAE"),
        ("emb_params", (2, 8), "is a textual-inversion embedding"),
        ("control_model.time_embed.0.weight", (4, 4), "is a ControlNet"),
        ("image_proj.proj.weight", (4, 4), "is an image adapter"),
        ("double_blocks.0.img_attn.qkv.weight", (4, 4), "is the transformer of a FLUX model"),
        ("conditioner.embedders.0.model.text_projection", (4, 4), "is a refiner"),
        ("down_blocks.0.resnets.0.conv1.weight", (4, 4), "is one part of a folder that diffusers saved"),
        (FIRST, (8, 4, 3, 3), "is a UNet without text encoder"),
        (FIRST, (8, 9, 3, 3), "is an inpainting checkpoint: its UNet reads 9 channels"),
        (FIRST, (8, 8, 3, 3), "is a checkpoint that edits pictures"),
        ("layers.0.weight", (4, 4), "holds layers.0.weight and is not a whole checkpoint"),
    ],
)
def test_other_files_are_refused_as_what_they_are(tmp_path, name, shape, message):
    save_file({name: torch.zeros(shape)}, tmp_path / "given.safetensors")
    with pytest.raises(SteerError, match=f"given.safetensors {message}"):
        Backbone.load(str(tmp_path / "given.safetensors"))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("sd15", "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"),
        ("sd21", "cond_stage_model.model.token_embedding.weight"),
        ("sdxl", "conditioner.embedders.1.model.positional_embedding"),
    ],
)
def test_the_kind_is_read_off_the_header(tmp_path, kind, name):
    save_file({FIRST: torch.zeros(8, 4, 3, 3), name: torch.zeros(4, 4)}, tmp_path / "given.safetensors")
    assert kind_of(tmp_path / "given.safetensors") == kind


@pytest.mark.parametrize("suffix", ["ckpt", "bin", "pt", "pth"])
def test_pickles_are_refused_unread(tmp_path, suffix):
    (tmp_path / f"given.{suffix}").write_bytes(b"never read")
    with pytest.raises(SteerError, match="is a pickle, and reading one runs whatever code is in it"):
        Backbone.load(str(tmp_path / f"given.{suffix}"))


def test_a_damaged_or_missing_file_is_refused(tmp_path):
    (tmp_path / "given.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(SteerError, match="is damaged"):
        Backbone.load(str(tmp_path / "given.safetensors"))
    with pytest.raises(SteerError, match="there is no backbone 'models/none.safetensors'"):
        Backbone.load("models/none.safetensors")
