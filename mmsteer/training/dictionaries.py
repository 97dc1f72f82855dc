"""A trained dictionary for each side, and how well a dictionary reconstructs rows it has not seen."""

from typing import NamedTuple

import torch

from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.rows import chunks, mean_and_covariance


class Dictionaries(NamedTuple):
    """One dictionary for each side."""

    image: SparseAutoencoder
    text: SparseAutoencoder
    paired: bool
    """Whether latent k of one is latent k of the other."""


def fvu(dictionary: SparseAutoencoder, x: torch.Tensor) -> float:
    """Fraction of variance unexplained on rows `x [N, d_in]`."""
    mean = mean_and_covariance(x)[0]
    error = variance = 0.0
    with torch.no_grad():
        for _, rows in chunks(x, 8192):
            error += float((rows - dictionary(rows)).square().sum())
            variance += float((rows - mean).square().sum())
    return error / variance


def quality(dictionary: SparseAutoencoder, x: torch.Tensor) -> dict[str, float]:
    """Measure a dictionary on held-out rows `x [N, d_in]`.

    Returns:
        `fvu`, the fraction of variance unexplained; `l0`, how many latents fire for a row on average; `dead`, the share of
        latents that never fire.
    """
    fires = dictionary.encode(x) > 0
    return {
        "fvu": round(fvu(dictionary, x), 4),
        "l0": round(float(fires.sum(1).float().mean()), 2),
        "dead": round(float(1 - fires.any(0).float().mean()), 4),
    }
