"""Non-negative contrastive learning (2403.12459; used in 2502.14888): codes that tell the pairs of a batch apart."""

import torch
import torch.nn.functional as F

from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.rows import chunks
from mmsteer.training.scaling import Scaling, fit_scaling
from mmsteer.training.trainer import new_dictionary, train

_TEMPERATURE = 0.1


def fit_contrastive(
    image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """Train one map for both sides, whose non-negative outputs tell the pairs of a batch apart.

    It has no decoder. The rows that best reconstruct each side from its codes (ridge regression) serve as one.
    """
    generator = torch.Generator().manual_seed(config.seed)
    scalings = [fit_scaling(x, 0) for x in (image, text)]
    on_device = [scaling.to(config.device) for scaling in scalings]
    dictionary = new_dictionary(SAEConfig(image.shape[1], sizes.shared_latents), generator, config.device)

    def loss(indices: torch.Tensor) -> torch.Tensor:
        codes = []
        for scaling, x in zip(on_device, (image, text), strict=True):
            outputs = scaling.batch(x, indices) @ dictionary.W_enc + dictionary.b_enc
            # its gradient reaches outputs that are silent (the "rep_relu" of the authors' code)
            smooth = F.gelu(outputs)
            codes.append(F.normalize(F.relu(outputs).detach() + smooth - smooth.detach(), dim=1))
        logits = codes[0] @ codes[1].T / _TEMPERATURE
        partners = torch.arange(len(indices), device=logits.device)
        return (F.cross_entropy(logits, partners) + F.cross_entropy(logits.T, partners)) / 2

    train([dictionary], loss, len(image), config, generator, full_batch=True)
    dictionary.cpu().requires_grad_(False)
    sides = [_with_decoder(dictionary, s, x) for s, x in zip(scalings, (image, text), strict=True)]
    return Dictionaries(sides[0], sides[1], paired=True)


def _with_decoder(dictionary: SparseAutoencoder, scaling: Scaling, x: torch.Tensor) -> SparseAutoencoder:
    """A copy of the encoder with a decoder for one side, by ridge regression of its scaled rows on their codes."""
    side = SparseAutoencoder(dictionary.config)
    side.load_state_dict(dictionary.state_dict())
    n, d_in = dictionary.config.n_latents, dictionary.config.d_in
    code_sum, row_sum, gram, cross = torch.zeros(n), torch.zeros(d_in), torch.zeros(n, n), torch.zeros(n, d_in)
    for _, chunk in chunks(x, 8192):
        rows = scaling.apply(chunk)
        code = dictionary.encode(rows)
        code_sum, row_sum = code_sum + code.sum(0), row_sum + rows.sum(0)
        gram, cross = gram + code.T @ code, cross + code.T @ rows
    mean, row_mean = code_sum / len(x), row_sum / len(x)
    gram, cross = gram / len(x) - torch.outer(mean, mean), cross / len(x) - torch.outer(mean, row_mean)
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(n)
    with torch.no_grad():
        side.W_dec.copy_(torch.linalg.solve(gram + ridge, cross))
        shift = row_mean - mean @ side.W_dec
        side.b_dec.copy_(shift)
        side.b_enc.add_(shift @ side.W_enc)  # encoding subtracts b_dec first
    return scaling.fold(side)
