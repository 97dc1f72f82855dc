"""Three ways to take features out of embeddings, and the baselines that take out directions. Pure functions on tensors.

All keep what the dictionary does not reconstruct, and return unit vectors.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.models.sae import SparseAutoencoder

WAYS = {
    "zero": "set to zero and decoded",
    "project": "projected off the encoder's rows (2509.10809)",
    "median": "pulled to the median (2603.19028)",
}
"""Way to remove features -> what it does."""


class Space(NamedTuple):
    """Embeddings of one side, with the dictionary that reads them."""

    x: torch.Tensor
    """unit length, [N, d_joint]"""
    code: torch.Tensor
    """[N, n_latents]"""
    dictionary: SparseAutoencoder
    median: torch.Tensor
    """of each latent over other people of the same side, [n_latents]"""


def new_space(x: torch.Tensor, dictionary: SparseAutoencoder, others: torch.Tensor) -> Space:
    """Embeddings with their code.

    Args:
        x: unit vectors, `[N, d_joint]`.
        dictionary: of their side.
        others: the code of other people of this side, `[M, n_latents]`, for the medians.
    """
    return Space(x, dictionary.encode(x), dictionary, others.median(0).values)


def removed(space: Space, latents: np.ndarray, way: str) -> torch.Tensor:
    """What one of WAYS takes out of each embedding, `[N, d_joint]`, before it is scaled back to unit length."""
    if not len(latents):
        return space.x * 0
    if way == "project":
        return along(space.x - space.dictionary.b_dec, space.dictionary.W_enc[:, latents])
    target = space.median[latents] if way == "median" else 0.0
    return (space.code[:, latents] - target) @ space.dictionary.W_dec[latents]


def along(x: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """The part of rows `x [N, d]` in the span of the columns of `directions [d, n]`."""
    left, values, _ = torch.linalg.svd(directions, full_matrices=False)
    basis = left[:, values > 1e-5 * values.max()]
    part: torch.Tensor = x @ basis @ basis.T
    return part


def without(x: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Embeddings without a part of them, unit length again."""
    return F.normalize(x - part, dim=1)


def energy_of(part: torch.Tensor) -> float:
    """The mean squared length of what is taken out."""
    return float(part.square().sum(1).mean())


def mean_difference(x: torch.Tensor, group: np.ndarray) -> torch.Tensor:
    """The differences of the mean of each later group to the mean of the first, as columns `[d_joint, n_groups - 1]`."""
    means = [x[torch.from_numpy(group == g)].mean(0) for g in range(int(group.max()) + 1)]
    return torch.stack([mean - means[0] for mean in means[1:]], 1)
