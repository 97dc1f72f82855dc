"""The channels a study compares: every modality, the whole embedding, and random latents of equal count and of equal energy."""

import numpy as np
import torch

from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.studies.attacks.channel import READ_BY, WHOLE, Channel, Side, channel, channel_of
from mmsteer.studies.measures.zero_shot_ablation import energy, energy_matrix, pick_at_random

MANY, STRONG = "as many as", "as strong as"
SMALLEST: dict[Side, str] = {"image": "vision", "text": "language"}
"""The modality with fewer features that the dictionary of a side has beside cross-modal ones: cross-modal ones are matched to it."""


def random_name(kind: str, modality: str) -> str:
    """Of random latents `MANY` or `STRONG` as a modality's features."""
    return f"random, {kind} {modality}"


def cross_name(kind: str, modality: str) -> str:
    """Of some cross-modal features, `MANY` or `STRONG` as another modality's."""
    return f"cross, {kind} {modality}"


def channels(bank: FeatureBank, side: Side, reference: torch.Tensor, rng: np.random.Generator) -> dict[str, Channel]:
    """All channels into embeddings of a side, by name.

    Random latents come from all of the same dictionary that ever fire on the reference, so they are read, thresholded and shifted
    alike. Energy is the mean squared norm of what latents contribute there.

    Args:
        bank: with a dictionary a side.
        side: of the embeddings.
        reference: clean embeddings of that side, `[N, d_joint]`.
        rng: draws the latents.
    """
    result: dict[str, Channel] = {modality: channel(bank, modality, side) for modality in MODALITIES} | {"all": WHOLE}
    for modality in MODALITIES:
        reader = READ_BY[modality, side]
        dictionary = bank.dictionaries[reader]
        code = channel_of(bank, side, range(dictionary.config.n_latents), reader, "every").code(reference)
        live = np.flatnonzero((code > 0).any(0).numpy())
        matrix = energy_matrix(code, dictionary.W_dec)
        latents = result[modality].latents.numpy()
        matched = [(random_name, live)]
        if modality == SMALLEST[side]:
            matched.append((cross_name, result["cross"].latents.numpy()))
        for title, pool in matched:
            many = rng.permutation(pool)[: len(latents)]
            strong = pick_at_random(rng, matrix, pool, energy(matrix, latents))
            for kind, chosen in ((MANY, many), (STRONG, strong)):
                name = title(kind, modality)
                result[name] = channel_of(bank, side, chosen.tolist(), reader, name)
    return result
