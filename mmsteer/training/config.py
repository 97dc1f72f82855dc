"""How large dictionaries are and how they are trained. Pure values: importing them loads no torch."""

from dataclasses import dataclass
from typing import NamedTuple

from mmsteer.errors import SteerError


class MatryoshkaGroup(NamedTuple):
    """Latents that are added to a dictionary together (Bussmann et al., 2503.17547)."""

    latents: int
    k: int
    """How many of them fire at once, on average."""


@dataclass(frozen=True)
class TrainingConfig:
    """How every dictionary is trained: Adam, with a learning rate that falls linearly to zero over the second half."""

    steps: int = 1500
    batch_size: int = 1024
    learning_rate: float = 2e-3
    seed: int = 0
    dead_after: int = 100
    """Steps without firing after which a latent counts as dead."""
    auxiliary_weight: float = 1 / 32
    """Weight of the auxiliary-k loss, which is on the scale of the reconstruction error (2406.04093, A.2)."""
    train_decoder: bool = True
    """False leaves the decoder random, as a control."""
    show_progress: bool = False
    """Print the rate and the time left."""
    device: str = "cpu"
    """Where batches and dictionaries are during training. The training rows stay where they are."""


@dataclass(frozen=True)
class DictionaryConfig:
    """How to train one dictionary on the vectors of one side."""

    groups: tuple[MatryoshkaGroup, ...]
    training: TrainingConfig = TrainingConfig()
    whitening: float = 0.25
    """How far the principal axes are brought to one length before training: 0 leaves them, 1 is full whitening."""

    def __post_init__(self) -> None:
        if not self.groups or not all(0 < k <= latents for latents, k in self.groups):
            raise SteerError(
                f"the Matryoshka groups {self.groups} are not valid: give one or more of LATENTS:K with 0 < K <= LATENTS"
            )

    @property
    def n_latents(self) -> int:
        """Latents of all groups."""
        return sum(latents for latents, _ in self.groups)


@dataclass(frozen=True)
class DictionarySizes:
    """Matryoshka groups of both sides. The defaults are those for the embedded world.

    A shared dictionary has as many latents as both sides together. Objectives without groups add them up.
    """

    image: tuple[MatryoshkaGroup, ...] = (MatryoshkaGroup(24, 5), MatryoshkaGroup(32, 4), MatryoshkaGroup(160, 3))
    text: tuple[MatryoshkaGroup, ...] = (MatryoshkaGroup(24, 5), MatryoshkaGroup(72, 2), MatryoshkaGroup(160, 3))

    @property
    def shared_latents(self) -> int:
        """Latents of a dictionary for both sides."""
        return sum(group.latents for group in (*self.image, *self.text))

    @property
    def shared_k(self) -> int:
        """How many latents of a shared dictionary fire for one vector: the mean of both sides, rounded up."""
        return -(-sum(group.k for group in (*self.image, *self.text)) // 2)
