"""Which latent of the image dictionary and which of the text dictionary are one concept, and so one feature.

Latents are matched one to one by how they fire together on held-out pairs ("Same Concept, Different Directions",
2606.29888). The two directions of a concept need not be alike, so directions are not compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import FeatureLatents, encode_pairs
from mmsteer.labelling.cross_modal_probe import append_latents, probe_latents
from mmsteer.training.dictionaries import Dictionaries

MIN_CORRELATION = 0.5  # of activations: from here on two latents are one concept
MIN_RATE = 0.002  # of pairs on which a latent must fire to become a feature
_PROBE_PAIRS = 30_000  # at most; more would not improve the probes


class Matching(NamedTuple):
    """Matched latents, and the correlation of each match."""

    image: list[int]
    text: list[int]
    correlation: list[float]


def correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson correlation of the columns of `a [N, p]` and `b [N, q]`, `[p, q]`; 0 where a column is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    scale = a.norm(dim=0)[:, None] * b.norm(dim=0)[None]
    return torch.where(scale > 0, a.T @ b / scale.clamp(min=1e-12), 0.0)


def match_codes(z_image: torch.Tensor, z_text: torch.Tensor, min_correlation: float = MIN_CORRELATION) -> Matching:
    """Match the columns of two codes one to one, so that the sum of correlations is largest (Kuhn, 1955).

    Args:
        z_image: `[N, n_image]`.
        z_text: `[N, n_text]`, of the same pairs.
        min_correlation: matches below it are dropped.
    """
    from scipy.optimize import linear_sum_assignment

    correlations = correlation(z_image, z_text)
    rows, columns = linear_sum_assignment(correlations.numpy(), maximize=True)
    matches = [(int(i), int(t)) for i, t in zip(rows, columns, strict=True) if correlations[i, t] >= min_correlation]
    return Matching([i for i, _ in matches], [t for _, t in matches], [float(correlations[i, t]) for i, t in matches])


def match_latents(
    dictionaries: Dictionaries, matching: Embedded, probing: Embedded | None = None
) -> tuple[Dictionaries, list[FeatureLatents]]:
    """Find the latents that make up each feature.

    Where latent k of one side is latent k of the other by training, nothing needs matching. Otherwise latents are matched
    one to one, and the rest stay unmatched, unless a cross-modal probe finds them a partner. Latents that fire on hardly
    any pair become no feature.

    Args:
        dictionaries: one for each side.
        matching: pairs that no dictionary was trained on.
        probing: pairs to fit cross-modal probes on, or None for no probes. These may be the training pairs: rare latents
            need many, and each probe is checked on the half of the pairs that it was not fitted to.

    Returns:
        The dictionaries, grown by the latents that probes added, and the latents of each feature.
    """
    features = _match(dictionaries, matching)
    if probing is None:
        return dictionaries, features
    dictionaries, features = probe_unmatched(dictionaries, features, probing.sample(_PROBE_PAIRS))
    return dictionaries, drop_duplicates(dictionaries, features, matching)


def _match(dictionaries: Dictionaries, matching: Embedded) -> list[FeatureLatents]:
    codes = encode_pairs(dictionaries, matching)
    alive_image, alive_text = ((z > 0).mean(0) >= MIN_RATE for z in (codes.image, codes.text))
    if dictionaries.paired:
        return [(k, k) for k in np.flatnonzero(alive_image | alive_text).tolist()]
    matched = match_codes(torch.from_numpy(codes.image), torch.from_numpy(codes.text))
    features: list[FeatureLatents] = list(zip(matched.image, matched.text, strict=True))
    features += [(i, None) for i in np.flatnonzero(alive_image).tolist() if i not in matched.image]
    return features + [(None, t) for t in np.flatnonzero(alive_text).tolist() if t not in matched.text]


def probe_unmatched(
    dictionaries: Dictionaries, features: Sequence[FeatureLatents], probing: Embedded
) -> tuple[Dictionaries, list[FeatureLatents]]:
    """Give unmatched latents a partner, where a probe of the other side tells when they fire.

    Returns:
        The dictionaries with the probes appended as latents, and the features in their old order.
    """
    codes = encode_pairs(dictionaries, probing)
    partners: dict[FeatureLatents, FeatureLatents] = {}
    grown = {}
    for side, z, x, dictionary in (
        (0, codes.image, probing.text, dictionaries.text), (1, codes.text, probing.image, dictionaries.image)
    ):  # fmt: skip
        unmatched = [latents for latents in features if latents[1 - side] is None]
        columns = [k for latents in unmatched if (k := latents[side]) is not None]
        readable, directions, thresholds = probe_latents(torch.from_numpy(z[:, columns]), x)
        grown[side] = append_latents(dictionary, directions[readable], thresholds[readable])
        for new, j in enumerate(readable.nonzero()[:, 0].tolist(), start=dictionary.config.n_latents):
            partners[unmatched[j]] = (columns[j], new) if side == 0 else (new, columns[j])
    return Dictionaries(grown[1], grown[0], False), [partners.get(latents, latents) for latents in features]


def drop_duplicates(
    dictionaries: Dictionaries, features: Sequence[FeatureLatents], matching: Embedded
) -> list[FeatureLatents]:
    """Drop features that fire like an earlier one on both sides: a concept that was probed from either side comes twice."""
    codes = encode_pairs(dictionaries, matching).of(features)
    both_sides = torch.from_numpy(np.concatenate([codes.image, codes.text]))
    alike = correlation(both_sides, both_sides) >= MIN_CORRELATION
    distinct: list[int] = []
    for k in range(len(features)):
        if not alike[k, distinct].any():
            distinct.append(k)
    return [features[k] for k in distinct]
