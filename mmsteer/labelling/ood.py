"""The out-of-distribution (OOD) distance: its statistics, and how far each feature can be steered within it.

It is the Mahalanobis distance from the mean prompt, in units of the distance within which 99 % of prompts lie.
"""

import math
from dataclasses import replace

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.bank.ood import LEAST_RANGE
from mmsteer.data.embeddings import Embedded
from mmsteer.recipes.edit import STRONGEST
from mmsteer.training.rows import chunks, mean_and_covariance


def embedding_statistics(pairs: Embedded) -> dict[str, torch.Tensor]:
    """Mean embeddings of both sides, and the statistics of the OOD distance.

    Its covariance is the mean of both sides' covariances: a backbone that reads vision-only directions has ordinary
    prompts on either side.

    Returns:
        `mean_text`, `mean_image`, `ood_mean [d_joint]`, `ood_precision [d_joint, d_joint]`, and `ood_p99 []`.
    """
    mean_text, covariance_text = mean_and_covariance(pairs.text)
    mean_image, covariance_image = mean_and_covariance(pairs.image)
    covariance = (covariance_text + covariance_image) / 2
    ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(len(covariance))
    precision = torch.linalg.inv(covariance + ridge)
    centred = ((rows - mean_text) for _, rows in chunks(pairs.text))
    distance = torch.cat([((rows @ precision) * rows).sum(1).clamp(min=0).sqrt() for rows in centred])
    return {
        "mean_text": mean_text,
        "mean_image": mean_image,
        "ood_mean": mean_text.clone(),
        "ood_precision": precision,
        "ood_p99": torch.tensor(np.quantile(distance.numpy(), 0.99), dtype=torch.float32),
    }


def with_usable_ranges(features: list[Feature], tensors: dict[str, torch.Tensor], text: torch.Tensor) -> list[Feature]:
    """Features with the strengths at which a typical prompt reaches an OOD distance of 1, either way.

    Adding s times a steering vector moves a prompt's squared distance from the mean prompt along a parabola in s. The range
    ends where it crosses the squared unit of the OOD distance: the median over the captions within that distance.

    Args:
        features: all features of a bank.
        tensors: its steering vectors and OOD statistics.
        text: embeddings of captions, `[N, d_joint]`.
    """
    precision, limit = tensors["ood_precision"], tensors["ood_p99"].square()
    offset = text - tensors["ood_mean"]
    squared_distance = ((offset @ precision) * offset).sum(1)
    inside = squared_distance < limit
    ranged = []
    for feature in features:
        step = tensors[f"steering_{feature.side}"][feature.latent] * feature.activation_scale
        slope, curvature = offset[inside] @ precision @ step, step @ precision @ step
        root = (slope.square() + curvature * (limit - squared_distance[inside])).sqrt()
        low, high = (_end(float(((sign * root - slope) / curvature).median()), sign) for sign in (-1, 1))
        ranged.append(replace(feature, usable=(low, high)))
    return ranged


def _end(strength: float, sign: int) -> float:
    """The end of a range as it is recorded; a feature that moves no prompt leaves the usual range nowhere."""
    return sign * (STRONGEST if math.isnan(strength) else min(max(round(abs(strength), 1), LEAST_RANGE), STRONGEST))
