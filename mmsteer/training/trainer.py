"""The loop that trains dictionaries, and the one-sided dictionary of the default. Knows vectors; nothing of names or scores.

Levels are nested as in a Matryoshka SAE (Bussmann et al., 2503.17547): the first, of a few latents, must rebuild the
vector by itself and so learns what is common (places, positions, light); the next codes what is left (things). One
level alone splits the common concepts over the rare ones. Within a level BatchTopK (2412.06410): a vector gets as many
latents as it needs, the level as many a vector as its budget on average; the threshold this amounts to is kept and
decides who fires from then on. Dead latents are revived by an auxiliary loss (Gao et al., 2406.04093, A.2).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from tqdm import tqdm

from mmsteer import distributed
from mmsteer.errors import SteerError
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.sparse import Places, batch_topk_places, fire, topk_places


class Level(NamedTuple):
    """A part of a dictionary."""

    latents: int
    k: int
    """How many of them fire at once, on average."""


@dataclass(frozen=True)
class Descent:
    """How every dictionary is trained: Adam, the rate falling to zero over the second half."""

    steps: int = 1500
    batch: int = 1024
    rate: float = 2e-3
    seed: int = 0
    dead_after: int = 100
    """Steps without firing after which a latent counts as dead."""
    revive: float = 1 / 32
    """Weight of the auxiliary loss, whose scale is the reconstruction's own."""
    decoder: bool = True
    """Whether decoders are trained; a frozen random one is a control."""
    told: bool = False
    """Whether lines say how far it is."""
    device: str = "cpu"
    """Where batches and dictionaries are while they train; rows stay where they are."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train one dictionary on one side's vectors."""

    levels: tuple[Level, ...]
    descent: Descent = Descent()
    evenness: float = 0.25
    """How far the principal axes are brought to one length before training: 0 not at all, 1 fully (whitening)."""

    def __post_init__(self) -> None:
        if not self.levels or not all(0 < k <= latents for latents, k in self.levels):
            raise SteerError(f"levels {self.levels} cannot be: give one or more of LATENTS:K with 0 < K <= LATENTS")

    @property
    def n_latents(self) -> int:
        """Latents of all levels."""
        return sum(latents for latents, _ in self.levels)


class Revival:
    """The auxiliary loss of one dictionary: the dead, as if only they could fire, learn what the living leave over."""

    def __init__(self, dictionary: SparseAutoencoder, at_once: int, descent: Descent) -> None:
        self._silent = torch.zeros(dictionary.config.n_latents, dtype=torch.long, device=dictionary.W_dec.device)
        self._dictionary, self._at_once, self._descent = dictionary, at_once, descent

    def __call__(
        self, x: torch.Tensor, before: torch.Tensor, fired: torch.Tensor, residual: torch.Tensor
    ) -> torch.Tensor:
        """The loss, for rows `x [B, d_in]` with pre-activations `[B, n_latents]` and latents `fired [n_latents]` on any of
        them, that left over `residual [B, d_in]`; counts who fired.
        """
        fired = distributed.all_reduce(fired.long()) > 0
        self._silent = torch.where(fired, 0, self._silent + 1)
        dead = (self._silent > self._descent.dead_after).nonzero()[:, 0]
        if not len(dead):
            return residual.new_zeros(())
        places = topk_places(before[:, dead], min(self._at_once, len(dead)))
        rescue = fire(self._dictionary, x, before, Places(places.row, dead[places.latent]))
        error = residual.detach() - rescue.decode(self._dictionary.W_dec)
        return self._descent.revive * error.square().mean()


def new_dictionary(config: SAEConfig, generator: torch.Generator, device: str = "cpu") -> SparseAutoencoder:
    """An untrained dictionary: random unit rows, the encoder their transpose."""
    dictionary = SparseAutoencoder(config)
    with torch.no_grad():
        start = torch.randn(config.n_latents, config.d_in, generator=generator)
        dictionary.W_dec.copy_(start / start.norm(dim=1, keepdim=True))
        dictionary.W_enc.copy_(dictionary.W_dec.T)
    return dictionary.to(device)


