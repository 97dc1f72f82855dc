"""Which latents are removed together: all of a modality, as many of each, or those that tell groups of people apart best."""

from collections.abc import Sequence

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.studies.measures.zero_shot_ablation import SIDES

TOP = 5
"""How many latents of each class are removed where they are chosen by how well they tell groups apart."""
COMPARISONS = {
    "whole": "every feature of the class",
    "equal count": "features at random, as many as the smallest class of the side has",
    "equal count and energy": "the same, each class as strongly as takes out no more than the weakest does",
    "top": "the features that tell the groups apart best, as many of each class",
    "top, equal energy": "the same, each class as strongly as takes out no more than the weakest does",
}
"""Comparison -> which features of a class it removes, and how strongly."""
CLASSES = {"image": ("vision", "cross"), "text": ("language", "cross")}
"""By side, the modalities whose features act on it."""


class SideGroups:
    """The latents of one side by class, ranked by how well they tell groups apart.

    Attributes:
        latents: class -> its latents; `random` has those of all classes.
    """

    def __init__(self, features: Sequence[Feature], side: str, code: torch.Tensor, group: np.ndarray) -> None:
        """Sort latents by class and rank them.

        Args:
            features: of the bank.
            side: `image` or `text`.
            code: of people that nothing else is measured on, `[N, n_latents]`.
            group: theirs, `int [N]`.
        """
        self.latents = {name: latents_of(features, side, name) for name in CLASSES[side]}
        self.latents["random"] = np.unique(np.concatenate(list(self.latents.values())))
        self._separation = separation(code.numpy(), group)

    def ranked(self, name: str) -> np.ndarray:
        """The latents of a class, those that tell the groups apart best first."""
        chosen = self.latents[name]
        return np.asarray(chosen[np.argsort(-self._separation[chosen], kind="stable")])

    def chosen(self, comparison: str, name: str, rng: np.random.Generator, draws: int) -> list[np.ndarray]:
        """What a comparison removes of a class, one choice a draw; no choice where a class is empty.

        Args:
            comparison: one of COMPARISONS.
            name: a modality of this side, or `random`.
            rng: of the choices.
            draws: how many; one where there is no choice.
        """
        classes = [latents for c, latents in self.latents.items() if c != "random"]
        pool, least = self.latents[name], min(map(len, classes))
        if not len(pool) or not least or (comparison == "whole" and name == "random"):
            return []
        if comparison == "whole":
            return [pool]
        top = comparison.startswith("top")
        count = min(TOP, least) if top else least
        if top and name != "random":
            return [self.ranked(name)[:count]]
        return [rng.permutation(pool)[:count] for _ in range(draws if len(pool) > count else 1)]


def latents_of(features: Sequence[Feature], side: str, modality: str) -> np.ndarray:
    """The latents of one side that belong to features of a modality; none where such features do not act on this side."""
    chosen = [f for f in features if f.modality == modality and side in SIDES[modality]]
    rows = (f.image_latent if side == "image" else f.text_latent for f in chosen)
    return np.array([row for row in rows if row is not None], dtype=np.int64)


def separation(code: np.ndarray, group: np.ndarray) -> np.ndarray:
    """How well each latent tells groups apart, `[N, n_latents]` to `[n_latents]`: the share of its variance that lies between
    groups (eta squared); 0 for a latent that never fires.
    """
    total, mean = code.var(0), code.mean(0)
    between = np.zeros(code.shape[1])
    for g in np.unique(group):
        between += (group == g).mean() * (code[group == g].mean(0) - mean) ** 2
    return np.asarray(between / np.where(total > 0, total, 1))
