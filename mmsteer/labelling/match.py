"""Which latent of the picture dictionary and which of the caption dictionary are one concept.

One-to-one, by how they fire together on held-out pairs ("Same Concept, Different Directions", 2606.29888): the two
directions of a concept need not be alike, so directions are not compared.
"""

from typing import NamedTuple

import torch

LEAST = 0.5  # correlation of activations from which on two latents are one concept


class Matching(NamedTuple):
    """Matched latents, and how well they go together."""

    image: list[int]
    text: list[int]
    correlation: list[float]


def correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson correlation of the columns of `a [N, p]` and `b [N, q]`, `[p, q]`; 0 where a column is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    scale = a.norm(dim=0)[:, None] * b.norm(dim=0)[None]
    return torch.where(scale > 0, a.T @ b / scale.clamp(min=1e-12), 0.0)


def match(z_image: torch.Tensor, z_text: torch.Tensor, least: float = LEAST) -> Matching:
    """Match codes `[N, n_image]` and `[N, n_text]` of the same pairs; pairs below correlation `least` stay single."""
    from scipy.optimize import linear_sum_assignment

    together = correlation(z_image, z_text)
    rows, columns = linear_sum_assignment(together.numpy(), maximize=True)
    kept = [(int(i), int(t)) for i, t in zip(rows, columns, strict=True) if together[i, t] >= least]
    return Matching([i for i, _ in kept], [t for _, t in kept], [float(together[i, t]) for i, t in kept])
