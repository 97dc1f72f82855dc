"""Pairs of the world in the joint space of an embedded CLIP."""

from pathlib import Path
from typing import Any

import torch

from mmsteer.data.embedding import embed_pairs, work_folder
from mmsteer.data.embeddings import Embedded
from mmsteer.models.clip import Clip
from mmsteer.world.source import World


def load_clip(folder: Path) -> tuple[Any, Any]:
    """The CLIPModel (float32, frozen) and tokenizer of a backbone folder's `clip/`."""
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    return clip.requires_grad_(False), CLIPTokenizer.from_pretrained(folder)


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
