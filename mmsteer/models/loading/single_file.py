"""A checkpoint in one safetensors file, as A1111, ComfyUI and Civitai share them: what it is, and where its configuration is.

Such a file has weights alone. Its kind is read off the names and shapes in its header; configuration and tokenizers are those of a
folder beside it, called as the file is, or of the known backbone of that kind.
"""

import json
from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError, first_line
from mmsteer.models.registry import BACKBONES
from mmsteer.models.weights_header import Shapes, read_header

_UNET = "model.diffusion_model."
_FIRST = f"{_UNET}input_blocks.0.0.weight"
_V_PREDICTION, _ZERO_SNR = "v_pred", "ztsnr"
"""Tensors whose names say how the UNet was trained; they hold nothing."""
_KINDS = {
    "sd15": "cond_stage_model.transformer.",
    "sd21": "cond_stage_model.model.",
    "sdxl": "conditioner.embedders.1.model.",
}
"""Known backbone -> how names of its text encoder's tensors begin."""
_OTHERS = {
    "a LoRA": ("lora_", ".lora_down.", ".lora_A."),
    "a ControlNet": ("control_model.", "controlnet_cond_embedding."),
    "an image adapter (give it as --ip-adapter)": ("image_proj.", "ip_adapter."),
    "a textual-inversion embedding": ("emb_params", "string_to_param"),
    "the transformer of a FLUX model": ("double_blocks.",),
    "a Stable Diffusion 3": ("joint_blocks.",),
    "a refiner of Stable Diffusion XL": ("conditioner.embedders.0.model.",),
    "one part of a folder that diffusers saved (name the folder)": ("down_blocks.", "mid_block.", "text_model."),
    "a UNet without text encoder": (_UNET,),
    "a VAE": ("first_stage_model.", "decoder.conv_in.", "encoder.conv_in."),
}
"""What other files are -> what is in the name of one of their tensors; the first that fits."""
_WANTED = "not a whole checkpoint of Stable Diffusion 1.x, 2.x or XL: give one, or a folder that diffusers saved"
_NEVER = ("safety_checker", "feature_extractor", "image_encoder")
"""Parts that no such file has."""
_SMALL = ["*.json", "*/merges.txt"]


def kind_of(file: Path) -> str:
    """The known backbone whose configuration a file needs: `sd15`, `sd21` or `sdxl`.

    Raises:
        SteerError: the file is a pickle, damaged, or no whole checkpoint; the message says what it is.
    """
    if file.suffix != ".safetensors":
        raise SteerError(
            f"{file.name} is a pickle, and reading one runs whatever code is in it: give a .safetensors file. Most pages that offer "
            "the one also offer the other; to convert it where you trust it, load it in diffusers' `from_single_file` and call "
            "`save_pretrained` of what comes out"
        )
    shapes = shapes_of(file)
    channels = shapes.get(_FIRST, (0, 4))[1]
    if channels != 4:
        what = "an inpainting checkpoint" if channels == 9 else "a checkpoint that edits pictures"
        raise SteerError(
            f"{file.name} is {what}: its UNet reads {channels} channels, not 4. Give one that draws from words alone"
        )
    for kind, prefix in _KINDS.items():
        if _FIRST in shapes and any(name.startswith(prefix) for name in shapes):
            return kind
    for what, marks in _OTHERS.items():
        if any(mark in name for name in shapes for mark in marks):
            raise SteerError(f"{file.name} is {what}, {_WANTED}")
    raise SteerError(f"{file.name} holds {', '.join(sorted(shapes)[:3])[:200] or 'nothing'} and is {_WANTED}")


def shapes_of(file: Path) -> Shapes:
    """What a safetensors file holds, by its header alone; SteerError for a damaged one."""
    try:
        return read_header(file).shapes
    except (OSError, ValueError) as error:
        raise SteerError(f"{file} is damaged ({first_line(error)}): fetch it again") from None


def configuration(file: Path, fetch: bool = True) -> Path:
    """The folder with the small files of a pipeline that go with a file: configurations and tokenizers.

    Args:
        file: the checkpoint.
        fetch: ask the hub where they are not here.

    Raises:
        SteerError: they cannot be had, or the file is no checkpoint.
    """
    kind = kind_of(file)
    beside = file.with_suffix("")
    if (beside / "model_index.json").is_file():
        return beside
    from huggingface_hub import snapshot_download

    known = BACKBONES[kind]
    try:
        return Path(
            snapshot_download(
                str(known.source), revision=known.revision, allow_patterns=_SMALL, local_files_only=not fetch
            )
        )
    except Exception as error:  # offline, gone: the library's words say which
        raise SteerError(
            f"{file.name} has weights alone; its configuration and tokenizer are those of {kind}, which cannot be had "
            f"({first_line(error)}): give it a network once, or put such a folder that diffusers saved beside the file, as {beside.name}/"
        ) from error


def load_file(file: Path, folder: Path, pipeline: str, precision: Any, left_out: dict[str, Any]) -> Any:
    """The pipeline of a file.

    Args:
        file: the checkpoint.
        folder: its configuration.
        pipeline: class of diffusers.
        precision: of the weights.
        left_out: parts to do without.
    """
    import diffusers

    index = json.loads((folder / "model_index.json").read_text())
    lacks: dict[str, Any] = {part: None for part in _NEVER if part in index}
    if "safety_checker" in index:
        lacks["requires_safety_checker"] = False
    loaded = getattr(diffusers, pipeline).from_single_file(
        str(file), config=str(folder), local_files_only=True, dtype=precision, **lacks | left_out
    )
    shapes = shapes_of(file)
    if _V_PREDICTION in shapes:
        trained = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": _ZERO_SNR in shapes}
        loaded.scheduler = type(loaded.scheduler).from_config(loaded.scheduler.config, **trained)
    return loaded