def descend(
    dictionaries: list[SparseAutoencoder], loss: Callable[[torch.Tensor], torch.Tensor], rows: int, descent: Descent,
    generator: torch.Generator, whole: bool = False,
) -> None:  # fmt: skip
    """Train `dictionaries` together on `loss(indices of a batch of rows)`, a mean over these rows.

    Several processes share each batch out and add their gradients up; `whole` gives each the whole batch, for a loss that
    compares its rows with one another. All end with the same dictionaries.
    """
    if descent.batch < distributed.count():
        raise SteerError(f"a batch of {descent.batch} rows for {distributed.count()} processes: give each at least one")
    trained = []
    for dictionary in dictionaries:
        dictionary.W_dec.requires_grad_(descent.decoder)
        trained += [p for key, p in dictionary.named_parameters() if key != "threshold" and p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=descent.rate, betas=(0.9, 0.99), fused=True)
    silent = not descent.told or distributed.rank() > 0
    for step in tqdm(range(descent.steps), "trained", unit=" steps", mininterval=10, disable=silent):
        for group in optimizer.param_groups:
            group["lr"] = descent.rate * min(1.0, 2 * (1 - step / descent.steps))
        batch = torch.randint(rows, (descent.batch,), generator=generator)
        own = batch if whole else distributed.share(batch)
        part = 1 / distributed.count() if whole else len(own) / len(batch)
        optimizer.zero_grad(set_to_none=True)
        (part * loss(own)).backward()
        for p in trained:
            if p.grad is not None:
                distributed.all_reduce(p.grad)
        optimizer.step()
        with torch.no_grad():  # after the step, or the step would undo it
            for dictionary in dictionaries:
                dictionary.W_dec.div_(dictionary.W_dec.norm(dim=1, keepdim=True))
    with torch.no_grad():
        for p in trained:
            distributed.broadcast(p)


def train_dictionary(x: torch.Tensor, config: TrainConfig, name: str = "dictionary") -> SparseAutoencoder:
    """Train on rows `x [N, d_in]`; the result takes raw rows, as centring and evening out are folded into its weights.

    Of `x` only `len`, `shape` and rows by index or slice are asked for, so it may lie on disk. SteerError for rows that are
    not finite, all zero, or fewer than latents.
    """
    check_rows(x, config.n_latents, name)
    return train_levels(x, config)


def train_levels(x: torch.Tensor, config: TrainConfig) -> SparseAutoencoder:
    """As `train_dictionary`, for rows that are checked already."""
    descent = config.descent
    generator = torch.Generator().manual_seed(descent.seed)
    scaling = even_out(x, config.evenness)
    there = scaling.to(descent.device)
    dictionary = new_dictionary(SAEConfig(x.shape[1], config.n_latents), generator, descent.device)
    revival = Revival(dictionary, 2 * config.levels[-1].k, descent)
    thresholds = torch.full((len(config.levels),), torch.nan, device=descent.device)
    sizes = [latents for latents, _ in config.levels]

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        batch = there.rows(x, chosen)
        with torch.no_grad():
            before = dictionary.pre_activations(batch)
        places, least, first = [], [], 0
        for number, (part, level) in enumerate(zip(before.split(sizes, 1), config.levels, strict=True)):
            (row, latent), smallest = batch_topk_places(part, level.k * descent.batch)
            places.append(Places(row + number * len(batch), latent + first))
            least.append(smallest)
            first += level.latents
        follow(thresholds, torch.stack(least))
        code = fire(dictionary, batch, before, Places(*map(torch.cat, zip(*places, strict=True))), len(sizes))
        rebuilt = code.decode(dictionary.W_dec).view(len(sizes), *batch.shape).cumsum(0)
        residual = batch - dictionary.b_dec - rebuilt  # what is left over after the first level, the first two, …
        total = residual.square().mean((1, 2)).sum()
        return total + revival(batch, before, code.fired(), residual[-1])

    descend([dictionary], loss, len(x), descent, generator)
    with torch.no_grad():
        assert dictionary.threshold is not None
        dictionary.threshold.copy_(thresholds.cpu().repeat_interleave(torch.tensor(sizes)))
    return scaling.fold(dictionary)


