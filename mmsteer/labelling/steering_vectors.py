"""Steering vectors: what each latent adds in the joint space, per unit of its activation."""

import torch

from mmsteer.data.embeddings import Embedded
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.rows import chunks

_CHUNK = 8192  # rows encoded at once


def steering_tensors(
    pairs: Embedded, dictionaries: dict[str, SparseAutoencoder], scenes: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """Steering vectors and baselines of all latents.

    Each is a difference of means, so its error is chance, which shrinks with the root of the number of rows.

    Args:
        pairs: what the dictionaries were trained on.
        dictionaries: by side, `image` and `text`.
        scenes: `[n_scenes, n_captions, d_joint]`, embedded captions without pictures, several for each scene. If given, the
            steering vectors of text latents are taken from them instead of the captions of `pairs`.

    Returns:
        For each side `steering_SIDE [n_latents, d_joint]` and `baseline_SIDE [n_latents]`.
    """
    tensors: dict[str, torch.Tensor] = {}
    for side, dictionary in dictionaries.items():
        if scenes is not None and side == "text":
            vectors, baselines = steering_vectors(dictionary, scenes.flatten(0, 1), scenes.shape[1])
        else:
            vectors, baselines = steering_vectors(dictionary, getattr(pairs, side))
        tensors[f"steering_{side}"], tensors[f"baseline_{side}"] = vectors, baselines
    return tensors


def steering_vectors(
    dictionary: SparseAutoencoder, x: torch.Tensor, captions_per_scene: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the mean of rows where each latent fires, minus the mean where it is silent, per unit of its activation.

    This is not the decoder's row. In Matryoshka groups, that row is only what the coarser latents, which fire as well, leave
    over: for "panda" it had a cosine of 0.4 with the full difference, and adding it drew no panda.

    Where rows are several captions of each scene, a latent may vary between captions of one scene rather than between
    scenes. Then only captions of the same scene are compared (the within estimator of panel data; Wooldridge 2010, section
    10.5), so that the scenes in which it happens to fire more often are no part of its steering vector.

    Args:
        dictionary: whose latents.
        x: rows `[N, d_joint]`, captions of one scene next to one another.
        captions_per_scene: how many captions each scene has.

    Returns:
        Steering vectors `[n_latents, d_joint]`, the decoder's row for a latent that never fires; and baselines `[n_latents]`:
        where the mean row without the latent lies along its steering vector, in activation.
    """
    n, d = dictionary.config.n_latents, dictionary.config.d_in
    count, activation, firing, total = torch.zeros(n, 1), torch.zeros(n, 1), torch.zeros(n, d), torch.zeros(d)
    within, variation = torch.zeros(n, d), torch.zeros(n, 1)
    for _, rows in chunks(x, _CHUNK // captions_per_scene * captions_per_scene):
        code = dictionary.encode(rows)
        fires = (code > 0).float()
        count, activation = count + fires.sum(0)[:, None], activation + code.sum(0)[:, None]
        firing, total = firing + fires.T @ rows, total + rows.sum(0)
        scenes = fires.view(-1, captions_per_scene, n)
        deviation = (scenes - scenes.mean(1, keepdim=True)).view(-1, n)
        within, variation = within + deviation.T @ rows, variation + deviation.square().sum(0)[:, None]
    silent_mean = (total - firing) / (len(x) - count).clamp(min=1)
    difference, scale = firing / count.clamp(min=1) - silent_mean, activation / count.clamp(min=1)
    varies_within = variation > count * (1 - count / len(x)) / 2  # more than half of its variance is within scenes
    difference = torch.where(varies_within, within / variation.clamp(min=1e-6), difference)
    vectors = torch.where(count > 0, difference / scale.clamp(min=1e-6), dictionary.W_dec)
    return vectors, (silent_mean * vectors).sum(1) / vectors.square().sum(1).clamp(min=1e-12)
