"""Codes held as the few activations that are not zero, so that decoding and both gradients cost what these few cost.

Encoding stays one dense product: who fires is only known when all pre-activations are. Of 4,096 latents 32 may fire, so
everything after it is 128 times smaller than with dense codes. The one sum over entries, in decoding and in both gradients, is
`embedding_bag`, which has kernels for CPU and GPU.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from mmsteer import distributed
from mmsteer.models.sae import SparseAutoencoder

_STRIDE = 17  # every 17th pre-activation is looked at to guess a threshold: a prime, so that all latents are


class Places(NamedTuple):
    """Which latents fire on which rows, in the order of rows."""

    row: torch.Tensor
    """int64 [m], ascending"""
    latent: torch.Tensor
    """int64 [m]"""


class Code(NamedTuple):
    """The code `[rows, n_latents]` of a batch: value at (row, latent), zero elsewhere."""

    row: torch.Tensor
    """int64 [m], ascending"""
    latent: torch.Tensor
    """int64 [m]"""
    value: torch.Tensor
    """[m]"""
    shape: tuple[int, int]

    def decode(self, W_dec: torch.Tensor) -> torch.Tensor:
        """`code @ W_dec`, `[rows, d_in]`."""
        starts = _starts(self.row, self.shape[0])
        return F.embedding_bag(self.latent, W_dec, starts, mode="sum", per_sample_weights=self.value)

    def dense(self) -> torch.Tensor:
        """`[rows, n_latents]`"""
        return self.value.new_zeros(self.shape).index_put((self.row, self.latent), self.value)

    def fired(self) -> torch.Tensor:
        """Which latents are above zero on any row, bool `[n_latents]`."""
        return self.value.new_zeros(self.shape[1]).index_add_(0, self.latent, self.value.detach()) > 0


def topk_places(before: torch.Tensor, k: int) -> Places:
    """Of pre-activations `[rows, n_latents]` the k largest of each row."""
    latent = torch.topk(before, k, dim=1, sorted=False).indices
    row = torch.arange(len(before), device=before.device).repeat_interleave(k)
    return Places(row, latent.flatten())


def batch_topk_places(before: torch.Tensor, count: int) -> tuple[Places, torch.Tensor]:
    """Of non-negative pre-activations `[rows, n]` the `count` largest over all rows of all processes (BatchTopK, 2412.06410),
    and the smallest of those. Zeros are left out, and the smallest is zero then.
    """
    flat = before.flatten()
    sample = flat[::_STRIDE]
    guess = torch.topk(sample, min(len(sample), 1 + 5 * count // (4 * _STRIDE)), sorted=False).values.min()
    candidates = (flat > guess).nonzero()[:, 0]
    if len(candidates) < count:  # a bad guess costs time alone
        candidates = flat.nonzero()[:, 0]
    values = flat[candidates]
    best = torch.topk(values, min(count, len(values)), sorted=False).values
    everyone = distributed.gather(F.pad(best, (0, count - len(best))))
    least = torch.topk(everyone, count, sorted=False).values.min()
    kept = candidates[values >= least]
    width = before.shape[1]
    return Places(kept // width, kept % width), least


def fire(dictionary: SparseAutoencoder, x: torch.Tensor, before: torch.Tensor, places: Places, rounds: int = 1) -> Code:
    """The code of rows `x [B, d_in]` that fires at `places`, `before` being their pre-activations (without gradient).

    With several `rounds` it has `rounds * B` rows: a code of all rows, then another of all rows, and so on.
    """
    value: torch.Tensor = _Activations.apply(
        x, dictionary.W_enc, dictionary.b_enc, dictionary.b_dec, before, places.row % len(x), places.latent
    )
    return Code(*places, value, (rounds * len(x), before.shape[1]))


class _Activations(torch.autograd.Function):
    """relu((x - b_dec) @ W_enc + b_enc) at some places, known already; its gradient goes through these places alone."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, W_enc: torch.Tensor, b_enc: torch.Tensor, b_dec: torch.Tensor, before: torch.Tensor,
        row: torch.Tensor, latent: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        value = before[row, latent]
        ctx.save_for_backward(x - b_dec, W_enc, row, latent, value)
        return value

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        centred, W_enc, row, latent, value = ctx.saved_tensors
        order = latent.argsort(stable=True)
        grad = (grads[0] * (value > 0))[order]  # in the order of latents from here on
        n_latents = W_enc.shape[1]
        starts = _starts(latent[order], n_latents)
        to_W_enc = F.embedding_bag(row[order], centred, starts, mode="sum", per_sample_weights=grad).T
        to_b_enc = grad.new_zeros(n_latents).index_add_(0, latent[order], grad)
        return None, to_W_enc, to_b_enc, -(W_enc @ to_b_enc), None, None, None


def _starts(of: torch.Tensor, n: int) -> torch.Tensor:
    """Where the run of each of 0 .. n-1 begins in the ascending `of`, int64 `[n]`."""
    counts = torch.bincount(of, minlength=n)
    return counts.cumsum(0) - counts
