"""Suppression: as a feature is added, the strongest mutually exclusive feature of the prompt fades. Pure, on codes.

Without it, "panda" added to a cat is a tie between two things.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def suppressed_shares(
    code: "torch.Tensor", exclusive: Sequence[int], lengths: "torch.Tensor", share: float
) -> "torch.Tensor":
    """Which share of each latent to take away.

    Args:
        code: `[B, n_latents]`, the presence of features in B prompts.
        exclusive: the latents of features that exclude the one that is added.
        lengths: `[n_latents]`, the lengths of the steering vectors: activation times length says how far a feature moves x, and
            so which is strongest.
        share: how much of the strongest to take away, 0 to 1.

    Returns:
        `[B, n_latents]`: `share` for the strongest of `exclusive` in each prompt, 0 for all else.
    """
    import torch

    shares = torch.zeros_like(code)
    if exclusive:
        columns = torch.tensor(exclusive, device=code.device)
        strongest = columns[(code[:, columns] * lengths[columns]).argmax(1)]
        shares.scatter_(1, strongest[:, None], share)
    return shares
