"""A plain TopK dictionary for each side, without groups; latents are matched later."""

import torch

from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.auxiliary_k import AuxiliaryK
from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.scaling import fit_scaling
from mmsteer.training.sparse import sparse_encode, topk_support
from mmsteer.training.trainer import new_dictionary, train


def fit_separate_topk(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """Train a TopK dictionary for each side, on rows that are centred and brought to one scale."""
    return Dictionaries(fit_topk(image, sizes.image, config), fit_topk(text, sizes.text, config), paired=False)


def fit_topk(x: torch.Tensor, groups: tuple[MatryoshkaGroup, ...], config: TrainingConfig) -> SparseAutoencoder:
    """Train a TopK dictionary of rows `x [N, d_in]` (2406.04093). Latents and k of all groups are added up."""
    generator = torch.Generator().manual_seed(config.seed)
    scaling = fit_scaling(x, 0)
    on_device = scaling.to(config.device)
    k = sum(group.k for group in groups)
    shape = SAEConfig(x.shape[1], sum(group.latents for group in groups), k)
    dictionary = new_dictionary(shape, generator, config.device)
    auxiliary = AuxiliaryK(dictionary, 2 * k, config)

    def loss(indices: torch.Tensor) -> torch.Tensor:
        batch = on_device.batch(x, indices)
        with torch.no_grad():
            pre_activations = dictionary.pre_activations(batch)
        code = sparse_encode(dictionary, batch, pre_activations, topk_support(pre_activations, k))
        residual = batch - dictionary.b_dec - code.decode(dictionary.W_dec)
        return residual.square().mean() + auxiliary(batch, pre_activations, code.active(), residual)

    train([dictionary], loss, len(x), config, generator)
    return scaling.fold(dictionary)
