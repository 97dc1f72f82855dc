"""What a latent without a partner looks like on the other side, read through the pairs.

Matching is one to one, and dictionaries differ: what is one latent on one side may be spread over several on the other
("small", drawn in every second picture, told in a third of captions). If a direction of the other side tells when
the latent fires, that direction is appended to the other dictionary as a latent of its own. It decodes to nothing, so
reconstructions stay what they were.
"""

import torch

from mmsteer.labelling.known_names import f1
from mmsteer.labelling.naming import auc
from mmsteer.models.sae import SAEConfig, SparseAutoencoder

# Held-out AUC from which on the other side tells when a latent fires. Unlike a correlation it does not fall with the share
# of captions that leave a concept out, or put it in other words.
_READABLE = 0.65
_CUTS = 60  # thresholds tried


def fit_readers(z: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each column of `z [N, n]`, a direction `[n, d_in]` of rows `x [N, d_in]` that tells where it is above zero, and the
    threshold `[n]`: ridge regression, then the cut of highest F1.
    """
    mean = x.mean(0)
    centred = x - mean
    covariance = centred.T @ centred / len(x)
    ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(x.shape[1])
    directions = torch.linalg.solve(covariance + ridge, centred.T @ (z - z.mean(0)) / len(x)).T
    seen = x @ directions.T
    cuts = seen.quantile(torch.linspace(0.02, 0.998, _CUTS), dim=0)
    fires = (z > 0).numpy()
    best = [f1((seen[:, k, None] > cuts[:, k]).numpy(), fires[:, k, None])[:, 0].argmax() for k in range(z.shape[1])]
    return directions, cuts[best, range(z.shape[1])]


def read_across(z: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Directions of one side that tell when latents of the other fire.

    Takes activations `z [N, n]` and rows `x [N, d_in]` of the same pairs. Returns which of the n can be read (bool
    `[n]`), directions `[n, d_in]` and thresholds `[n]`, such that `relu(x @ direction - threshold)` goes with z. They are
    fitted to the first half of the pairs; readable is what then tells on the second half.
    """
    half = len(x) // 2
    directions, thresholds = fit_readers(z[:half], x[:half])
    told = auc((x[half:] @ directions.T).numpy(), (z[half:] > 0).numpy()).diagonal()
    return torch.from_numpy(told >= _READABLE), directions, thresholds


def append(dictionary: SparseAutoencoder, directions: torch.Tensor, thresholds: torch.Tensor) -> SparseAutoencoder:
    """The dictionary with one more latent per direction `[n, d_in]`, firing above its threshold `[n]`, decoding to nothing."""
    assert dictionary.threshold is not None, "a TopK dictionary has no room: every latent competes with all others"
    more = len(directions)
    grown = SparseAutoencoder(SAEConfig(dictionary.config.d_in, dictionary.config.n_latents + more))
    with torch.no_grad():
        grown.W_enc.copy_(torch.cat([dictionary.W_enc, directions.T], 1))
        grown.b_enc.copy_(torch.cat([dictionary.b_enc, directions @ dictionary.b_dec - thresholds]))
        grown.W_dec.copy_(torch.cat([dictionary.W_dec, torch.zeros_like(directions)]))
        grown.b_dec.copy_(dictionary.b_dec)
        assert grown.threshold is not None
        grown.threshold.copy_(torch.cat([dictionary.threshold, torch.zeros(more)]))
    return grown.requires_grad_(False)
