"""Detectors of attacked pictures: scores of how unlike clean pictures something is, fitted on clean pictures alone."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mmsteer.studies.measures.shares import Share, mean_with_interval

Score = Callable[[torch.Tensor], torch.Tensor]
"""Embeddings of pictures `[B, d_joint]` -> how unusual each is, `[B]`."""
_SHRINKAGE = 0.1
"""Of the covariance towards its mean variance: latents that never fire on clean pictures get a finite weight."""
FALSE_ALARMS = 0.01


class Detection(NamedTuple):
    """How well a score tells attacked pictures from clean ones."""

    auc: Share
    caught: Share
    """Of attacked pictures, above the score that 1 % of clean ones exceed."""


def mahalanobis(clean: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The squared Mahalanobis distance from clean rows `[N, n]` (Lee et al., 1807.03888), with a shrunk covariance.

    Returns:
        A function of rows `[B, n]` to `[B]`.
    """
    rows = clean.double()
    mean = rows.mean(0)
    covariance = torch.cov(rows.T, correction=0).view(rows.shape[1], rows.shape[1])
    level = covariance.diagonal().mean().clamp(min=1e-12)
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * level * torch.eye(len(covariance), dtype=torch.double)
    precision = torch.linalg.inv(shrunk)

    def distance(x: torch.Tensor) -> torch.Tensor:
        off = x.double() - mean
        squared: torch.Tensor = ((off @ precision) * off).sum(1)
        return squared

    return distance


def detection(clean: np.ndarray, attacked: Sequence[float]) -> Detection:
    """AUC and share caught at 1 % false alarms.

    Args:
        clean: scores of clean pictures that the detector was not fitted on.
        attacked: scores of attacked pictures.
    """
    ordered = np.sort(clean)
    below = np.searchsorted(ordered, attacked, "left") + np.searchsorted(ordered, attacked, "right")
    limit = np.quantile(ordered, 1 - FALSE_ALARMS)
    return Detection(
        mean_with_interval([float(v) for v in below / (2 * len(ordered))]),
        mean_with_interval([float(score > limit) for score in attacked]),
    )
