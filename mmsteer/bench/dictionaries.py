"""How long the default bank's dictionaries take to train."""

import time
from typing import Any

_SEED = 3


def measure(pairs: int, steps: int) -> dict[str, Any]:
    """Train dictionaries of the default bank's size, 512 latents a side, on random unit vectors of width 128.

    Args:
        pairs: Number of vectors a side.
        steps: Training steps.
    """
    import torch

    from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
    from mmsteer.training.objectives import train_dictionaries

    generator = torch.Generator().manual_seed(_SEED)
    image, text = torch.nn.functional.normalize(torch.randn(2, pairs, 128, generator=generator), dim=2)
    groups = (MatryoshkaGroup(64, 5), MatryoshkaGroup(448, 5))
    start = time.perf_counter()
    train_dictionaries("matryoshka", image, text, DictionarySizes(groups, groups), TrainingConfig(steps))
    seconds = round(time.perf_counter() - start, 1)
    return {f"training dictionaries, {pairs:,} pairs, {steps:,} steps, s": seconds}
