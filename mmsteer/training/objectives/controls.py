"""Controls: what labels are worth with random decoders, or without any training at all."""

from dataclasses import replace

import torch

from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.objectives.matryoshka import fit_matryoshka
from mmsteer.training.rows import mean_and_covariance


def fit_random_decoders(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """The default objective with decoders that stay random: only encoders are trained (2602.14111)."""
    return fit_matryoshka(image, text, sizes, replace(config, train_decoder=False))


def fit_raw_axes(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """No training: the coordinates themselves, centred, the two signs of each as two latents."""
    return _axes(image, text, torch.eye(image.shape[1]))


def fit_principal_axes(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """No training: principal axes of both sides' centred rows, the two signs of each as two latents."""
    covariance = sum((mean_and_covariance(x)[1] for x in (image, text)), torch.zeros(()))
    return _axes(image, text, torch.linalg.eigh(covariance).eigenvectors.T)


def _axes(image: torch.Tensor, text: torch.Tensor, axes: torch.Tensor) -> Dictionaries:
    sides = []
    for x in (image, text):
        side = SparseAutoencoder(SAEConfig(x.shape[1], 2 * len(axes)))
        with torch.no_grad():
            side.W_dec.copy_(torch.cat([axes, -axes]))
            side.W_enc.copy_(side.W_dec.T)
            side.b_dec.copy_(mean_and_covariance(x)[0])
        sides.append(side.requires_grad_(False))
    return Dictionaries(sides[0], sides[1], paired=True)