class Scaling(NamedTuple):
    """What is done to rows before training, x -> (x - mean) @ there, and its inverse."""

    mean: torch.Tensor
    """[d_in]"""
    there: torch.Tensor
    """[d_in, d_in]"""
    back: torch.Tensor
    """[d_in, d_in]"""

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Rows as they are trained on, same shape."""
        return (x - self.mean) @ self.there

    def to(self, device: str) -> "Scaling":
        """The same on another device."""
        return Scaling(*(t.to(device) for t in self))

    def rows(self, x: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Some rows of `x`, by number, brought to this device and scaled."""
        return self.apply(x[chosen].to(self.mean.device))

    def fold(self, dictionary: SparseAutoencoder) -> SparseAutoencoder:
        """A frozen dictionary for rows as they are: the scaling moves into the weights, codes stay what they were."""
        folded = SparseAutoencoder(dictionary.config)
        folded.load_state_dict(dictionary.state_dict())
        with torch.no_grad():
            folded.W_enc.copy_(self.there @ folded.W_enc)
            folded.W_dec.copy_(folded.W_dec @ self.back)
            folded.b_dec.copy_(folded.b_dec @ self.back + self.mean)
        return folded.requires_grad_(False)


def even_out(x: torch.Tensor, evenness: float, *more: torch.Tensor) -> Scaling:
    """Centre rows, even their principal axes out, and give all coordinates together a mean square of 1; `more` rows count
    with those of `x`.

    What a picture shows of its light or frame is about 1 % of its embedding's variance, what it shows of its thing
    half: a dictionary that minimises squared error would not spend a latent on the former.
    """
    mean, covariance = moments(x, *more)
    variances, axes = torch.linalg.eigh(covariance)
    lengths = variances.clamp(min=1e-4 * float(variances[-1])) ** (evenness / 2)
    scale = (variances.clamp(min=0) / lengths.square()).mean().sqrt()
    there, back = axes @ torch.diag(1 / (lengths * scale)) @ axes.T, axes @ torch.diag(lengths * scale) @ axes.T
    return Scaling(*(distributed.broadcast(t) for t in (mean, there, back)))


def follow(thresholds: torch.Tensor, least: torch.Tensor) -> None:
    """Let `thresholds` follow the smallest activations kept, in place: a running average that begins with the first."""
    thresholds.copy_(torch.where(thresholds.isnan(), least, thresholds.lerp(least, 0.01)))


def fvu(dictionary: SparseAutoencoder, x: torch.Tensor) -> float:
    """Fraction of variance unexplained on rows `x [N, d_in]`."""
    mean = moments(x)[0]
    error = variance = 0.0
    with torch.no_grad():
        for _, part in parts(x, 8192):
            error += float((part - dictionary(part)).square().sum())
            variance += float((part - mean).square().sum())
    return error / variance


def check_rows(x: torch.Tensor, n_latents: int, name: str) -> None:
    """SteerError for fewer rows than latents, and for a row that is zero or not finite, by its number."""
    if len(x) < n_latents:
        raise SteerError(f"{name}: {len(x)} pairs for {n_latents} latents: give more pairs or ask for fewer latents")
    for start, part in parts(x):
        bad = (~part.isfinite().all(1)) | (part == 0).all(1)
        if bad.any():
            raise SteerError(
                f"{name}: embedding {start + int(bad.nonzero()[0])} is zero or not finite: leave that pair out, or mend the "
                "file it came from"
            )


def parts(x: torch.Tensor, size: int = 65_536) -> Iterator[tuple[int, torch.Tensor]]:
    """Rows in parts that fit in memory whatever their number, each with where it begins."""
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def moments(*sides: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean `[d]` and covariance `[d, d]` of the rows `[N, d]` of all sides together, part by part."""
    count = sum(len(x) for x in sides)
    mean = torch.stack([part.sum(0, dtype=torch.float64) for x in sides for _, part in parts(x)]).sum(0) / count
    centred = ((part - mean.float()) for x in sides for _, part in parts(x))
    return mean.float(), torch.stack([part.T @ part for part in centred]).sum(0) / count
