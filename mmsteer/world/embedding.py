"""Pairs of the world in the joint space of an embedded CLIP."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from mmsteer.data.embedding import embed_pairs, work_folder
from mmsteer.data.embeddings import Embedded
from mmsteer.models.clip import Clip
from mmsteer.world.models.clip import tokens
from mmsteer.world.source import World

_BATCH = 128  # pictures embedded at once


def load_clip(folder: Path) -> tuple[Any, Any]:
    """The CLIPModel (float32, frozen) and tokenizer of a backbone folder's `clip/`."""
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    return clip.requires_grad_(False), CLIPTokenizer.from_pretrained(folder)


@torch.no_grad()
def embed_pictures(clip: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures `[N, 3, S, S]` of the size that the CLIP reads, uint8 or in -1 to 1, to unit vectors `[N, d_joint]`."""
    parts = [part.float() / 127.5 - 1 if part.dtype == torch.uint8 else part for part in torch.split(pictures, _BATCH)]
    return F.normalize(torch.cat([clip.get_image_features(part).pooler_output for part in parts]), dim=1)


@torch.no_grad()
def embed_captions(clip: Any, tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Captions to unit vectors `[N, d_joint]`."""
    return F.normalize(clip.get_text_features(tokens(tokenizer, captions)).pooler_output, dim=1)


def embed_world(clip_folder: Path, seed: int, count: int, work: Path) -> Embedded:
    """Embed `count` pairs of a seed, or read them from `work` if the same CLIP has embedded them before.

    Args:
        clip_folder: A CLIP with both towers.
        seed: Of the world.
        count: How many pairs.
        work: A folder that keeps embeddings.

    Returns:
        The pairs, in memory.
    """
    clip, source = Clip(clip_folder), World(seed, count)
    return embed_pairs(clip, source, work_folder(work, clip, source)).part(0, count)
