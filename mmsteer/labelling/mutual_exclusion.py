"""Mutually exclusive features: those that no caption has together, such as two things or two places.

Knows codes of captions; nothing of what names mean.
"""

from dataclasses import replace

import torch

from mmsteer.bank import Feature
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.rows import chunks

_MIN_EXPECTED = 4.6  # captions with both by chance: to see none then has a chance of 1 %
_MAX_SHARE = 0.1  # of what chance would give


def find_mutually_exclusive(
    features: list[Feature], dictionaries: dict[str, SparseAutoencoder], text: torch.Tensor
) -> list[Feature]:
    """Features with the ids of those that exclude them, by how they fire on captions.

    Only named features count: an unnamed latent often fires for a mixture ("apple at sunset"), so suppressing it would take
    away more than what is excluded. A vision-only feature has none, since no prompt contains vision-only features. A
    language-only feature has only others of its kind: otherwise adding what no picture shows would suppress what pictures
    show.

    Args:
        features: all features of a bank.
        dictionaries: by side, `image` and `text` or `shared`.
        text: embeddings of captions, `[N, d_joint]`.
    """
    side = "shared" if "shared" in dictionaries else "text"
    candidates = [f for f in features if f.side == side and f.named_by]
    latents = torch.tensor([f.latent for f in candidates], dtype=torch.long)
    together = torch.zeros(len(candidates), len(candidates))
    for _, rows in chunks(text, 8192):
        fires = (dictionaries[side].encode(rows)[:, latents] > 0).float()
        together += fires.T @ fires
    counts = together.diagonal()
    expected = counts[:, None] * counts[None] / len(text)
    # with a dtype, since there may be no candidates
    language = torch.tensor([f.modality == "language" for f in candidates], dtype=torch.bool)
    exclusive = (together <= _MAX_SHARE * expected) & (expected >= _MIN_EXPECTED) & ~(language[:, None] & ~language)
    ids = {
        f.id: tuple(candidates[j].id for j in row.nonzero()[:, 0].tolist())
        for f, row in zip(candidates, exclusive, strict=True)
    }
    return [replace(f, mutually_exclusive=ids.get(f.id, ())) for f in features]
