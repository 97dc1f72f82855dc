"""One checkpoint in one file: a pipeline's weights under the names that the original training code gives them, as A1111 shares them."""

import re
from pathlib import Path

import torch
from safetensors.torch import save_file

_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
           "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
         "conv_norm_out": "out.0", "conv_out": "out.2"}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _unet_name(name: str, layers: int, blocks: int) -> str:
    """Of a UNet with `layers` ResNets in each of its `blocks` levels, the second of which has attention."""
    for ours, theirs in _ENDS.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    if found := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.+)", name):
        side, level, kind, number, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
        per = layers + 1
        place = (
            f"input_blocks.{1 + level * per + number}" if side == "down" else f"output_blocks.{level * per + number}"
        )
        return f"{place}.{0 if kind == 'resnets' else 1}.{_resnet(rest) if kind == 'resnets' else rest}"
    if found := re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.+)", name):
        return f"input_blocks.{(int(found[1]) + 1) * (layers + 1)}.0.op.{found[2]}"
    if found := re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.(.+)", name):
        level = int(found[1])
        attends = 2 if level == 0 else 1  # after the attention, where there is one
        return f"output_blocks.{(level + 1) * (layers + 1) - 1}.{attends}.{found[2]}"
    found = re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", name)
    place = 1 if found[1] == "attentions" else 2 * int(found[2])
    return f"middle_block.{place}.{_resnet(found[3]) if found[1] == 'resnets' else found[3]}"


def _resnet(rest: str) -> str:
    part, _, end = rest.rpartition(".")
    return f"{_RESNET[part]}.{end}"


def _vae_name(name: str, blocks: int) -> str:
    if found := re.match(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(.+)", name):
        level = int(found[3]) if found[2] == "down" else blocks - 1 - int(found[3])
        rest = re.sub(r"resnets\.(\d+)", r"block.\1", found[4])
        rest = re.sub(r"(down|up)samplers\.0", r"\1sample", rest)
        return f"{found[1]}.{found[2]}.{level}.{rest}".replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("conv_norm_out", "norm_out")
    if found := re.match(r"(.+)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)", name):
        return f"{found[1]}.mid.attn_1.{_ATTENTION[found[2]]}.{found[3]}"
    return name


def write_single_file(pipeline, file: Path, **more: torch.Tensor) -> Path:
    """A Stable Diffusion 1.x pipeline in one file."""
    tensors = {}
    layers, blocks = pipeline.unet.config.layers_per_block, len(pipeline.unet.config.block_out_channels)
    for name, value in pipeline.unet.state_dict().items():
        tensors[f"model.diffusion_model.{_unet_name(name, layers, blocks)}"] = value
    for name, value in pipeline.vae.state_dict().items():
        is_matrix = "attn" in _vae_name(name, 2) and value.ndim == 2
        tensors[f"first_stage_model.{_vae_name(name, 2)}"] = value[:, :, None, None] if is_matrix else value
    for name, value in pipeline.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = value
    save_file({name: value.contiguous() for name, value in (tensors | more).items()}, file)
    return file
