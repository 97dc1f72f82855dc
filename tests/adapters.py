"""Untrained image adapters in the layout of h94/IP-Adapter: for tiny SD 1 and XL pipelines, beside a CLIP whose embeddings they read."""

from pathlib import Path
from typing import Any

import torch
from checkpoints import build_clip, build_tokenizer, with_clip
from safetensors.torch import save_file

from mmsteer.world.models.adapter import initial_weights

READS, XL_READS = 48, 40  # for ViT-H/14's 1,024 and bigG/14's 1,280
NORM = 6.0  # of the image embeddings that a bank speaks of
PIPELINES = {"sd1": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
SD15 = "models/ip-adapter_sd15.safetensors"
XL = "sdxl_models/ip-adapter_sdxl.safetensors"
XL_VIT_H = "sdxl_models/ip-adapter_sdxl_vit-h.safetensors"


def make_repository(folder: Path, sd1: Any, sdxl: Any) -> Path:
    """Write adapters for two UNets, with all that lies beside them in the published repository.

    Returns:
        The folder. In it, `clip/` is the whole CLIP that the ones for SD 1 read.
    """
    torch.manual_seed(4)
    _save(folder / SD15, sd1, READS)
    _save(folder / "models/ip-adapter_sd15_light.safetensors", sd1, READS)
    _save(folder / "models/ip-adapter_sd15_vit-G.safetensors", sd1, XL_READS)
    _save(folder / XL, sdxl, XL_READS)
    _save(folder / XL_VIT_H, sdxl, READS)
    for name, tensor in (("plus", "latents"), ("full-face", "proj.0.weight")):
        tensors = {f"image_proj.{tensor}": torch.ones(4, 4), "ip_adapter.1.to_k_ip.weight": torch.ones(4, 4)}
        save_file(tensors, folder / f"models/ip-adapter-{name}_sd15.safetensors")
    (folder / "models/ip-adapter_sd15.bin").write_bytes(b"a pickle")
    tokenizer = build_tokenizer()
    clip = build_clip(tokenizer, READS, "gelu", seed=5)
    with_clip(folder, clip, tokenizer)
    for place in ("models", "sdxl_models"):
        clip.vision_model.save_pretrained(folder / place / "image_encoder")
    return folder


def _save(path: Path, unet: Any, reads: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = initial_weights(unet, reads)
    # random, so that pictures matter to an untrained UNet
    named = {f"{kind}.{name}": value for kind, part in weights.items() for name, value in part.items()}
    save_file({name: value + torch.randn_like(value) * 0.3 for name, value in named.items()}, path)
