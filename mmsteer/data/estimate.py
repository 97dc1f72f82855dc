"""How long a CLIP that is not here yet will take to embed pairs on this machine: arithmetic and a measurement of half a second."""

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import CLIPConfig

LEAST_PAIRS, MOST_PAIRS = 2_000, 50_000
"""Fewer pairs make no bank worth having; more improve it slowly."""
_CAPTION = 24  # tokens of a caption, padding included
_EFFICIENCY = 0.5  # of the speed of a matrix product that a transformer reaches, attention and norms included
_READING = 0.02  # seconds that one core takes to decode and resize a picture
_SHARE = 0.6  # of the time for a bank that is spent on embedding; the rest trains, scores and names


def seconds_per_pair(config: "CLIPConfig", device: str) -> float:
    """Estimate how long one pair takes.

    Args:
        config: of the CLIP.
        device: where it will run.
    """
    vision, text = config.vision_config, config.text_config
    patches = (vision.image_size // vision.patch_size) ** 2 + 1
    work = _operations(vision, patches) + _operations(text, _CAPTION)
    computing = work / (_EFFICIENCY * _operations_per_second(device))
    return max(computing, _READING / (os.cpu_count() or 1))


def pairs_within(seconds: float, per_pair: float) -> int:
    """How many pairs a bank can be made of in so many seconds, in thousands."""
    count = int(_SHARE * seconds / per_pair) // 1000 * 1000
    return min(MOST_PAIRS, max(LEAST_PAIRS, count))


def _operations(tower: Any, tokens: int) -> float:
    """Floating-point operations of a transformer: its four attention matrices, its two feed-forward ones, and attention itself."""
    width = tower.hidden_size
    matrices = 4 * width**2 + 2 * width * tower.intermediate_size
    return float(tower.num_hidden_layers * (2 * tokens * matrices + 4 * tokens**2 * width))


def _operations_per_second(device: str) -> float:
    """What a large matrix product reaches here, in the precision in which CLIP runs."""
    import torch

    dtype = torch.float32 if device == "cpu" else torch.float16
    a, b = (torch.randn(1024, 1024, device=device).to(dtype) for _ in range(2))
    done, products = 0.0, 0
    (a @ b).sum().item()  # warms up, and waits for a GPU
    began = time.perf_counter()
    while done < 0.3:
        for _ in range(4):
            product = a @ b
        product.sum().item()
        products += 4
        done = time.perf_counter() - began
    return products * 2 * 1024**3 / done
