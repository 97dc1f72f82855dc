"""Trains one dictionary on joint vectors. Knows vectors; knows nothing of modalities, names or scores.

TopK with auxiliary revival of dead latents (Gao et al., 2406.04093, Sec. 2 and A.2), decoder rows of unit length, the
encoder starting as the decoder's transpose.
"""

from dataclasses import dataclass

import torch

from mmsteer.errors import SteerError
from mmsteer.sae import SAEConfig, SparseAutoencoder


@dataclass(frozen=True)
class TrainConfig:
    """How to train one dictionary."""

    n_latents: int = 192
    k: int = 12
    steps: int = 4000
    batch: int = 1024
    rate: float = 2e-3
    seed: int = 0
    dead_after: int = 200
    """Steps without firing after which a latent counts as dead."""
    revive: float = 1 / 32
    """Weight of the auxiliary loss, whose scale is the reconstruction's own."""


def train_dictionary(x: torch.Tensor, config: TrainConfig, name: str = "dictionary") -> SparseAutoencoder:
    """Train on rows `x [N, d_in]`; the result takes raw rows, as centring and scaling are folded into its weights.

    SteerError for rows that are not finite, all zero, or fewer than latents.
    """
    _check(x, config, name)
    generator = torch.Generator().manual_seed(config.seed)
    mean = x.mean(0)
    scale = (x - mean).square().sum(1).mean().sqrt() / x.shape[1] ** 0.5  # one RMS for all coordinates
    rows = (x - mean) / scale
    dictionary = SparseAutoencoder(SAEConfig(x.shape[1], config.n_latents, config.k))
    with torch.no_grad():
        start = torch.randn(config.n_latents, x.shape[1], generator=generator)
        dictionary.W_dec.copy_(start / start.norm(dim=1, keepdim=True))
        dictionary.W_enc.copy_(dictionary.W_dec.T)
    optimizer = torch.optim.Adam(dictionary.parameters(), lr=config.rate, betas=(0.9, 0.99))
    silent = torch.zeros(config.n_latents, dtype=torch.long)
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate * min(1.0, 2 * (1 - step / config.steps))
        batch = rows[torch.randint(len(rows), (config.batch,), generator=generator)]
        before = dictionary.pre_activations(batch)
        best = torch.topk(before, config.k, dim=-1)
        code = torch.zeros_like(before).scatter(-1, best.indices, best.values)
        residual = batch - dictionary.decode(code)
        loss = residual.square().mean()
        silent = torch.where((code > 0).any(0), 0, silent + 1)
        dead = silent > config.dead_after
        if dead.any():
            # the dead, as if only they could fire, learn what the living leave over
            last = torch.topk(before * dead, min(config.k * 2, int(dead.sum())), dim=-1)
            rescue = torch.zeros_like(before).scatter(-1, last.indices, last.values) @ dictionary.W_dec
            loss = loss + config.revive * (residual.detach() - rescue).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():  # after the step, or the step would undo it
            dictionary.W_dec.div_(dictionary.W_dec.norm(dim=1, keepdim=True))
    return _fold(dictionary, mean, scale)


def fvu(dictionary: SparseAutoencoder, x: torch.Tensor) -> float:
    """Fraction of variance unexplained on rows `x [N, d_in]`."""
    with torch.no_grad():
        error = (x - dictionary(x)).square().sum()
    return float(error / (x - x.mean(0)).square().sum())


def _check(x: torch.Tensor, config: TrainConfig, name: str) -> None:
    if len(x) < config.n_latents:
        raise SteerError(
            f"{name}: {len(x)} pairs for {config.n_latents} latents: give more pairs or ask for fewer latents"
        )
    bad = (~x.isfinite().all(1)) | (x == 0).all(1)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise SteerError(
            f"{name}: embedding {row} is zero or not finite: leave that pair out, or mend the file it came from"
        )


def _fold(dictionary: SparseAutoencoder, mean: torch.Tensor, scale: torch.Tensor) -> SparseAutoencoder:
    """Take rows as they are: x -> (x - mean) / scale moves into the weights, codes stay what they were."""
    with torch.no_grad():
        dictionary.W_enc.div_(scale)
        dictionary.W_dec.mul_(scale)
        dictionary.b_dec.copy_(dictionary.b_dec * scale + mean)
    return dictionary.requires_grad_(False)
