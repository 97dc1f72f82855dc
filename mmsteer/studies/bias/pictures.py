"""Pictures of an occupation, with and without the features of a class: what a page, and the study, draw and count.

Features are ranked by words alone: by how much of the difference between the prompts "a man …" and "a woman …" of all occupations
goes through them. So that needs no labelled picture, and takes a fraction of a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from mmsteer.bank import Feature, FeatureBank
from mmsteer.recipes.edit import STRONGEST, Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import in_batches
from mmsteer.studies.measures.shares import Share, share
from mmsteer.studies.results.grammar import with_articles
from mmsteer.world.captions import caption_word
from mmsteer.world.factors import BIAS, FACTORS, INDEX, OCCUPATIONS, USUAL_GENDER

Read = Callable[[torch.Tensor], np.ndarray]
"""Reads the factors of pictures `uint8 [B, 3, S, S]` as `int64 [B, n_factors]`: `Judge.read`, or anything alike."""
CLASSES = ("vision", "language", "cross", "random")
WAYS = ("remove", "set")
"""How features act while drawing: taken out of the prompt, or set to their mean over prompts of men and women."""
COUNT = 5
"""How many features of a class act, by default."""
_GENDER, _THING = INDEX["gender"], INDEX["thing"]
_MAN = FACTORS[_GENDER].values.index("man")


def prompt_for(occupation: str, gender: str | None = None) -> str:
    """The prompt for an occupation, and for a gender if one is given: "an artist", "a woman artist"."""
    return with_articles(f"a {gender} {occupation}" if gender else f"a {caption_word('thing', occupation)}")


def planted_share(occupation: str) -> float:
    """The share of men that the world's pictures have where the caption mentions neither man nor woman."""
    return BIAS if USUAL_GENDER[occupation] == "man" else round(1 - BIAS, 9)


def share_of_men(seen: np.ndarray) -> Share:
    """Of the people among pictures, the share of men.

    Args:
        seen: what the judge reads, `int64 [B, n_factors]`; pictures without a man or a woman do not count.
    """
    people = seen[:, _GENDER] > 0
    return share(int((seen[people, _GENDER] == _MAN).sum()), int(people.sum()))


def leak(before: np.ndarray, after: np.ndarray) -> Share:
    """Of everything but gender that the judge reads in *before*, thing included, the share that it reads differently in *after*."""
    others = [i for i, factor in enumerate(FACTORS) if factor.modality != "language" and i != _GENDER]
    changed = before[:, others] != after[:, others]
    return share(int(changed.sum()), changed.size)


class GenderEdits:
    """The edits that act on gender, by class of features.

    Args:
        steerer: reads prompts.

    Example:
        >>> edits = GenderEdits(Steerer.load()).of("cross", strength=1.0)
    """

    def __init__(self, steerer: Steerer) -> None:
        self.steerer = steerer
        self.genders = [[prompt_for(o, g) for o in OCCUPATIONS] for g in ("man", "woman")]
        """The prompts of men and those of women, an occupation each."""

    @property
    def bank(self) -> FeatureBank:
        """The features."""
        return self.steerer.bank

    @cached_property
    def direction(self) -> torch.Tensor:
        """The mean joint vector of prompts with "man" minus that of prompts with "woman", unit length, `[d_joint]`."""
        men, women = (self.steerer.read(prompts).x.mean(0) for prompts in self.genders)
        unit: torch.Tensor = (men - women) / (men - women).norm()
        return unit

    @cached_property
    def carried(self) -> dict[int, float]:
        """Feature id -> what it carries of the difference between men and women: the difference of its mean presence times what it
        adds along `direction`. Of a vision-only feature, which no prompt contains, what it adds at strength 1.
        """
        men, women = self._present
        carried = {}
        for f in self.bank.features:
            along = float(self.bank.tensors[f"steering_{f.side}"][f.latent] @ self.direction)
            amount = f.activation_scale if f.image_only else float(men[f.latent] - women[f.latent])
            carried[f.id] = abs(along * amount)
        return carried

    @cached_property
    def _present(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean presence over the prompts of men and over those of women, each `[n_latents]`, in activation."""
        side = self.steerer.presence.side
        men, women = (self.steerer.read(prompts).presence[side].mean(0) for prompts in self.genders)
        return men, women

    def _mean(self, feature: Feature) -> float:
        """Mean presence over the prompts of both genders, in activation scales."""
        men, women = self._present
        both = 0.0 if feature.image_only else float(men[feature.latent] + women[feature.latent]) / 2
        return both / feature.activation_scale

    def ranked(self, modality: str) -> list[Feature]:
        """The features of a modality, or a fixed random order of all for `random`; those that carry most first."""
        if modality == "random":
            order = np.random.default_rng(0).permutation(len(self.bank.features))
            return [self.bank.features[i] for i in order]
        chosen = [f for f in self.bank.features if f.modality == modality]
        return sorted(chosen, key=lambda f: -self.carried[f.id])

    def of(self, modality: str, strength: float = 1.0, way: str = "remove", count: int = COUNT) -> tuple[Edit, ...]:
        """The edits of a class while drawing.

        Args:
            modality: one of CLASSES.
            strength: 0 leaves the picture as it is; 1 is all of it.
            way: one of WAYS. A vision-only feature, which no prompt contains, is pushed the other way by `remove`, as everywhere
                in mmsteer, and stays as it is by `set`.
            count: how many features, those that carry most of the difference.
        """
        if not strength:
            return ()
        features = self.ranked(modality)[:count]
        if way == "remove":
            return tuple(Edit(f.id, "remove", strength) for f in features)
        return tuple(Edit(f.id, "set", max(-STRONGEST, min(STRONGEST, strength * self._mean(f)))) for f in features)


def part_of_the_way(steerer: Steerer, prompt: str, edits: Sequence[Edit], strength: float) -> tuple[Edit, ...]:
    """Edits that set features part of the way from where they are in a prompt.

    Args:
        steerer: reads the prompt.
        prompt: where the features are now.
        edits: that set features, as `GenderEdits.of(way="set")` gives them.
        strength: 0 leaves the features where they are, 1 sets them as the edits would, more goes past that.
    """
    state, part = steerer.read([prompt]), []
    for edit in edits:
        feature = steerer.bank.get(edit.feature)
        present = 0.0 if feature.image_only else float(state.presence[feature.side][0, feature.latent])
        own = present / feature.activation_scale
        goal = min(max(own + strength * (edit.strength - own), -STRONGEST), STRONGEST)
        part.append(replace(edit, strength=round(goal, 3)))
    return tuple(part)


def draw(steerer: Steerer, prompts: Sequence[str], seeds: Sequence[int], edits: Sequence[Edit] = ()) -> torch.Tensor:
    """Pictures `uint8 [B, 3, H, W]` of prompts, picture i from the noise of seeds[i]."""
    prompts = list(prompts)
    return in_batches(list(seeds), lambda part: steerer.render_many(prompts[part], edits, list(seeds)[part]))


def is_shown(seen: np.ndarray, occupation: str) -> np.ndarray:
    """In which pictures the judge reads the occupation, bool `[B]`."""
    return np.asarray(seen[:, _THING] == FACTORS[_THING].values.index(occupation))
