"""Codes of both sides of some pairs, on a common scale, and the Modality Dominance Scores they give."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmsteer.bank.mds import Score, score
from mmsteer.data.embeddings import Embedded
from mmsteer.training.dictionaries import Dictionaries

FeatureLatents = tuple[int | None, int | None]
"""The latent of the image dictionary and that of the text dictionary which make up a feature; None where it has none."""


class Codes(NamedTuple):
    """Codes of both sides, in units of each latent's activation scale, so that neither side dominates by scale alone."""

    image: np.ndarray
    """[N, n_image]"""
    text: np.ndarray
    """[N, n_text]"""
    scale_image: np.ndarray
    """[n_image]: activation scale, the mean activation where a latent fires; 0 where it never does"""
    scale_text: np.ndarray
    """[n_text]"""

    def of(self, features: Sequence[FeatureLatents]) -> "Codes":
        """One column for each feature, on both sides `[N, n_features]`; zeros where a feature lacks that side."""
        sides = []
        for side, (z, scale) in enumerate(((self.image, self.scale_image), (self.text, self.scale_text))):
            padded = np.concatenate([z, np.zeros((len(z), 1), z.dtype)], 1)
            columns = [-1 if (latent := latents[side]) is None else latent for latents in features]
            sides.append((padded[:, columns], np.append(scale, 0)[columns]))
        return Codes(sides[0][0], sides[1][0], sides[0][1], sides[1][1])

    def scores(self, resamples: int = 200) -> list[Score]:
        """The score of each feature, where column k of both sides is feature k (see `of`)."""
        return [score(i, t, resamples=resamples) for i, t in zip(self.image.T, self.text.T, strict=True)]


def encode_pairs(dictionaries: Dictionaries, pairs: Embedded) -> Codes:
    """Encode both sides of pairs and divide each latent by its activation scale on these pairs."""
    sides = []
    for dictionary, x in ((dictionaries.image, pairs.image), (dictionaries.text, pairs.text)):
        code = dictionary.encode(x).numpy()
        scale = code.sum(0) / np.maximum((code > 0).sum(0), 1).astype(np.float32)
        sides.append((code / np.where(scale > 0, scale, 1), scale))
    return Codes(sides[0][0], sides[1][0], sides[0][1], sides[1][1])
