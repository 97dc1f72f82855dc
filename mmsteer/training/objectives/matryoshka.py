"""The default objective: for each side a dictionary in Matryoshka groups, on partly whitened rows.

As in a Matryoshka SAE (Bussmann et al., 2503.17547), the first group, of a few latents, must reconstruct the vector by
itself and so learns what is common (places, positions, light); each later group codes what is left (things). A single group
splits the common concepts over the rare ones. Within a group BatchTopK (2412.06410) chooses: a vector gets as many latents
as it needs, and the group spends its budget on average. The threshold this amounts to is stored, and decides which latents
fire from then on (JumpReLU, 2407.14435).
"""

import torch

from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.auxiliary_k import AuxiliaryK
from mmsteer.training.config import DictionaryConfig, DictionarySizes, MatryoshkaGroup, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.rows import check_rows
from mmsteer.training.scaling import fit_scaling
from mmsteer.training.sparse import Support, batch_topk_support, sparse_encode
from mmsteer.training.trainer import new_dictionary, train, update_thresholds


def fit_matryoshka(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """Train a dictionary for each side; latents are matched later."""
    return Dictionaries(
        _fit_side(image, DictionaryConfig(sizes.image, config)),
        _fit_side(text, DictionaryConfig(sizes.text, config)),
        paired=False,
    )


def train_dictionary(x: torch.Tensor, config: DictionaryConfig, name: str = "dictionary") -> SparseAutoencoder:
    """Train one dictionary.

    Args:
        x: rows `[N, d_in]`, in memory or on disk.
        config: its groups, whitening and training.
        name: what error messages call the rows.

    Returns:
        A frozen dictionary that takes raw rows: centring and whitening are part of its weights.

    Raises:
        SteerError: for fewer rows than latents, or a row that is zero or not finite.
    """
    check_rows(x, config.n_latents, name)
    return _fit_side(x, config)


def _fit_side(x: torch.Tensor, config: DictionaryConfig) -> SparseAutoencoder:
    training, groups = config.training, config.groups
    generator = torch.Generator().manual_seed(training.seed)
    scaling = fit_scaling(x, config.whitening)
    on_device = scaling.to(training.device)
    dictionary = new_dictionary(SAEConfig(x.shape[1], config.n_latents), generator, training.device)
    auxiliary = AuxiliaryK(dictionary, 2 * groups[-1].k, training)
    thresholds = torch.full((len(groups),), torch.nan, device=training.device)

    def loss(indices: torch.Tensor) -> torch.Tensor:
        batch = on_device.batch(x, indices)
        with torch.no_grad():
            pre_activations = dictionary.pre_activations(batch)
        support, smallest = _group_support(pre_activations, groups, training.batch_size)
        update_thresholds(thresholds, smallest)
        code = sparse_encode(dictionary, batch, pre_activations, support, len(groups))
        # after the first group, after the first two, …
        reconstructions = code.decode(dictionary.W_dec).view(len(groups), *batch.shape).cumsum(0)
        residuals = batch - dictionary.b_dec - reconstructions
        error = residuals.square().mean((1, 2)).sum()
        return error + auxiliary(batch, pre_activations, code.active(), residuals[-1])

    train([dictionary], loss, len(x), training, generator)
    with torch.no_grad():
        assert dictionary.threshold is not None
        latents = torch.tensor([group.latents for group in groups])
        dictionary.threshold.copy_(thresholds.cpu().repeat_interleave(latents))
    return scaling.fold(dictionary)


def _group_support(
    pre_activations: torch.Tensor, groups: tuple[MatryoshkaGroup, ...], batch_size: int
) -> tuple[Support, torch.Tensor]:
    """What BatchTopK chooses in each group, as one code a group; and the smallest activation chosen in each."""
    rows, latents, smallest, first = [], [], [], 0
    parts = torch.split(pre_activations, [group.latents for group in groups], 1)
    for number, (part, group) in enumerate(zip(parts, groups, strict=True)):
        (row, latent), least = batch_topk_support(part, group.k * batch_size)
        rows.append(row + number * len(pre_activations))
        latents.append(latent + first)
        smallest.append(least)
        first += group.latents
    return Support(torch.cat(rows), torch.cat(latents)), torch.stack(smallest)
