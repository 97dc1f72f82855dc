"""The world's CLIP: a small transformers CLIPModel, and the token ids it reads.

`mmsteer.world.training.tasks.clip` trains it.
"""

from typing import Any

import torch

from mmsteer.world.draws import READ
from mmsteer.world.models.tokenizer import LENGTH

WIDTH = 128  # d_text and d_joint


def build_clip(tokenizer: Any) -> Any:
    """An untrained CLIPModel of the world's shape for the tokens of `tokenizer`."""
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


def tokens(tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Token ids `int64 [B, T]`, padded and cut to the model's length."""
    batch = tokenizer(captions, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids
