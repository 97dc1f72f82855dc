"""Rivals: features that no caption has together, such as two things or two places. Knows codes; nothing of names' meaning."""

from dataclasses import replace

import torch

from mmsteer.bank import Feature
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.trainer import parts

_EXPECTED = 4.6  # captions with both by chance, at least; there seeing none has a chance of 1 %
_SHARE = 0.1  # of what chance would give, at most


def find_mutually_exclusive(
    features: list[Feature], dictionaries: dict[str, SparseAutoencoder], text: torch.Tensor
) -> list[Feature]:
    """Features with their rivals, by how they fire on captions `text [N, d_joint]`.

    Only named features count, as an unnamed latent often fires for a mixture ("apple at sunset"), and with it more would
    go than what excludes the other. A vision-only feature has none: prompts carry no vision-only feature. A language-only
    one has none but of its kind: with a cross-modal one, adding what no picture shows would take away what pictures show.
    """
    side = "shared" if "shared" in dictionaries else "text"
    own = [f for f in features if f.side == side and f.named_by]
    latents = torch.tensor([f.latent for f in own], dtype=torch.long)
    together = torch.zeros(len(own), len(own))
    for _, rows in parts(text, 8192):
        fires = (dictionaries[side].encode(rows)[:, latents] > 0).float()
        together += fires.T @ fires
    counts = together.diagonal()
    expected = counts[:, None] * counts[None] / len(text)
    unseen = torch.tensor([f.modality == "language" for f in own], dtype=torch.bool)  # there may be none
    apart = (together <= _SHARE * expected) & (expected >= _EXPECTED) & ~(unseen[:, None] & ~unseen)
    rivals = {f.id: tuple(own[j].id for j in row.nonzero()[:, 0].tolist()) for f, row in zip(own, apart, strict=True)}
    return [replace(f, mutually_exclusive=rivals.get(f.id, ())) for f in features]
