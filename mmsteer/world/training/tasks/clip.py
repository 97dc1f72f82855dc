"""Trains the world's CLIP on drawn scenes and their captions.

Contrastive training alone discards what only one modality contains. Three heads, thrown away afterwards, keep it in the
embeddings: one reconstructs a thumbnail (colours and local contrast) from the image embedding, one the words from the
text embedding, and one reads from two image embeddings of one scene how its vision factors differ.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.captions import caption_word, captions
from mmsteer.world.draws import READ, WAYS, pictures, random_scenes, redraw_vision_factors, shrink, small_pictures
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.clip import WIDTH, build_clip, tokens
from mmsteer.world.models.parts import replace_folder
from mmsteer.world.models.tokenizer import build_tokenizer
from mmsteer.world.paraphrases import insert_unknown_words
from mmsteer.world.training.loop import Budget, Task
from mmsteer.world.training.workers import Arrays, Workers, on_device

CPU = Budget(batch=192, rate=1.5e-3, warm=50, weight_decay=0.05)
GPU = Budget(batch=1536, rate=2e-3, weight_decay=0.05)
VISION_VALUES = tuple((i, v) for i, f in enumerate(FACTORS) if f.modality == "vision" for v in range(1, len(f.values)))
"""Every value that pictures show and no caption mentions, as (factor, value); neutral values are left out."""
_THUMB = 16  # cells a side of a thumbnail
_VISION_STEP = 0.2  # how far each vision value moves an embedding of unit length
_COUNTERFACTUALS = 3  # one picture in three has a counterfactual
_THUMB_WEIGHT, _WORD_WEIGHT, _VISION_WEIGHT = 2.0, 0.15, 1.0  # beside 1 of the contrastive loss


def thumbnail(pictures: torch.Tensor) -> torch.Tensor:
    """Mean colour of each cell, and the log of how much its pixels differ: `[B, 3, 128, 128]` to `[B, 4 * 16 * 16]`.

    The logarithm turns a soft backdrop into what a tint is already: the same step in every cell, one direction.
    """
    half = F.avg_pool2d(pictures, 2)
    colour = F.adaptive_avg_pool2d(half, _THUMB)
    grey = half.mean(1, keepdim=True)
    across, down = (grey[..., 1:] - grey[..., :-1]).abs(), (grey[..., 1:, :] - grey[..., :-1, :]).abs()
    change = F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))
    return torch.cat([colour, 0.5 * (F.adaptive_avg_pool2d(change, _THUMB) + 0.01).log()], 1).flatten(1)


def vision_indicators(values: np.ndarray) -> np.ndarray:
    """Which of `VISION_VALUES` scenes `values [B, n_factors]` have, `float32 [B, n_vision_values]`."""
    return np.stack([values[:, i] == v for i, v in VISION_VALUES], 1).astype(np.float32)


class ClipWithHeads(nn.Module):
    """CLIP and the heads that keep modality-specific information in its embeddings while it trains.

    Names of the heads are keys of checkpoints.
    """

    def __init__(self, clip: Any, words: int) -> None:
        super().__init__()
        self.clip = clip
        self.picture_head = nn.Sequential(nn.Linear(WIDTH, 512), nn.GELU(), nn.Linear(512, 4 * _THUMB**2))
        self.word_head = nn.Linear(WIDTH, words)
        nn.init.constant_(self.word_head.bias, -4.0)  # most words are absent from most captions
        self.look_head = nn.Parameter(torch.randn(len(VISION_VALUES), WIDTH))

    def vision_changes(self, image: torch.Tensor, counterfactual: torch.Tensor) -> torch.Tensor:
        """How far two embeddings differ along each vision value's direction, `[B, n_vision_values]`.

        Trained towards 1 where only `image` has the value, -1 where only `counterfactual` has it, else 0.
        """
        return (image - counterfactual) @ F.normalize(self.look_head, dim=-1).T / _VISION_STEP


@dataclass(frozen=True)
class ClipBatches:
    """One step's scenes, counterfactuals and token ids; they follow from seed and step alone."""

    batch: int
    tokenizer: Any
    seed: int

    def __call__(self, step: int) -> Arrays:
        """Draw the batch of one step."""
        rng = np.random.default_rng((self.seed, 2, step))
        values, mentioned, nuisance = random_scenes(rng, self.batch)
        counterfactual = redraw_vision_factors(rng, values[: self.batch // _COUNTERFACTUALS])
        ids = tokens(self.tokenizer, insert_unknown_words(rng, captions(rng, values, mentioned))).numpy()
        changed = vision_indicators(values[: len(counterfactual)]) - vision_indicators(counterfactual)
        return {
            "values": values,
            "counterfactual": counterfactual,
            "nuisance": nuisance,
            "ids": ids,
            "changed": changed,
        }


class ClipTask(Task):
    """Symmetric InfoNCE (Radford et al., 2103.00020), two reconstruction terms, and a term on counterfactuals.

    A counterfactual is a picture of the same scene with other vision factors: the difference of the two embeddings must
    say how these differ (augmentation-aware self-supervision, Lee et al., 2111.09613).
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
        self.batches = Workers(ClipBatches(budget.batch, self.tokenizer, seed), workers)

    def begin(self, step: int) -> None:
        """Start the workers that draw batches."""
        self.batches.start(step)

    def end(self) -> None:
        """Stop the workers."""
        self.batches.stop()

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The contrastive loss and the losses of the three heads."""
        arrays = self.batches.get(step)
        way = int(rng.integers(WAYS))
        values, counterfactual, nuisance = (arrays.pop(k) for k in ("values", "counterfactual", "nuisance"))
        batch, heads, count, n = on_device(arrays, self.device), self.heads, len(values), len(counterfactual)
        seen = small_pictures(values, nuisance, self.device, way)
        changed = small_pictures(counterfactual, nuisance[:n], self.device, way)
        with torch.autocast(self.device.type, torch.bfloat16):
            both = heads.clip.get_image_features(torch.cat([seen, changed])).pooler_output
            text = heads.clip.get_text_features(batch["ids"]).pooler_output
        text, both = F.normalize(text.float(), dim=-1), F.normalize(both.float(), dim=-1)
        image = both[:count]
        logits = image @ text.T * heads.clip.logit_scale.clamp(max=4.6).exp()
        truth, thumb = torch.arange(count, device=self.device), thumbnail(seen)
        present = torch.zeros(count, len(self.tokenizer), device=self.device).scatter_(1, batch["ids"], 1.0)
        words = F.binary_cross_entropy_with_logits(heads.word_head(text * WIDTH**0.5), present, reduction="sum") / count
        changes = heads.vision_changes(image[:n], both[count:])
        return {
            "contrast": (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2,
            "thumbnail": _THUMB_WEIGHT * F.mse_loss(heads.picture_head(image * WIDTH**0.5), thumb) / thumb.var(),
            "words": _WORD_WEIGHT * words,
            "vision": _VISION_WEIGHT * F.mse_loss(changes, batch["changed"]),
        }

    def samples(self, path: Path) -> dict[str, float]:
        """Zero-shot accuracy on fresh scenes: the nearest of a factor's plainest wordings must be the right one."""
        values, _, nuisance = random_scenes(np.random.default_rng((self.seed, 98)), 2 * self.budget.batch)
        parts = [slice(i, i + 256) for i in range(0, len(values), 256)]
        seen = (shrink(pictures(values[rows], nuisance[rows], self.device)) for rows in parts)
        image = torch.cat([self.heads.clip.get_image_features(part).pooler_output for part in seen])
        right = {}
        for name in ("thing", "place", "position", "size"):
            prompts = [("a " if name == "thing" else "") + caption_word(name, v) for v in FACTORS[INDEX[name]].values]
            text = self.heads.clip.get_text_features(tokens(self.tokenizer, prompts).to(self.device)).pooler_output
            nearest = (image @ F.normalize(text, dim=-1).T).argmax(1).cpu().numpy()
            right[f"{name} right"] = float((nearest == values[:, INDEX[name]]).mean())
        return right

    def export(self, folder: Path) -> None:
        """Write the CLIP without its heads, its tokenizer and its image processor to `clip`."""
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
