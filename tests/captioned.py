"""Captioned pictures and a SigLIP that several tests write."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (30, 40, 200), "yellow": (220, 210, 40)}


def write_folder(folder: Path, count: int) -> Path:
    """Plain pictures of several sizes, captioned with their colour."""
    folder.mkdir()
    rng = np.random.default_rng(count)
    for k in range(count):
        name, colour = list(COLOURS.items())[rng.integers(4)]
        shade = np.clip(np.array(colour) + rng.integers(-20, 20, (30 + k % 7, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(shade).save(folder / f"{k:03d}.png")
        (folder / f"{k:03d}.txt").write_text(f"a {name} {'picture' if rng.random() < 0.5 else 'field'}")
    return folder


def write_siglip(folder: Path, tokenizer, naflex: bool) -> Path:
    from transformers import (
        Siglip2Config,
        Siglip2ImageProcessorPil,
        Siglip2Model,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
    )

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = shape | {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "projection_size": 16}
    torch.manual_seed(0)
    if naflex:
        config = Siglip2Config(text_config=text, vision_config=shape | {"patch_size": 8, "num_patches": 16})
        Siglip2Model(config).save_pretrained(folder)
        Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(folder)
    else:
        config = SiglipConfig(text_config=text, vision_config=shape | {"image_size": 32, "patch_size": 16})
        SiglipModel(config).save_pretrained(folder)
        SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
