"""One TopK for both codes of a pair, each of which must reconstruct both sides (2507.06265)."""

import torch

from mmsteer.models.sae import SAEConfig
from mmsteer.training.auxiliary_k import AuxiliaryK
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.scaling import fit_scaling
from mmsteer.training.sparse import sparse_encode, topk_support
from mmsteer.training.trainer import new_dictionary, train


def fit_paired_topk(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """Train a dictionary for each side; the k latents that fire are chosen for the pair.

    After training, each side is read with its own TopK: with the pair's choice, one side would leak into the other.
    """
    generator = torch.Generator().manual_seed(config.seed)
    scalings = [fit_scaling(x, 0) for x in (image, text)]
    on_device = [scaling.to(config.device) for scaling in scalings]
    k = sizes.shared_k
    shape = SAEConfig(image.shape[1], sizes.shared_latents, k)
    dictionaries = [new_dictionary(shape, generator, config.device) for _ in scalings]
    auxiliaries = [AuxiliaryK(dictionary, 2 * k, config) for dictionary in dictionaries]

    def loss(indices: torch.Tensor) -> torch.Tensor:
        batch = [s.batch(x, indices) for s, x in zip(on_device, (image, text), strict=True)]
        with torch.no_grad():
            pre_activations = [d.pre_activations(x) for d, x in zip(dictionaries, batch, strict=True)]
        support = topk_support(pre_activations[0] + pre_activations[1], k)
        total = batch[0].new_zeros(())
        for i, encoder in enumerate(dictionaries):
            code = sparse_encode(encoder, batch[i], pre_activations[i], support)
            for j, decoder in enumerate(dictionaries):
                residual = batch[j] - decoder.b_dec - code.decode(decoder.W_dec)
                total = total + residual.square().mean()
                if i == j:
                    total = total + auxiliaries[i](batch[i], pre_activations[i], code.active(), residual)
        return total

    train(dictionaries, loss, len(image), config, generator)
    folded = [s.fold(d) for s, d in zip(scalings, dictionaries, strict=True)]
    return Dictionaries(folded[0], folded[1], paired=True)
