"""The linear map that rows go through before training, and its way back into a dictionary's weights."""

from typing import NamedTuple

import torch

from mmsteer import distributed
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.rows import mean_and_covariance


class Scaling(NamedTuple):
    """x -> (x - mean) @ forward, and its inverse."""

    mean: torch.Tensor
    """[d_in]"""
    forward: torch.Tensor
    """[d_in, d_in]"""
    inverse: torch.Tensor
    """[d_in, d_in]"""

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Scale rows `[.., d_in]`."""
        return (x - self.mean) @ self.forward

    def to(self, device: str) -> "Scaling":
        """The same on another device."""
        return Scaling(*(t.to(device) for t in self))

    def batch(self, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """The rows `x[indices]`, brought to this device and scaled."""
        return self.apply(x[indices].to(self.mean.device))

    def fold(self, dictionary: SparseAutoencoder) -> SparseAutoencoder:
        """Move the scaling into the weights: a frozen copy that takes raw rows and gives the same codes."""
        folded = SparseAutoencoder(dictionary.config)
        folded.load_state_dict(dictionary.state_dict())
        with torch.no_grad():
            folded.W_enc.copy_(self.forward @ folded.W_enc)
            folded.W_dec.copy_(folded.W_dec @ self.inverse)
            folded.b_dec.copy_(folded.b_dec @ self.inverse + self.mean)
        return folded.requires_grad_(False)


def fit_scaling(x: torch.Tensor, whitening: float, *more: torch.Tensor) -> Scaling:
    """Fit the scaling of rows: centre them, whiten them in part, and bring all coordinates to a mean square of 1.

    What a picture shows of its light or frame is about 1 % of its embedding's variance; what it shows of its thing is half.
    Without whitening, a dictionary that minimises squared error would not spend a latent on the former.

    Args:
        x: rows `[N, d_in]`.
        whitening: 0 leaves the lengths of the principal axes, 1 makes them equal.
        more: further rows, counted with those of `x`.
    """
    mean, covariance = mean_and_covariance(x, *more)
    variances, axes = torch.linalg.eigh(covariance)
    lengths = variances.clamp(min=1e-4 * float(variances[-1])) ** (whitening / 2)
    scale = (variances.clamp(min=0) / lengths.square()).mean().sqrt()
    forward, inverse = axes @ torch.diag(1 / (lengths * scale)) @ axes.T, axes @ torch.diag(lengths * scale) @ axes.T
    return Scaling(*(distributed.broadcast(t) for t in (mean, forward, inverse)))
