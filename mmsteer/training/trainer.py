"""The training loop that all objectives share, and what it starts from. Knows vectors; nothing of names or scores."""

from collections.abc import Callable

import torch
from tqdm import tqdm

from mmsteer import distributed
from mmsteer.errors import SteerError
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.config import TrainingConfig

Loss = Callable[[torch.Tensor], torch.Tensor]
"""Indices `[B]` of a batch of rows -> the mean loss over these rows."""


def new_dictionary(config: SAEConfig, generator: torch.Generator, device: str = "cpu") -> SparseAutoencoder:
    """An untrained dictionary: the decoder has random rows of unit length, the encoder is its transpose."""
    dictionary = SparseAutoencoder(config)
    with torch.no_grad():
        start = torch.randn(config.n_latents, config.d_in, generator=generator)
        dictionary.W_dec.copy_(start / start.norm(dim=1, keepdim=True))
        dictionary.W_enc.copy_(dictionary.W_dec.T)
    return dictionary.to(device)


def train(
    dictionaries: list[SparseAutoencoder], loss: Loss, n_rows: int, config: TrainingConfig,
    generator: torch.Generator, full_batch: bool = False,
) -> None:  # fmt: skip
    """Train dictionaries together, in place. Decoder rows have unit length after each step.

    Several processes divide each batch among them and add up their gradients; all end with the same dictionaries.

    Args:
        dictionaries: what `loss` depends on.
        loss: the loss of a batch.
        n_rows: how many rows there are to draw batches from.
        config: steps, batch size, learning rate.
        generator: draws the batches; the same in every process.
        full_batch: give every process the full batch, for a loss that compares the rows of a batch with one another.

    Raises:
        SteerError: for fewer rows in a batch than processes.
    """
    if config.batch_size < distributed.count():
        raise SteerError(
            f"a batch of {config.batch_size} rows for {distributed.count()} processes: give each at least one"
        )
    parameters = _trainable(dictionaries, config.train_decoder)
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
    hidden = not config.show_progress or distributed.rank() > 0
    for step in tqdm(range(config.steps), "trained", unit=" steps", mininterval=10, disable=hidden):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, 2 * (1 - step / config.steps))
        batch = torch.randint(n_rows, (config.batch_size,), generator=generator)
        share = batch if full_batch else distributed.share(batch)
        weight = 1 / distributed.count() if full_batch else len(share) / len(batch)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(weight * loss(share))
        for p in parameters:
            if p.grad is not None:
                distributed.all_reduce(p.grad)
        optimizer.step()
        _normalize_decoders(dictionaries)  # after the step, or the step would undo it
    with torch.no_grad():
        for p in parameters:
            distributed.broadcast(p)


def _trainable(dictionaries: list[SparseAutoencoder], train_decoder: bool) -> list[torch.nn.Parameter]:
    """Parameters that gradients change: all but thresholds, and decoders only if asked for."""
    for dictionary in dictionaries:
        dictionary.W_dec.requires_grad_(train_decoder)
    named = [pair for dictionary in dictionaries for pair in dictionary.named_parameters()]
    return [p for name, p in named if name != "threshold" and p.requires_grad]


@torch.no_grad()
def _normalize_decoders(dictionaries: list[SparseAutoencoder]) -> None:
    for dictionary in dictionaries:
        dictionary.W_dec.div_(dictionary.W_dec.norm(dim=1, keepdim=True))


def update_thresholds(thresholds: torch.Tensor, smallest: torch.Tensor) -> None:
    """Update running averages of the smallest activations that BatchTopK chose, in place; NaN starts with the first."""
    thresholds.copy_(torch.where(thresholds.isnan(), smallest, thresholds.lerp(smallest, 0.01)))
