"""Trains one dictionary on joint vectors. Knows vectors; knows nothing of modalities, names or scores.

Levels are nested as in a Matryoshka SAE (Bussmann et al., 2503.17547): the first, of a few latents, must rebuild the
vector by itself and so learns what is common (places, positions, light); the next codes what is left (things). One
level alone splits the common concepts over the rare ones. Within a level BatchTopK (2412.06410): a vector gets as many
latents as it needs, the level as many a vector as its budget on average; the threshold this amounts to is kept and
decides who fires from then on. Dead latents are revived by an auxiliary loss (Gao et al., 2406.04093, A.2).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from mmsteer.errors import SteerError
from mmsteer.sae import SAEConfig, SparseAutoencoder


class Level(NamedTuple):
    """A part of a dictionary."""

    latents: int
    k: int
    """How many of them fire at once, on average."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train one dictionary."""

    levels: tuple[Level, ...] = (Level(24, 5), Level(128, 3))
    steps: int = 4000
    batch: int = 1024
    rate: float = 2e-3
    seed: int = 0
    dead_after: int = 100
    """Steps without firing after which a latent counts as dead."""
    revive: float = 1 / 32
    """Weight of the auxiliary loss, whose scale is the reconstruction's own."""
    evenness: float = 0.25
    """How far the principal axes are brought to one length before training: 0 not at all, 1 fully (whitening)."""

    def __post_init__(self) -> None:
        if not self.levels or not all(0 < k <= latents for latents, k in self.levels):
            raise SteerError(f"levels {self.levels} cannot be: give one or more of LATENTS:K with 0 < K <= LATENTS")

    @property
    def n_latents(self) -> int:
        """Latents of all levels."""
        return sum(latents for latents, _ in self.levels)


def train_dictionary(x: torch.Tensor, config: TrainConfig, name: str = "dictionary") -> SparseAutoencoder:
    """Train on rows `x [N, d_in]`; the result takes raw rows, as centring and evening out are folded into its weights.

    SteerError for rows that are not finite, all zero, or fewer than latents.
    """
    _check(x, config, name)
    generator = torch.Generator().manual_seed(config.seed)
    mean = x.mean(0)
    there, back = _evened(x - mean, config.evenness)
    rows = (x - mean) @ there
    dictionary = SparseAutoencoder(SAEConfig(x.shape[1], config.n_latents))
    with torch.no_grad():
        start = torch.randn(config.n_latents, x.shape[1], generator=generator)
        dictionary.W_dec.copy_(start / start.norm(dim=1, keepdim=True))
        dictionary.W_enc.copy_(dictionary.W_dec.T)
    trained = [p for key, p in dictionary.named_parameters() if key != "threshold"]
    optimizer = torch.optim.Adam(trained, lr=config.rate, betas=(0.9, 0.99))
    silent = torch.zeros(config.n_latents, dtype=torch.long)
    thresholds = torch.zeros(len(config.levels))
    sizes = [latents for latents, _ in config.levels]
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate * min(1.0, 2 * (1 - step / config.steps))
        batch = rows[torch.randint(len(rows), (config.batch,), generator=generator)]
        before = dictionary.pre_activations(batch)
        residual, codes, least, loss = batch - dictionary.b_dec, [], [], torch.zeros(())
        parts = zip(before.split(sizes, 1), dictionary.W_dec.split(sizes), config.levels, strict=True)
        for part, directions, level in parts:
            code, smallest = _batch_topk(part, level.k)
            residual = residual - code @ directions
            loss = loss + residual.square().mean()
            codes.append(code)
            least.append(smallest)
        thresholds.lerp_(torch.stack(least), 1.0 if step == 0 else 0.01)
        silent = torch.where((torch.cat(codes, 1) > 0).any(0), 0, silent + 1)
        dead = silent > config.dead_after
        if dead.any():
            # the dead, as if only they could fire, learn what the living leave over
            last = torch.topk(before * dead, min(2 * config.levels[-1].k, int(dead.sum())), dim=-1)
            rescue = torch.zeros_like(before).scatter(-1, last.indices, last.values) @ dictionary.W_dec
            loss = loss + config.revive * (residual.detach() - rescue).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():  # after the step, or the step would undo it
            dictionary.W_dec.div_(dictionary.W_dec.norm(dim=1, keepdim=True))
    with torch.no_grad():
        dictionary.threshold.copy_(thresholds.repeat_interleave(torch.tensor(sizes)))
    return _fold(dictionary, mean, there, back)


def _evened(centred: torch.Tensor, evenness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A map `[d_in, d_in]` that evens the principal axes out and gives all coordinates a mean square of 1; and its inverse.

    What a picture shows of its light or frame is about 1 % of its embedding's variance, what it shows of its thing
    half: a dictionary that minimises squared error would not spend a latent on the former.
    """
    variances, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
    lengths = variances.clamp(min=1e-4 * float(variances[-1])) ** (evenness / 2)
    scale = ((centred @ axes) / lengths).square().mean().sqrt()
    return axes @ torch.diag(1 / (lengths * scale)) @ axes.T, axes @ torch.diag(lengths * scale) @ axes.T


def _batch_topk(before: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of pre-activations `[B, n]` the k * B largest, all others zero; and the smallest of those kept."""
    best = torch.topk(before.flatten(), k * len(before))
    return torch.zeros_like(before).flatten().scatter(0, best.indices, best.values).view_as(before), best.values[
        -1
    ].detach()


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


def _fold(
    dictionary: SparseAutoencoder, mean: torch.Tensor, there: torch.Tensor, back: torch.Tensor
) -> SparseAutoencoder:
    """Take rows as they are: x -> (x - mean) @ there moves into the weights, codes stay what they were."""
    with torch.no_grad():
        dictionary.W_enc.copy_(there @ dictionary.W_enc)
        dictionary.W_dec.copy_(dictionary.W_dec @ back)
        dictionary.b_dec.copy_(dictionary.b_dec @ back + mean)
    return dictionary.requires_grad_(False)
