"""The out-of-distribution (OOD) distance: how far an edited joint vector lies from those of ordinary prompts. Pure, on tensors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


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
