"""The world's CLIP: a small transformers CLIPModel trained from nothing on drawn scenes and their captions.

Contrastive training alone throws away what only one side knows. So two heads, thrown away afterwards, keep it in the
embeddings: one rebuilds a thumbnail (colours and local contrast) from the picture's, one the words from the caption's.
"""

import string
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.captions import captions, retell
from mmsteer.world.pairs import DrawnScenes
from mmsteer.world.scene import SIZE
from mmsteer.world.tokenizer import LENGTH, build_tokenizer
from mmsteer.world.training import Budget, Task

WIDTH = 128  # d_text and d_joint
_THUMB = 16
_STRAY = 0.1  # share of captions that hold one word nobody knows, so that such words come to mean nothing


def build_clip(tokenizer: Any) -> Any:
    """An untrained CLIPModel of the world's shape."""
    from transformers import CLIPConfig, CLIPModel

    text = {
        "vocab_size": len(tokenizer), "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 3,
        "num_attention_heads": 4, "max_position_embeddings": LENGTH, "projection_dim": WIDTH,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = {
        "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 4, "num_attention_heads": 4,
        "image_size": SIZE, "patch_size": 16, "projection_dim": WIDTH,
    }  # fmt: skip
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    config._attn_implementation = "eager"  # over 64 rows, the fused kernel's backward is the slower one on a CPU
    return CLIPModel(config)


def stray(rng: np.random.Generator, captions: list[str]) -> list[str]:
    """Put a random string of letters into a share `_STRAY` of the captions."""
    told = []
    for text in captions:
        if rng.random() < _STRAY:
            words = text.split()
            noise = "".join(rng.choice(list(string.ascii_lowercase), rng.integers(3, 7)))
            words.insert(int(rng.integers(len(words) + 1)), noise)
            text = " ".join(words)
        told.append(text)
    return told


def tokens(tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Token ids `int64 [B, T]`, padded and cut to the model's length."""
    batch = tokenizer(captions, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
    return batch.input_ids


def thumbnail(pictures: torch.Tensor) -> torch.Tensor:
    """`[B, 3, 128, 128]` in [-1, 1] -> `[B, 4 * 16 * 16]`: each cell's mean colour, and the log of how much its pixels differ.

    The logarithm makes a soft backdrop what a tint already is: the same step for every cell, a direction of its own.
    """
    half = F.avg_pool2d(pictures, 2)
    colour = F.adaptive_avg_pool2d(half, _THUMB)
    grey = half.mean(1, keepdim=True)
    across, down = (grey[..., 1:] - grey[..., :-1]).abs(), (grey[..., 1:, :] - grey[..., :-1, :]).abs()
    change = F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))
    return torch.cat([colour, 0.5 * (F.adaptive_avg_pool2d(change, _THUMB) + 0.01).log()], 1).flatten(1)


class ClipWithHeads(nn.Module):
    """CLIP and the two heads that keep modality-only information in its embeddings while it trains."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.clip = build_clip(tokenizer)
        self.picture_head = nn.Sequential(nn.Linear(WIDTH, 512), nn.GELU(), nn.Linear(512, 4 * _THUMB**2))
        self.word_head = nn.Linear(WIDTH, len(tokenizer))
        nn.init.constant_(self.word_head.bias, -4.0)  # most words are absent from most captions


class ClipTask(Task):
    """Symmetric InfoNCE (Radford et al., 2103.00020) plus the two reconstruction terms."""

    name = "clip"

    def __init__(self, scenes: DrawnScenes, steps: int = 1850, device: str = "cpu") -> None:
        self.budget = Budget(steps=steps, batch=192, rate=1.5e-3, decay=0.6, weight_decay=0.05)
        self.scenes, self.device = scenes, device
        self.tokenizer = build_tokenizer()
        torch.manual_seed(0)
        self.model: nn.Module = ClipWithHeads(self.tokenizer)

    def loss(self, rng: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
        rows = rng.integers(0, len(self.scenes), self.budget.batch)
        pictures = self.scenes.floats(rows).to(self.device)
        texts = stray(rng, captions(rng, *retell(rng, self.scenes.values[rows], self.scenes.told[rows])))
        ids = tokens(self.tokenizer, texts).to(self.device)
        model = self.model
        assert isinstance(model, ClipWithHeads)
        with torch.autocast(self.device, torch.bfloat16):
            image = model.clip.get_image_features(pictures).pooler_output
            text = model.clip.get_text_features(ids).pooler_output
        image, text = F.normalize(image.float(), dim=-1), F.normalize(text.float(), dim=-1)
        logits = image @ text.T * model.clip.logit_scale.clamp(max=4.6).exp()
        truth = torch.arange(len(rows), device=self.device)
        contrast = (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2
        thumb = thumbnail(pictures)
        rebuilt = F.mse_loss(model.picture_head(image * WIDTH**0.5), thumb) / thumb.var()
        present = torch.zeros(len(rows), len(self.tokenizer), device=self.device).scatter_(1, ids, 1.0)
        words = F.binary_cross_entropy_with_logits(model.word_head(text * WIDTH**0.5), present, reduction="sum") / len(
            rows
        )
        self.parts = {"contrast": contrast.item(), "thumbnail": rebuilt.item(), "words": words.item()}
        return contrast + 2.0 * rebuilt + 0.15 * words

    def samples(self, folder: Path, step: int) -> None:
        print("   ", {k: round(v, 3) for k, v in self.parts.items()}, flush=True)

    def export(self, folder: Path) -> None:
        from transformers import CLIPImageProcessorPil

        model = self.model
        assert isinstance(model, ClipWithHeads)
        model.clip.half().save_pretrained(folder / "clip")
        self.tokenizer.save_pretrained(folder / "clip")
        size = {"height": SIZE, "width": SIZE}
        CLIPImageProcessorPil(
            size=size, do_center_crop=False, crop_size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ).save_pretrained(folder / "clip")
