"""The world's CLIP: a small transformers CLIPModel trained on drawn scenes and their captions.

Contrastive training alone throws away what only one side knows. So three heads, thrown away afterwards, keep it in the
embeddings: one rebuilds a thumbnail (colours and local contrast) from the picture's, one the words from the caption's,
and one reads off two embeddings of one scene how its look was changed between them.
"""

import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.captions import caption_word, captions
from mmsteer.world.draws import READ, WAYS, other_look, pictures, random_scenes, shrink, small_pictures
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.tokenizer import LENGTH, build_tokenizer
from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.loop import Budget, Task
from mmsteer.world.training.workers import Arrays, Workers, on_device

WIDTH = 128  # d_text and d_joint
CPU = Budget(batch=192, rate=1.5e-3, warm=50, weight_decay=0.05)
GPU = Budget(batch=1536, rate=2e-3, weight_decay=0.05)
LOOKS = tuple((i, v) for i, f in enumerate(FACTORS) if f.modality == "vision" for v in range(1, len(f.values)))
"""Each look that no caption tells: which factor, which of its values."""
_THUMB = 16
_LOOK_STEP = 0.2  # how far each look moves an embedding of unit length
_TWINS = 3  # one picture in three has a twin
_THUMB_WEIGHT, _WORD_WEIGHT, _LOOK_WEIGHT = 2.0, 0.15, 1.0  # beside 1 of the contrast
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
        "image_size": READ, "patch_size": 16, "projection_dim": WIDTH,
    }  # fmt: skip
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


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


def looks(values: np.ndarray) -> np.ndarray:
    """Which of LOOKS scenes `values [B, n_factors]` have, `float32 [B, n_looks]`."""
    return np.stack([values[:, i] == v for i, v in LOOKS], 1).astype(np.float32)


class ClipWithHeads(nn.Module):
    """CLIP and the heads that keep modality-only information in its embeddings while it trains."""

    def __init__(self, clip: Any, words: int) -> None:
        super().__init__()
        self.clip = clip
        self.picture_head = nn.Sequential(nn.Linear(WIDTH, 512), nn.GELU(), nn.Linear(512, 4 * _THUMB**2))
        self.word_head = nn.Linear(WIDTH, words)
        nn.init.constant_(self.word_head.bias, -4.0)  # most words are absent from most captions
        self.look_head = nn.Parameter(torch.randn(len(LOOKS), WIDTH))

    def changes(self, image: torch.Tensor, twin: torch.Tensor) -> torch.Tensor:
        """How far twins differ along each look's direction, `[B, n_looks]`: 1 where it came, -1 where it went."""
        return (image - twin) @ F.normalize(self.look_head, dim=-1).T / _LOOK_STEP


@dataclass(frozen=True)
class ClipWords:
    """One step's scenes, twins and token ids, by (seed, step) alone."""

    batch: int
    tokenizer: Any
    seed: int

    def __call__(self, step: int) -> Arrays:
        rng = np.random.default_rng((self.seed, 2, step))
        values, told, chance = random_scenes(rng, self.batch)
        twin = other_look(rng, values[: self.batch // _TWINS])
        ids = tokens(self.tokenizer, stray(rng, captions(rng, values, told))).numpy()
        changed = looks(values[: len(twin)]) - looks(twin)
        return {"values": values, "twin": twin, "chance": chance, "ids": ids, "changed": changed}


class ClipTask(Task):
    """Symmetric InfoNCE (Radford et al., 2103.00020), the two reconstruction terms, and the twins' term.

    A twin is a picture of the same scene that differs in what no caption tells: the difference of the two embeddings
    must tell the difference of the looks (augmentation-aware self-supervision, Lee et al., 2111.09613).
    """

    name = "clip"

    def __init__(
        self, budget: Budget, device: torch.device, seed: int, workers: int = 0, clip: Any = None, tokenizer: Any = None
    ) -> None:
        super().__init__(budget, device, seed)
        self.tokenizer = tokenizer or build_tokenizer()
        clip = clip or build_clip(self.tokenizer)
        # over 64 rows, the fused kernel's backward is the slower one on a CPU
        clip.set_attn_implementation("sdpa" if device.type == "cuda" else "eager")
        self.heads: ClipWithHeads = ClipWithHeads(clip, len(self.tokenizer)).to(device)
        self.model: nn.Module = self.heads
        self.workers = Workers(ClipWords(budget.batch, self.tokenizer, seed), workers)

    def begin(self, step: int) -> None:
        self.workers.start(step)

    def end(self) -> None:
        self.workers.stop()

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        arrays = self.workers.get(step)
        way, values, twin, chance = int(rng.integers(WAYS)), *(arrays.pop(k) for k in ("values", "twin", "chance"))
        batch, heads, count, n = on_device(arrays, self.device), self.heads, len(values), len(twin)
        seen = small_pictures(values, chance, self.device, way)
        twins = small_pictures(twin, chance[:n], self.device, way)
        with torch.autocast(self.device.type, torch.bfloat16):
            both = heads.clip.get_image_features(torch.cat([seen, twins])).pooler_output
            text = heads.clip.get_text_features(batch["ids"]).pooler_output
        text, both = F.normalize(text.float(), dim=-1), F.normalize(both.float(), dim=-1)
        image, twins = both[:count], both[count:]
        logits = image @ text.T * heads.clip.logit_scale.clamp(max=4.6).exp()
        truth, thumb = torch.arange(count, device=self.device), thumbnail(seen)
        present = torch.zeros(count, len(self.tokenizer), device=self.device).scatter_(1, batch["ids"], 1.0)
        words = F.binary_cross_entropy_with_logits(heads.word_head(text * WIDTH**0.5), present, reduction="sum") / count
        return {
            "contrast": (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2,
            "thumbnail": _THUMB_WEIGHT * F.mse_loss(heads.picture_head(image * WIDTH**0.5), thumb) / thumb.var(),
            "words": _WORD_WEIGHT * words,
            "twins": _LOOK_WEIGHT * F.mse_loss(heads.changes(image[:n], twins), batch["changed"]),
        }

    def samples(self, path: Path) -> dict[str, float]:
        """Zero-shot: share of fresh scenes whose value of a factor is the nearest of all its plainest wordings."""
        values, _, chance = random_scenes(np.random.default_rng((self.seed, 98)), 2 * self.budget.batch)
        parts = [slice(i, i + 256) for i in range(0, len(values), 256)]
        seen = (shrink(pictures(values[rows], chance[rows], self.device)) for rows in parts)
        image = torch.cat([self.heads.clip.get_image_features(part).pooler_output for part in seen])
        right = {}
        for name in ("thing", "place", "position", "size"):
            said = [("a " if name == "thing" else "") + caption_word(name, v) for v in FACTORS[INDEX[name]].values]
            text = self.heads.clip.get_text_features(tokens(self.tokenizer, said).to(self.device)).pooler_output
            nearest = (image @ F.normalize(text, dim=-1).T).argmax(1).cpu().numpy()
            right[f"{name} right"] = float((nearest == values[:, INDEX[name]]).mean())
        return right

    def export(self, folder: Path) -> None:
        from transformers import CLIPImageProcessorPil

        size = {"height": READ, "width": READ}
        half = [0.5] * 3
        processor = CLIPImageProcessorPil(
            size=size, do_center_crop=False, crop_size=size, image_mean=half, image_std=half
        )

        def write(partial: Path) -> None:
            for part in (self.heads.clip, self.tokenizer, processor):
                part.save_pretrained(partial)

        replace_folder(folder / "clip", write)
