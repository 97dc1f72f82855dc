"""Cross-modal probes: a linear direction of one side that tells when an unmatched latent of the other side fires.

Matching is one to one, and dictionaries differ: what is one latent on one side may be spread over several on the other
("small", drawn in every second picture, mentioned in a third of captions). If a direction of the other side tells when
the latent fires, that direction is appended to the other dictionary as a latent. It decodes to nothing, so reconstructions
do not change.
"""

from typing import NamedTuple

import torch

from mmsteer.labelling.detection import auc
from mmsteer.labelling.known_names import f1
from mmsteer.models.sae import SAEConfig, SparseAutoencoder

# Held-out AUC a probe needs. Unlike a correlation it does not fall with the share of captions that leave a concept out, or
# put it in other words.
_MIN_AUC = 0.65
_THRESHOLDS = 60  # tried for each probe


class Probes(NamedTuple):
    """Probes of n latents, such that `relu(x @ direction - threshold)` goes with their activation."""

    readable: torch.Tensor
    """bool [n]: which latents can be read from the other side"""
    directions: torch.Tensor
    """[n, d_in]"""
    thresholds: torch.Tensor
    """[n]"""


def fit_probes(z: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit a linear probe for each latent: ridge regression, then the threshold of highest F1.

    Args:
        z: activations `[N, n]`.
        x: rows `[N, d_in]` of the same pairs.

    Returns:
        Directions `[n, d_in]` and thresholds `[n]`: `x @ direction > threshold` predicts `z > 0`.
    """
    mean = x.mean(0)
    centred = x - mean
    covariance = centred.T @ centred / len(x)
    ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(x.shape[1])
    directions = torch.linalg.solve(covariance + ridge, centred.T @ (z - z.mean(0)) / len(x)).T
    projected = x @ directions.T
    candidates = projected.quantile(torch.linspace(0.02, 0.998, _THRESHOLDS), dim=0)
    fires = (z > 0).numpy()
    best = [
        f1((projected[:, k, None] > candidates[:, k]).numpy(), fires[:, k, None])[:, 0].argmax()
        for k in range(z.shape[1])
    ]
    return directions, candidates[best, range(z.shape[1])]


def probe_latents(z: torch.Tensor, x: torch.Tensor) -> Probes:
    """Probe one side for latents of the other.

    Probes are fitted to the first half of the pairs. A latent is readable if its probe detects it on the second half.

    Args:
        z: activations `[N, n]` of one side.
        x: rows `[N, d_in]` of the other side of the same pairs.
    """
    half = len(x) // 2
    directions, thresholds = fit_probes(z[:half], x[:half])
    held_out = auc((x[half:] @ directions.T).numpy(), (z[half:] > 0).numpy()).diagonal()
    return Probes(torch.from_numpy(held_out >= _MIN_AUC), directions, thresholds)


def append_latents(
    dictionary: SparseAutoencoder, directions: torch.Tensor, thresholds: torch.Tensor
) -> SparseAutoencoder:
    """A dictionary with one more latent for each direction.

    Args:
        dictionary: one with thresholds. In a TopK dictionary every latent competes with all others.
        directions: `[n, d_in]`.
        thresholds: `[n]`. A new latent fires where its direction exceeds its threshold, and decodes to nothing.
    """
    assert dictionary.threshold is not None, "a TopK dictionary cannot take further latents"
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
