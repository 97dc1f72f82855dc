"""Codes stored as their few non-zero activations, so that decoding and both gradients cost what these few cost.

Encoding stays one dense product: which latents fire is only known once all pre-activations are. If 32 of 4,096 latents
fire, everything after that is 128 times smaller than with dense codes. The one sum over entries, in decoding and in both
gradients, is `embedding_bag`, which has kernels for CPU and GPU.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from mmsteer import distributed
from mmsteer.models.sae import SparseAutoencoder

_STRIDE = 17  # every 17th pre-activation is sampled to guess a threshold: a prime, so that every latent is sampled


class Support(NamedTuple):
    """Where a code is not zero: pairs of a row and a latent, in the order of rows."""

    row: torch.Tensor
    """int64 [m], ascending"""
    latent: torch.Tensor
    """int64 [m]"""


class SparseCode(NamedTuple):
    """The code `[n_rows, n_latents]` of a batch: `value` at (row, latent), zero elsewhere."""

    row: torch.Tensor
    """int64 [m], ascending"""
    latent: torch.Tensor
    """int64 [m]"""
    value: torch.Tensor
    """[m]"""
    shape: tuple[int, int]

    def decode(self, W_dec: torch.Tensor) -> torch.Tensor:
        """`code @ W_dec`, `[n_rows, d_in]`."""
        starts = _starts(self.row, self.shape[0])
        return F.embedding_bag(self.latent, W_dec, starts, mode="sum", per_sample_weights=self.value)

    def dense(self) -> torch.Tensor:
        """The code as an ordinary tensor, `[n_rows, n_latents]`."""
        return self.value.new_zeros(self.shape).index_put((self.row, self.latent), self.value)

    def active(self) -> torch.Tensor:
        """Which latents are above zero on any row, bool `[n_latents]`."""
        return self.value.new_zeros(self.shape[1]).index_add_(0, self.latent, self.value.detach()) > 0


def topk_support(pre_activations: torch.Tensor, k: int) -> Support:
    """The k largest pre-activations `[n_rows, n_latents]` of each row."""
    latent = torch.topk(pre_activations, k, dim=1, sorted=False).indices
    row = torch.arange(len(pre_activations), device=pre_activations.device).repeat_interleave(k)
    return Support(row, latent.flatten())


def batch_topk_support(pre_activations: torch.Tensor, count: int) -> tuple[Support, torch.Tensor]:
    """The largest pre-activations of a batch (BatchTopK, 2412.06410).

    Args:
        pre_activations: `[n_rows, n_latents]`, none negative.
        count: how many to choose over all rows of all processes.

    Returns:
        Where they are, and the smallest of them. Zeros are left out; then the smallest is zero.
    """
    flat = pre_activations.flatten()
    sample = flat[::_STRIDE]
    guess = torch.topk(sample, min(len(sample), 1 + 5 * count // (4 * _STRIDE)), sorted=False).values.min()
    candidates = (flat > guess).nonzero()[:, 0]
    if len(candidates) < count:  # a bad guess costs nothing but time
        candidates = flat.nonzero()[:, 0]
    values = flat[candidates]
    largest = torch.topk(values, min(count, len(values)), sorted=False).values
    of_all_processes = distributed.gather(F.pad(largest, (0, count - len(largest))))
    smallest = torch.topk(of_all_processes, count, sorted=False).values.min()
    chosen = candidates[values >= smallest]
    width = pre_activations.shape[1]
    return Support(chosen // width, chosen % width), smallest


def sparse_encode(
    dictionary: SparseAutoencoder, x: torch.Tensor, pre_activations: torch.Tensor, support: Support, n_codes: int = 1
) -> SparseCode:
    """Encode rows with gradients for the activations on `support` alone.

    Args:
        dictionary: whose encoder gets the gradients.
        x: rows `[B, d_in]`.
        pre_activations: those of `x`, `[B, n_latents]`, computed without gradient.
        support: where the code is not zero.
        n_codes: how many codes of the same rows `support` holds: code number c is at rows c * B to (c + 1) * B.

    Returns:
        The code, of `n_codes * B` rows.
    """
    value: torch.Tensor = _Activations.apply(  # type: ignore[no-untyped-call]
        x, dictionary.W_enc, dictionary.b_enc, dictionary.b_dec, pre_activations, support.row % len(x), support.latent
    )
    return SparseCode(*support, value, (n_codes * len(x), pre_activations.shape[1]))


class _Activations(torch.autograd.Function):
    """relu((x - b_dec) @ W_enc + b_enc) at given entries, with a gradient through these entries alone."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, W_enc: torch.Tensor, b_enc: torch.Tensor, b_dec: torch.Tensor,
        pre_activations: torch.Tensor, row: torch.Tensor, latent: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        value = pre_activations[row, latent]
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


def _starts(ascending: torch.Tensor, n: int) -> torch.Tensor:
    """Where the run of each of 0 .. n-1 begins in `ascending`, int64 `[n]`."""
    counts = torch.bincount(ascending, minlength=n)
    return counts.cumsum(0) - counts
