"""Which features carry gender: what goes when one alone is removed, and how well the codes of one class tell men from women."""

from typing import Any

import numpy as np
import torch

from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.studies.bias.removal import removed
from mmsteer.studies.bias.trial import Figures, Trial
from mmsteer.studies.measures.shares import Share, mean_with_interval
from mmsteer.studies.measures.zero_shot_ablation import SIDES

_FOLDS, _RIDGE = 5, 1e-2
GAPS = ("gap by occupation", "MaxSkew")


def single_removals(bank: FeatureBank, trials: list[Trial], untouched: list[Figures]) -> list[dict[str, Any]]:
    """What goes of each gap when one feature alone is removed, a row for each feature, those that take most first.

    The order comes from the first seed alone and the figures from the others, so that the first rows are no better than they
    would be on new people; with one seed both come from it.

    Args:
        bank: of the features.
        trials: one a seed.
        untouched: the figures of each with nothing removed.
    """
    measured = trials[1:] or trials
    reference = untouched[1:] or untouched
    rows = []
    for feature in bank.features:
        first = _lost(feature, trials[:1], untouched[:1])
        lost = _lost(feature, measured, reference)
        rows.append({
            "feature": feature.name, "id": feature.id, "modality": feature.modality, "MDS": feature.mds,
            "words": ", ".join(feature.words[:4]), "captions": list(feature.top_captions[:3]),
            "order": float(np.mean(first[GAPS[0]])),
        } | {f"{gap} lost": mean_with_interval(lost[gap].tolist()) for gap in GAPS})  # fmt: skip
    return sorted(rows, key=lambda row: -row["order"])


def _lost(feature: Feature, trials: list[Trial], untouched: list[Figures]) -> Figures:
    lost: dict[str, list[np.ndarray]] = {gap: [] for gap in GAPS}
    for trial, before in zip(trials, untouched, strict=True):
        rows = {"image": feature.image_latent, "text": feature.text_latent}
        sides = {side: rows[side] for side in SIDES[feature.modality] if rows[side] is not None}
        parts = {side: removed(trial.spaces[side], np.array([row]), "zero") for side, row in sides.items()}
        after = trial.figures(parts)
        for gap in GAPS:
            lost[gap].append(before[gap] - after[gap])
    return {gap: np.concatenate(values) for gap, values in lost.items()}


def probes(bank: FeatureBank, trials: list[Trial]) -> list[dict[str, Any]]:
    """How well a linear probe tells men from women on codes restricted to one class, by side: all its latents, and as many of each
    class as the smallest that acts on the side has (at random, mean over draws).

    The other people of each seed are probed, by cross-validated ridge regression; their captions all mention the gender. Every
    feature with a latent on a side counts there, also the weaker latent of a one-sided feature.
    """
    rows = []
    for side in ("image", "text"):
        by_class = {m: _rows(bank, side, m) for m in MODALITIES}
        least = min(len(rows) for m, rows in by_class.items() if side in SIDES[m])
        for modality, latents in by_class.items():
            every, few = [], []
            for trial in trials:
                rng = np.random.default_rng((trial.seed, 31))
                every += probe(trial.codes[side][:, latents], trial.gender)
                draws = [rng.permutation(latents)[:least] for _ in range(trial.sizes.draws)]
                few += np.mean([probe(trial.codes[side][:, d], trial.gender) for d in draws], 0).tolist()
            rows.append({
                "side": side, "class": modality, "latents": len(latents), "accuracy": mean_with_interval(every),
                "as many": min(least, len(latents)), "accuracy of as many": mean_with_interval(few),
            })  # fmt: skip
    return rows


def _rows(bank: FeatureBank, side: str, modality: str) -> np.ndarray:
    chosen = [f for f in bank.features if f.modality == modality]
    return np.array(
        [row for f in chosen if (row := f.image_latent if side == "image" else f.text_latent) is not None],
        dtype=np.int64,
    )


def probe(code: torch.Tensor, group: np.ndarray) -> list[float]:
    """Accuracy of ridge regression on standardised codes, one value for each of the folds.

    Args:
        code: `[N, n]`.
        group: 0 or 1, `int [N]`.
    """
    x = code.double()
    x = (x - x.mean(0)) / x.std(0).clamp(min=1e-6)
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    y = torch.from_numpy(group).double() * 2 - 1
    fold = torch.from_numpy(np.random.default_rng(0).permutation(len(x)) % _FOLDS)
    accuracies = []
    for k in range(_FOLDS):
        train, test = x[fold != k], x[fold == k]
        weights = torch.linalg.solve(
            train.T @ train + _RIDGE * len(train) * torch.eye(x.shape[1], dtype=x.dtype), train.T @ y[fold != k]
        )
        accuracies.append(float(((test @ weights > 0) == (y[fold == k] > 0)).double().mean()))
    return accuracies


def worst_cell(
    right: np.ndarray, groups: tuple[str, ...], occupations: tuple[str, ...], count: int
) -> tuple[str, Share]:
    """The occupation and group that is recognised worst, with its share of right answers.

    Args:
        right: accuracies `[n_occupations, n_groups]`, over all seeds.
        groups: their words.
        occupations: theirs.
        count: people in each cell.
    """
    from mmsteer.studies.measures.shares import share

    k, g = np.unravel_index(int(np.nanargmin(right)), right.shape)
    return f"{groups[g]} {occupations[k]}".strip(), share(round(float(right[k, g]) * count), count)
