"""Pairs into joint vectors of both sides, batch by batch, kept in one file of the work folder.

Knows CLIP and pictures; knows nothing of dictionaries.
"""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.clip import tokens
from mmsteer.world.pairs import WorldPairs, digest

_BATCH = 128


class Embedded(NamedTuple):
    """Matched pairs in the joint space."""

    image: torch.Tensor
    """[N, d_joint], unit length"""
    text: torch.Tensor
    """[N, d_joint], unit length"""
    captions: list[str]
    factors: np.ndarray
    """int64 [N, n_factors]"""
    mentioned: np.ndarray
    """bool [N, n_factors]"""

    def part(self, start: int, stop: int) -> "Embedded":
        """Pairs start to stop."""
        some = slice(start, stop)
        return Embedded(
            self.image[some], self.text[some], self.captions[some], self.factors[some], self.mentioned[some]
        )


def load_clip(folder: Path) -> tuple[Any, Any]:
    """The CLIPModel and tokenizer of a backbone folder's `clip/`."""
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    return clip.requires_grad_(False), CLIPTokenizer.from_pretrained(folder)


def embed(clip_folder: Path, seed: int, count: int, work: Path) -> Embedded:
    """Embed `count` world pairs of `seed`; read from `work` where the same CLIP has embedded the same world before."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = work / f"pairs-{digest(seed, clip_folder / 'model.safetensors')}-{seed}-{count}.safetensors"
    if not path.is_file():
        clip, tokenizer = load_clip(clip_folder)
        image, text, captions, factors, mentioned = [], [], [], [], []
        began = time.monotonic()
        for batch in WorldPairs(seed, count).batches(_BATCH):
            with torch.no_grad():
                seen = clip.get_image_features(batch.pictures.float() / 127.5 - 1).pooler_output
                said = clip.get_text_features(tokens(tokenizer, batch.captions)).pooler_output
            image.append(F.normalize(seen, dim=-1))
            text.append(F.normalize(said, dim=-1))
            captions += batch.captions
            factors.append(torch.from_numpy(batch.factors))
            mentioned.append(torch.from_numpy(batch.mentioned))
            if len(image) % 40 == 0:
                rate = len(captions) / (time.monotonic() - began)
                print(
                    f"embedded {len(captions)}/{count}  {rate:.0f} pairs/s  {(count - len(captions)) / rate:.0f} s left",
                    flush=True,
                )
        work.mkdir(parents=True, exist_ok=True)
        tensors = {
            "image": torch.cat(image),
            "text": torch.cat(text),
            "factors": torch.cat(factors),
            "mentioned": torch.cat(mentioned),
        }
        partial = path.with_suffix(".partial")
        save_file(tensors, partial, metadata={"captions": json.dumps(captions)})
        partial.replace(path)
    with safe_open(path, "pt") as file:
        captions = json.loads(file.metadata()["captions"])
        return Embedded(
            file.get_tensor("image"), file.get_tensor("text"), captions,
            file.get_tensor("factors").numpy(), file.get_tensor("mentioned").numpy(),
        )  # fmt: skip
