"""The out-of-distribution (OOD) distance: how far an edited joint vector lies from those of ordinary prompts. Pure, on tensors."""

from collections.abc import Iterable, Mapping
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from mmsteer.bank.feature import Feature

LEAST_RANGE, MOST_RANGE = 0.5, 8.0  # of what is called usable, either way, in activation scales


def ood_distance(tensors: "Mapping[str, torch.Tensor]", x: "torch.Tensor") -> float:
    """Mahalanobis distance from the mean prompt, 1 = the 99th percentile of ordinary prompts.

    Args:
        tensors: of a bank, with `ood_mean`, `ood_precision` and `ood_p99` (`mmsteer.bank.tensors`).
        x: `[d_joint]`, the joint vector of a prompt with the shift of its edits added.
    """
    away = x - tensors["ood_mean"].to(x)
    distance = (away @ tensors["ood_precision"].to(x) @ away).clamp(min=0).sqrt()
    return float(distance / tensors["ood_p99"])


def meaning(distance: float) -> tuple[str, str]:
    """What an OOD distance means for pictures: one of `ok`, `warn` and `bad`, and the same in words."""
    if distance <= 1:
        return "ok", "normal"
    if distance <= 1.5:
        return "warn", "stretched: pictures may look odd"
    return "bad", "far out: expect broken pictures"


def room(tensors: "Mapping[str, torch.Tensor]", features: "Iterable[Feature]") -> float:
    """How far a typical prompt's squared Mahalanobis distance may still grow, as the usable ranges of a bank's features record it.

    With a feature's step v, a prompt at offset o from the mean is at the limit where s² v'Pv + 2 s o'Pv equals that room; so the
    product of both ends of the range is -room / v'Pv. Ends at the least or most that is recorded say nothing. The median over features.
    """
    rooms = []
    for feature in features:
        low, high = feature.usable
        if min(-low, high) > LEAST_RANGE and max(-low, high) < MOST_RANGE:
            step = tensors[f"steering_{feature.side}"][feature.latent].float() * feature.activation_scale
            rooms.append(-low * high * float(step @ tensors["ood_precision"].to(step) @ step))
    return median(rooms) if rooms else float(tensors["ood_p99"].square()) / 2


def usual_share(tensors: "Mapping[str, torch.Tensor]", features: "Iterable[Feature]", step: "torch.Tensor") -> float:
    """The largest share of a step, at most 1, that a typical prompt can take and stay in the usual range: sqrt(room / v'Pv).

    The step is taken to lie across the prompt's own offset from the mean, as a sum of many features about does.

    Args:
        tensors: of a bank.
        features: of the same.
        step: `[d_joint]`.
    """
    curvature = float(step @ tensors["ood_precision"].to(step) @ step)
    return min(1.0, float((room(tensors, features) / max(curvature, 1e-12)) ** 0.5))


def range_between(
    tensors: "Mapping[str, torch.Tensor]", features: "Iterable[Feature]", step: "torch.Tensor"
) -> tuple[float, float]:
    """The strengths at which a step between two wordings leaves the usual range.

    A prompt that says the first wording is taken to lie as far from the mean prompt as with the second in its place. Then
    strengths s and 1 - s lie equally far, and the ends are 1/2 ± sqrt(1/4 + room / v'Pv).

    Args:
        tensors: of a bank.
        features: of the same.
        step: `[d_joint]`, from the first wording to the second.

    Returns:
        Both ends in tenths, at least 0.5 and at most 8 away from zero, as those of features.
    """
    curvature = float(step @ tensors["ood_precision"].to(step) @ step)
    reach = (0.25 + room(tensors, features) / max(curvature, 1e-12)) ** 0.5
    low, high = (min(max(round(end, 1), LEAST_RANGE), MOST_RANGE) for end in (reach - 0.5, reach + 0.5))
    return -low, high
