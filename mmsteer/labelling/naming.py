"""Automatic names, for any bank: from activations, captions and measured pictures, each with a held-out score.

A feature with a text side is named after the word, two-word phrase or run of letters that makes it fire; a feature of
pictures alone after the measurable property of the pictures on which it fires. One part of the pairs chooses names, the
other scores them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from mmsteer.bank import Modality
from mmsteer.labelling.detection import auc
from mmsteer.labelling.picture_properties import PROPERTIES
from mmsteer.labelling.vocabulary import terms

# A feature that fires on a share r of the captions with a word, and nowhere else, has an AUC of (1 + r) / 2: here 7 in 10.
MIN_AUC_WORDS = 0.85
# Properties overlap where firing does not. 0.75 is two normal distributions about one standard deviation apart, which is
# more than what Cohen calls a large effect (0.8).
MIN_AUC_PROPERTY = 0.75
# A feature may fire on much besides what makes it fire most: a name for less than a quarter of what it does would mislead.
MIN_SHARE = 0.25
_SHORTLIST = 20  # candidates from each source
_EQUAL = 0.01  # of AUC: closer candidates are equally good


class NamingEvidence(NamedTuple):
    """What names are made from, for N pairs."""

    captions: Sequence[str]
    """N captions"""
    properties: np.ndarray
    """[N, n_properties] of their pictures (`picture_properties.measure`)"""
    candidates: Sequence[str]
    """Terms of captions that can be names (`vocabulary.vocabulary`)"""
    embeddings: np.ndarray
    """[n_candidates, d_joint], the candidates embedded as prompts"""
    choosing: np.ndarray
    """bool [N]: which pairs choose names; the others score them"""


class AutomaticName(NamedTuple):
    """A name, or the best candidate where none is reliable."""

    text: str | None
    """None where the score or the share is too low for a name."""
    candidate: str
    score: float
    """Held-out AUC, 0.5 is chance. Words: P(a caption with them has the higher activation). A property: P(a picture on
    which the feature fires has more of it). Ties count one half."""
    kind: Literal["words", "property"]
    share: float
    """Held-out share of its activation that falls on captions with the words, or on the pictures that have most of the
    property, as many as it fires on."""


def automatic_names(
    z_image: np.ndarray,
    z_text: np.ndarray,
    modalities: Sequence[Modality],
    directions: np.ndarray,
    evidence: NamingEvidence,
) -> list[AutomaticName]:
    """Name each of n features.

    Vision-only features whose pictures share no property are named after words of those pictures' captions.

    Args:
        z_image: codes of the pictures, `[N, n]`; zero where a feature lacks the side.
        z_text: codes of the captions, `[N, n]`.
        modalities: one for each feature.
        directions: `[n, d_joint]`, steering vectors of their text latents; zero where a feature has none.
        evidence: captions and pictures of the same pairs.
    """
    contains = _contains(evidence)
    only_seen = (np.array(modalities) == "vision") | ~z_text.any(0)
    z = np.where(only_seen, z_image, z_text)
    by_words = _by_words(z, contains, directions, evidence)
    by_property = _by_property(z_image, evidence)
    return [
        measured if seen and (measured.text or not worded.text) else worded
        for seen, worded, measured in zip(only_seen, by_words, by_property, strict=True)
    ]


def _contains(evidence: NamingEvidence) -> np.ndarray:
    """Which captions contain which candidates, bool `[N, n_candidates]`."""
    return np.array(
        [[candidate in words for candidate in evidence.candidates] for words in map(terms, evidence.captions)]
    )


def _by_words(
    z: np.ndarray, contains: np.ndarray, directions: np.ndarray, evidence: NamingEvidence
) -> list[AutomaticName]:
    """The candidate with the best AUC, of those near a feature's direction and those that stand out where it fires."""
    choosing, scoring = evidence.choosing, ~evidence.choosing
    centred = evidence.embeddings - evidence.embeddings.mean(0)
    similarity = directions @ (centred / np.linalg.norm(centred, axis=1, keepdims=True)).T
    share = _share(z[choosing], contains[choosing])
    tf_idf = share * np.log(len(contains) / contains.sum(0))  # by class, captions weighted by activation
    listed = np.zeros(share.shape, dtype=bool)
    for source in (similarity, tf_idf):
        np.put_along_axis(listed, np.argsort(-source, axis=1)[:, :_SHORTLIST], True, axis=1)
    fit = np.where(listed, auc(z[choosing], contains[choosing]), 0)
    # of equally good ones the plainest: what accounts for most of the activation
    best = np.where(fit >= fit.max(1, keepdims=True) - _EQUAL, share.round(6), -1).argmax(1)
    scores = np.take_along_axis(auc(z[scoring], contains[scoring]), best[:, None], 1)[:, 0]
    shares = np.take_along_axis(_share(z[scoring], contains[scoring]), best[:, None], 1)[:, 0]
    return [
        AutomaticName(_reliable(name, score, MIN_AUC_WORDS, part), name, float(score), "words", float(part))
        for name, score, part in zip([evidence.candidates[b] for b in best], scores, shares, strict=True)
    ]


def _by_property(z: np.ndarray, evidence: NamingEvidence) -> list[AutomaticName]:
    """The pole with the largest effect size (Cohen's d) between the pictures on which a feature fires and the others."""
    choosing, scoring = evidence.choosing, ~evidence.choosing
    effect_size = _effect_size(z[choosing] > 0, evidence.properties[choosing])
    properties, activation = evidence.properties[scoring], z[scoring]
    above = auc(properties, activation > 0).T
    names = []
    for k, best in enumerate(np.abs(effect_size).argmax(1)):
        high = effect_size[k, best] > 0
        name = PROPERTIES[best].high if high else PROPERTIES[best].low
        score = float(above[k, best] if high else 1 - above[k, best])
        order = np.argsort(-properties[:, best] if high else properties[:, best])
        most = order[: np.count_nonzero(activation[:, k])]
        share = float(activation[most, k].sum() / max(activation[:, k].sum(), 1e-9))
        names.append(AutomaticName(_reliable(name, score, MIN_AUC_PROPERTY, share), name, score, "property", share))
    return names


def _effect_size(fires: np.ndarray, properties: np.ndarray) -> np.ndarray:
    """Cohen's d of `properties [N, p]` between where each feature fires, bool `[N, n]`, and where not: `[n, p]`."""
    mean, variance = _mean_and_variance(fires, properties)
    mean_silent, variance_silent = _mean_and_variance(~fires, properties)
    return np.asarray((mean - mean_silent) / np.sqrt((variance + variance_silent) / 2 + 1e-12))


def _mean_and_variance(groups: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `values [N, p]` in each group, bool `[N, n]`: `[n, p]` each; 0 in an empty one."""
    weights = groups.T / np.maximum(groups.sum(0), 1)[:, None]
    mean = weights @ values
    return mean, (weights @ values**2 - mean**2).clip(min=0)


def _share(z: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Share of the activation `z [N, n]` that falls into each group `[N, q]`: `[n, q]`."""
    return np.asarray((z.T @ groups.astype(z.dtype)) / np.maximum(z.sum(0), 1e-9)[:, None])


def _reliable(name: str, score: float, min_auc: float, share: float) -> str | None:
    return name if score >= min_auc and share >= MIN_SHARE else None
