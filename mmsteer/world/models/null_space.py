"""What the world's UNet must not read: the directions in which words that no picture shows move the conditioning.

That an opening, a mood or a closing changes no picture is learned only roughly. So such directions are taken out of the
weights that meet the conditioning (`blind`), and what that leaves of the pooled reading is settled at the end (`settle`).
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

SETTLING = 2000  # steps in which the pooled reading is settled, once the UNet is trained
_BESIDE = 0.15  # in the settling: share of the directions that are added to a reading
_STEADY_WEIGHT = 100.0  # in the settling: of staying where it is moved, as against reading what it read before


@torch.no_grad()
def blind(unet: Any, directions: torch.Tensor) -> None:
    """Take directions of the conditioning `[n, d_text]` out of the weights that read it, in place.

    Keys and values of the attention to the words then do not change at all along them. The pooled reading (FiLM) comes
    after a layer norm, so of it only the change of the norm's divisor is left. Concept erasure of the linear kind
    (Ravfogel et al., 2004.07667), in the reader, not in what it reads.
    """
    keep = _complement(directions)
    for name, module in unet.named_modules():
        if name.endswith(("attn2.to_k", "attn2.to_v")):
            module.weight.copy_(module.weight @ keep)
    words = unet.add_embedding
    keep = _complement((directions - directions.mean(1, keepdim=True)) * words.norm1.weight)
    for module in (words.pool.q_proj, words.pool.k_proj, words.pool.v_proj):
        module.weight.copy_(module.weight @ keep)


def settle(unet: Any, directions: torch.Tensor, conditions: Callable[[int], torch.Tensor], steps: int) -> None:
    """Teach the pooled reading to stay where `directions [n, d_text]`, added to every row but the first, still move it.

    `blind` leaves them the divisor of its layer norm. So it is fitted to what it read itself before of batches of
    conditions, one for each step's number, hidden states `[B, T, d_text]`, and to reading the same beside a few of the
    directions.
    """
    reading, before = unet.add_embedding, copy.deepcopy(unet.add_embedding)
    optimizer = torch.optim.Adam(reading.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 - 2 * step / steps))
    for step in range(steps):
        rng = np.random.default_rng(step)
        hidden = conditions(step)
        shape = len(hidden), len(directions)
        amounts = rng.standard_normal(shape) * (rng.random(shape) < _BESIDE)
        moved = hidden.clone()
        moved[:, 1:] += (torch.from_numpy(amounts).to(directions) @ directions)[:, None]
        read = reading(hidden)
        loss = F.mse_loss(read, before(hidden).detach()) + _STEADY_WEIGHT * F.mse_loss(reading(moved), read)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _complement(directions: torch.Tensor) -> torch.Tensor:
    """The projection onto what is orthogonal to `directions [n, d]`, `[d, d]`."""
    basis = torch.linalg.qr(directions.T).Q
    return torch.eye(len(basis), device=basis.device) - basis @ basis.T
