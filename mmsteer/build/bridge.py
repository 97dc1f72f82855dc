"""The bridge of a bank: what steering needs of the text encoder it was made for, fitted once on many prompts."""

import torch

from mmsteer.build.embed import Embedded


def fit_bridge(projection: torch.Tensor, pairs: Embedded) -> dict[str, torch.Tensor]:
    """Projection `[d_text, d_joint]`, mean embeddings of both sides, and the gauge's statistics.

    The gauge is the Mahalanobis distance from the mean prompt. Its covariance is the mean of both sides', since a
    backbone that reads vision-only directions has ordinary places on either side; its unit is the distance below
    which 99 % of prompts lie.
    """
    centred = [side - side.mean(0) for side in (pairs.text, pairs.image)]
    covariance = torch.stack([rows.T @ rows / len(rows) for rows in centred]).mean(0)
    ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(len(covariance))
    precision = torch.linalg.inv(covariance + ridge)
    distance = ((centred[0] @ precision) * centred[0]).sum(1).clamp(min=0).sqrt()
    return {
        "projection": projection,
        "mean_text": pairs.text.mean(0),
        "mean_image": pairs.image.mean(0),
        "gauge_mean": pairs.text.mean(0),
        "gauge_precision": precision,
        "gauge_p99": distance.quantile(0.99),
    }
