"""Collects, picture by picture, what attacks did over all seeds, and turns it into rows with intervals."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.studies.attacks.channel import SCOPES, WHOLE, channel
from mmsteer.studies.attacks.controls import MANY, STRONG, cross_name, random_name
from mmsteer.studies.attacks.trial import DIRECTIONS, RECOGNISED, Trial
from mmsteer.studies.measures.shares import Share, mean_with_interval

QUESTIONS = ("R@1", *DIRECTIONS, "recognition", *RECOGNISED)
_RESAMPLES = 2000


class Cell(NamedTuple):
    """One attack."""

    goal: str
    through: str
    steps: int
    budget: int


Column = list[np.ndarray]
"""One array a seed, a value a picture."""


def mean(column: Column) -> Share:
    """The mean over pictures of all seeds with its interval."""
    return mean_with_interval(np.concatenate(column).tolist())


def ratio(part: Column, whole: Column) -> Share | None:
    """Mean of one over mean of the other with a bootstrap interval over pictures; None unless the other is clearly above 0."""
    if mean(whole).low <= 0:
        return None
    pairs = np.stack([np.concatenate(part), np.concatenate(whole)])
    at = np.random.default_rng(0).integers(0, pairs.shape[1], (_RESAMPLES, pairs.shape[1]))
    above, below = pairs[:, at].mean(2)
    low, high = np.quantile(above[below > 0] / below[below > 0], (0.025, 0.975))
    return Share(float(pairs[0].mean() / pairs[1].mean()), float(low), float(high), pairs.shape[1])


class Tally:
    """Answers before and after each attack, in the attacked CLIP and in others."""

    def __init__(self, others: tuple[str, ...]) -> None:
        self.others = others
        self._clean: dict[str, Column] = defaultdict(list)
        self._cells: dict[Cell, dict[str, Column]] = defaultdict(lambda: defaultdict(list))
        self._x: dict[Cell, list[torch.Tensor]] = defaultdict(list)
        self._adaptive: dict[str, list[torch.Tensor]] = defaultdict(list)
        self._swaps: dict[str, dict[str, Column]] = defaultdict(lambda: defaultdict(list))
        self._defences: dict[tuple[str, str], dict[str, Column]] = defaultdict(lambda: defaultdict(list))

    def begin(self, trial: Trial, elsewhere: dict[str, Trial]) -> None:
        """A seed: answers on clean pictures."""
        for name, one in {"": trial, **elsewhere}.items():
            for question, right in one.right(one.clean).items():
                self._clean[name + question].append(right)

    def add(self, cell: Cell, trial: Trial, x: torch.Tensor, visibility: dict[str, np.ndarray]) -> None:
        """One attack on the pictures of the seed, `x [n, d_joint]` after it, and how visible it is."""
        columns = self._cells[cell]
        self._x[cell].append(x)
        for question, right in trial.right(x).items():
            columns[f"{question} lost"].append(self._clean[question][-1] - right)
        for name, values in (visibility | (trial.reached(x) if cell.goal == "towards" else {})).items():
            columns[name].append(values)

    def add_elsewhere(self, cell: Cell, name: str, other: Trial, x: torch.Tensor) -> None:
        """The same pictures in another CLIP, where `x` embeds them."""
        right = other.right(x)
        for question in ("R@1", "recognition"):
            self._cells[cell][f"{name}: {question} lost"].append(self._clean[name + question][-1] - right[question])

    def add_adaptive(self, modality: str, x: torch.Tensor) -> None:
        """An attack by someone who knows that a modality is removed."""
        self._adaptive[modality].append(x)

    def add_swaps(self, trial: Trial, swapped: dict[str, torch.Tensor]) -> None:
        """Captions with a word swapped, by channel."""
        for name, own in swapped.items():
            n, column = len(own), self._swaps[name]
            before, after = trial.right(trial.clean[:n], trial.own[:n]), trial.right(trial.clean[:n], own)
            for question in ("R@1", *DIRECTIONS):
                column[f"{question} lost"].append(before[question] - after[question])
            fall = (trial.clean[:n] * (trial.own[:n] - own)).sum(1)
            column["similarity lost"].append(fall.double().numpy())

    def add_defences(self, trial: Trial, bank: FeatureBank, budget: int) -> None:
        """Answers without each modality, for clean and for attacked pictures."""
        versions = {"nothing": trial.clean} | {
            scope: self._x[Cell("away", scope, 10, budget)][-1] for scope in SCOPES
        }
        for removed in (*MODALITIES, None):
            channels = (channel(bank, removed, "image"), channel(bank, removed, "text")) if removed else (WHOLE, WHOLE)
            extra = {f"{removed}, adaptive": self._adaptive[removed][-1]} if removed else {}
            for attacked, x in (versions | extra).items():
                right = trial.right(x, removed=channels)
                for question in ("R@1", "recognition"):
                    self._defences[attacked, removed or "nothing"][question].append(right[question])

    def embeddings(
        self, goals: tuple[str, ...], through: tuple[str, ...], steps: tuple[int, ...]
    ) -> Iterator[tuple[Cell, torch.Tensor]]:
        """Attacked pictures of all seeds, by attack."""
        for cell, parts in self._x.items():
            if cell.goal in goals and cell.through in through and cell.steps in steps:
                yield cell, torch.cat(parts)

    def clean(self) -> dict[str, Share]:
        """Right answers on clean pictures; those of another CLIP under its name."""
        named = {question: column for question, column in self._clean.items() if question in QUESTIONS}
        for other in self.others:
            named |= {f"{other}: {question}": self._clean[other + question] for question in ("R@1", "recognition")}
        return {question: mean(column) for question, column in named.items()}

    def attacks(self) -> list[dict[str, Any]]:
        """A row an attack."""
        measures = [*(f"{question} lost" for question in QUESTIONS), "PSNR", "SSIM"]
        measures += ["nearer to the target", "read as the target"]
        measures += [f"{other}: {question} lost" for other in self.others for question in ("R@1", "recognition")]
        rows = []
        for cell, columns in self._cells.items():
            row = cell._asdict() | {name: mean(columns[name]) if name in columns else None for name in measures}
            for other in self.others:
                row[f"{other}: carries over"] = ratio(columns[f"{other}: R@1 lost"], columns["R@1 lost"])
            rows.append(row)
        return rows

    def comparisons(self, budget: int) -> list[dict[str, Any]]:
        """How much more one channel's attack costs than another's on the same pictures, by ten steps at one budget."""
        pairs = [("cross", other) for other in ("vision", "language", "all")] + [("vision", "language")]
        pairs += [(cross_name(kind, "vision"), "vision") for kind in (MANY, STRONG)]
        pairs += [(modality, random_name(kind, modality)) for modality in MODALITIES for kind in (MANY, STRONG)]
        measures = ["R@1 lost", "recognition lost", *(f"{other}: R@1 lost" for other in self.others)]
        rows = []
        for one, other in pairs:
            a, b = (self._cells[Cell("away", name, 10, budget)] for name in (one, other))
            differences = {
                name: mean([x - y for x, y in zip(a[name], b[name], strict=True)]) for name in measures
            }
            rows.append({"attack through": one, "more than": other} | differences)
        return rows

    def swaps(self) -> list[dict[str, Any]]:
        """A row a channel into captions."""
        return [
            {"through": name} | {measure: mean(column) for measure, column in columns.items()}
            for name, columns in self._swaps.items()
        ]

    def defences(self) -> list[dict[str, Any]]:
        """Right answers by what was attacked and what is removed; and how many of them the removal brings back."""
        rows = []
        for (attacked, removed), columns in self._defences.items():
            undefended = self._defences.get((attacked, "nothing"))
            back = None
            if undefended:
                back = mean([a - b for a, b in zip(columns["R@1"], undefended["R@1"], strict=True)])
            row = {"attack through": attacked, "removed": removed, "R@1": mean(columns["R@1"])}
            rows.append(row | {"recognition": mean(columns["recognition"]), "R@1 gained by removal": back})
        return rows
