"""Makes the world's UNet independent of words that no picture shows: openings, moods and closings.

Training alone teaches this only roughly. So the directions in which such words move the hidden states are projected out
of the weights that read these: one null-space projection, as in each round of INLP (Ravfogel et al., 2004.07667), but
of the reader instead of the representation. What this leaves of the pooled text embedding is trained away at the end.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

_BESIDE = 0.15  # share of the directions that are added to a batch
_INVARIANCE_WEIGHT = 100.0  # of not changing along the directions, beside 1 of computing the same as before


@torch.no_grad()
def project_out(unet: Any, directions: torch.Tensor) -> None:
    """Project directions of the hidden states out of the weights that read them, in place.

    Afterwards keys and values of cross-attention do not change along the directions at all. The pooled text embedding
    (FiLM) comes after a layer norm: of it only the change of the norm's divisor remains.

    Args:
        unet: A UNet2DConditionModel with `addition_embed_type="text"`.
        directions: `[n, d_text]`.
    """
    projection = _complement(directions)
    for name, module in unet.named_modules():
        if name.endswith(("attn2.to_k", "attn2.to_v")):
            module.weight.copy_(module.weight @ projection)
    pooled = unet.add_embedding
    projection = _complement((directions - directions.mean(1, keepdim=True)) * pooled.norm1.weight)
    for module in (pooled.pool.q_proj, pooled.pool.k_proj, pooled.pool.v_proj):
        module.weight.copy_(module.weight @ projection)


def train_pooled_invariance(
    unet: Any, directions: torch.Tensor, conditions: Callable[[int], torch.Tensor], steps: int
) -> None:
    """Train the pooled text embedding to stay the same when `directions` are added to the hidden states.

    `project_out` leaves them the divisor of its layer norm. The embedding is fitted to its own values before the
    training, and to the same values beside a few of the directions.

    Args:
        unet: The UNet; its `add_embedding` is trained in place.
        directions: `[n, d_text]`, added to every row but the first.
        conditions: Hidden states `[B, T, d_text]` of the batch of a step.
        steps: Number of steps.
    """
    pooled, before = unet.add_embedding, copy.deepcopy(unet.add_embedding)
    optimizer = torch.optim.Adam(pooled.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 - 2 * step / steps))
    for step in range(steps):
        rng = np.random.default_rng(step)
        hidden = conditions(step)
        shape = len(hidden), len(directions)
        amounts = rng.standard_normal(shape) * (rng.random(shape) < _BESIDE)
        moved = hidden.clone()
        moved[:, 1:] += (torch.from_numpy(amounts).to(directions) @ directions)[:, None]
        embedding = pooled(hidden)
        same = F.mse_loss(embedding, before(hidden).detach())
        loss = same + _INVARIANCE_WEIGHT * F.mse_loss(pooled(moved), embedding)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()


def _complement(directions: torch.Tensor) -> torch.Tensor:
    """The projection onto the orthogonal complement of `directions [n, d]`, `[d, d]`."""
    basis: torch.Tensor = torch.linalg.qr(directions.T).Q
    return torch.eye(len(basis), device=basis.device) - basis @ basis.T
