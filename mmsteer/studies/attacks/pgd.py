"""Projected gradient descent on pixels (PGD, Madry et al., 1706.06083), and the picture tower as a differentiable function of bytes.

Knows a CLIP and an objective; knows nothing of features.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from mmsteer.image_file import upright_rgb
from mmsteer.models.clip import Clip

Objective = Callable[[torch.Tensor], torch.Tensor]
"""Unit embeddings `[B, d_joint]` -> what the attack maximises, `[B]`."""
_STRIDE = 2.5  # Madry et al.: steps of 2.5 * budget / steps can reach any point of the ball and come back


def bytes_read(clip: Clip, pictures: list[Image.Image]) -> torch.Tensor:
    """Pictures at the size that the CLIP reads, `uint8 [B, 3, S, S]`: its preprocessing up to, but without, scaling of values."""
    shown = [upright_rgb(picture) for picture in pictures]
    prepared = clip.processor(images=shown, return_tensors="pt", do_rescale=False, do_normalize=False)
    values: torch.Tensor = prepared["pixel_values"]
    return values.round().clamp(0, 255).to(torch.uint8)


def embed_bytes(clip: Clip, pixels: torch.Tensor) -> torch.Tensor:
    """Pixels `[B, 3, S, S]` in 0..255, bytes or floats -> unit embeddings `[B, d_joint]`, differentiable."""
    how: Any = clip.processor
    mean, std = (torch.tensor(v, device=clip.device).view(-1, 1, 1) for v in (how.image_mean, how.image_std))
    values = (pixels.to(clip.device).float() * how.rescale_factor - mean) / std
    features = clip.model.get_image_features(pixel_values=values.to(clip.dtype)).pooler_output
    return F.normalize(features.float(), dim=1).cpu()


def embed_all(clip: Clip, pixels: torch.Tensor, batch: int = 128) -> torch.Tensor:
    """`embed_bytes` of any number of pictures, without gradients."""
    with torch.no_grad():
        return torch.cat([embed_bytes(clip, pixels[k : k + batch]) for k in range(0, len(pixels), batch)])


def pgd(
    clip: Clip, pictures: torch.Tensor, objective: Objective, budget: int, steps: int, generator: torch.Generator
) -> torch.Tensor:
    """Attack pictures within an L-infinity ball, from a random start in it, by steps along the sign of the gradient.

    Args:
        clip: whose picture tower is attacked; its weights are not touched.
        pictures: `uint8 [B, 3, S, S]`.
        objective: is maximised, for each picture alone.
        budget: how far each value may move, of 255; 0 returns the pictures.
        steps: gradients computed.
        generator: of the random start.

    Returns:
        Attacked pictures, `uint8`: what is measured can be saved, and no value is further than the budget from its original.
    """
    if budget == 0:
        return pictures.clone()
    clean, stride = pictures.float(), _STRIDE * budget / steps
    low, high = (clean - budget).clamp(min=0), (clean + budget).clamp(max=255)
    start = (2 * torch.rand(clean.shape, generator=generator) - 1) * budget
    attacked = (clean + start).clamp(low, high)
    for _ in range(steps):
        attacked.requires_grad_()
        (gradient,) = torch.autograd.grad(objective(embed_bytes(clip, attacked)).sum(), attacked)
        attacked = (attacked.detach() + stride * gradient.sign()).clamp(low, high)
    return attacked.round().to(torch.uint8)


def sign_noise(pictures: torch.Tensor, budget: int, generator: torch.Generator) -> torch.Tensor:
    """The control without any gradient: each value moved by plus or minus the budget at random, `uint8` to the same shape."""
    signs = 2 * torch.randint(0, 2, pictures.shape, generator=generator) - 1
    return (pictures.int() + budget * signs).clamp(0, 255).to(torch.uint8)
