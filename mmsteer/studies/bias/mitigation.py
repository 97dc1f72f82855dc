"""Every way to mitigate, on one seed: features of a class by three ways, on pictures, captions or both; and the baselines."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch

from mmsteer.studies.bias.groups import COMPARISONS, SideGroups
from mmsteer.studies.bias.people import Prompts
from mmsteer.studies.bias.removal import WAYS, Space, along, removed
from mmsteer.studies.bias.trial import Figures, Parts

SIDES = {"pictures": ("image",), "captions": ("text",), "both": ("image", "text")}
"""Where features are removed -> the sides."""
ARMS = (
    ("vision", "pictures", {"image": "vision"}), ("cross", "pictures", {"image": "cross"}),
    ("random", "pictures", {"image": "random"}),
    ("language", "captions", {"text": "language"}), ("cross", "captions", {"text": "cross"}),
    ("random", "captions", {"text": "random"}),
    ("vision + language", "both", {"image": "vision", "text": "language"}),
    ("cross", "both", {"image": "cross", "text": "cross"}), ("random", "both", {"image": "random", "text": "random"}),
)  # fmt: skip
"""Which classes are removed, where, and the class on each side."""
BASELINES = {
    "mean difference": "people with known gender",
    "text directions": "the words man and woman",
    "best latent": "people with known gender",
}
"""Baseline -> what it needs to know."""
LABELS = {"top": "people with known gender", "top, equal energy": "people with known gender"}
"""Comparison -> what it needs to know, where it needs anything."""

_NOTHING = 1e-12  # less energy than rounding leaves


class Amounts(Protocol):
    """How much is drawn."""

    @property
    def draws(self) -> int:
        """Of random choices."""

    @property
    def pairs(self) -> int:
        """How many captions stand before the prompts."""


class Trial(Protocol):
    """One seed of the world (`trial.Trial`), or one split of one's own people (`own.OwnTrial`)."""

    @property
    def seed(self) -> int:
        """Of random choices."""

    @property
    def spaces(self) -> dict[str, Space]:
        """Embeddings by side."""

    @property
    def prompts(self) -> Prompts:
        """Which text asks for what."""

    @property
    def groups(self) -> dict[str, SideGroups]:
        """Latents by side and class."""

    @property
    def directions(self) -> dict[str, torch.Tensor]:
        """By side, the mean differences between groups."""

    @property
    def sizes(self) -> Amounts:
        """How much is drawn."""

    def figures(self, parts: Parts) -> Figures:
        """Every figure after parts were taken out."""

    def energy(self, side: str, part: torch.Tensor) -> float:
        """The mean squared length of what is taken out."""


class Arm(NamedTuple):
    """What is removed."""

    comparison: str
    removed: str
    on: str
    way: str


class Outcome(NamedTuple):
    """What it does."""

    figures: Figures
    energy: dict[str, float]
    """By side: mean squared length of what is taken out"""
    latents: int


def arms(trial: Trial) -> Iterator[tuple[Arm, Outcome]]:
    """Every arm of the study on one seed; random choices are averaged."""
    budget: dict[str, float] = {}
    for comparison in COMPARISONS:
        for way in WAYS:
            parts = {
                (side, c): _parts(trial, comparison, side, c, way)
                for side, g in trial.groups.items()
                for c in g.latents
            }
            if comparison.endswith("energy"):
                budget = _weakest(trial, parts)
                parts = {(side, c): _all_scaled(trial, side, each, budget) for (side, c), each in parts.items()}
            for name, on, classes in ARMS:
                by_side = {side: parts[side, c] for side, c in classes.items()}
                if all(by_side.values()):
                    draws = max(map(len, by_side.values()))
                    each = [{s: p[d % len(p)] for s, p in by_side.items()} for d in range(draws)]
                    yield Arm(comparison, name, on, way), _outcome(trial, each, _count(trial, comparison, classes))
            if comparison == "top, equal energy" and way == "zero":
                yield from _baselines(trial, "baseline, equal energy", budget)
    yield from _baselines(trial, "baseline", None)


def _baselines(trial: Trial, comparison: str, budget: dict[str, float] | None) -> Iterator[tuple[Arm, Outcome]]:
    for name in BASELINES:
        for on, sides in SIDES.items():
            parts = {side: baseline(trial, side, name) for side in sides}
            if budget is not None:
                parts = {side: _scaled(trial, side, part, budget) for side, part in parts.items()}
            yield Arm(comparison, name, on, "-"), _outcome(trial, [parts], len(sides))


def _parts(trial: Trial, comparison: str, side: str, name: str, way: str) -> list[torch.Tensor]:
    """What is taken out of a side in each draw; nothing where projecting it off would leave less than half of the space."""
    # the same choice at equal energy
    choice = "top" if comparison.startswith("top") else comparison.removesuffix(" and energy")
    rng = np.random.default_rng((trial.seed, *f"{choice} {side} {name}".encode()))
    chosen = trial.groups[side].chosen(comparison, name, rng, trial.sizes.draws)
    space = trial.spaces[side]
    if way == "project" and any(len(latents) > space.x.shape[1] / 2 for latents in chosen):
        return []
    return [removed(space, latents, way) for latents in chosen]


def _weakest(trial: Trial, parts: dict[tuple[str, str], list[torch.Tensor]]) -> dict[str, float]:
    """By side, what the weakest class takes out."""
    each = {key: float(np.mean([trial.energy(key[0], p) for p in ps])) for key, ps in parts.items() if ps}
    return {s: min(e for (side, name), e in each.items() if side == s and name != "random") for s in trial.groups}


def _scaled(trial: Trial, side: str, part: torch.Tensor, budget: dict[str, float]) -> torch.Tensor:
    """A part, as much shorter or longer as takes out the budget of its side."""
    energy = trial.energy(side, part)
    return part * (budget[side] / energy) ** 0.5 if energy > _NOTHING else part


def _all_scaled(trial: Trial, side: str, parts: list[torch.Tensor], budget: dict[str, float]) -> list[torch.Tensor]:
    """Parts that all take out the budget; a random choice that fires nowhere cannot, and is left out."""
    return [_scaled(trial, side, part, budget) for part in parts if trial.energy(side, part) > _NOTHING]


def _count(trial: Trial, comparison: str, classes: dict[str, str]) -> int:
    rng = np.random.default_rng(0)
    return sum(len(trial.groups[side].chosen(comparison, c, rng, 1)[0]) for side, c in classes.items())


def baseline(trial: Trial, side: str, name: str) -> torch.Tensor:
    """What a baseline takes out of one side, `[N, d_joint]`."""
    space, groups = trial.spaces[side], trial.groups[side]
    if name == "mean difference":
        return along(space.x - space.x.mean(0), trial.directions[side])
    if name == "text directions":  # Chuang et al. (2302.00070), the projection without their calibration by pairs
        rows = torch.from_numpy(trial.prompts.groups.ravel()) + trial.sizes.pairs
        return along(space.x, trial.spaces["text"].x[rows].T)
    return removed(space, groups.ranked("random")[:1], "zero")


def _outcome(trial: Trial, parts: list[Parts], latents: int) -> Outcome:
    """Figures and energy, means over draws."""
    each = [trial.figures(p) for p in parts]
    energy = {s: float(np.mean([trial.energy(s, p[s]) for p in parts])) if s in parts[0] else 0.0 for s in trial.groups}
    return Outcome({name: np.mean([figures[name] for figures in each], 0) for name in each[0]}, energy, latents)
