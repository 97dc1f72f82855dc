"""What recognition and retrieval lose when the bank's features of one modality are removed from embeddings.

A vision-only feature is removed from embeddings of pictures, a language-only feature from those of captions and class prompts, a
cross-modal feature from both: x - code[:, group] @ W_dec[group], back to unit length. Groups are compared in three ways: all of a
modality ("whole"), at equal count (as many features as the smallest group has), and at equal energy (mean squared norm removed
per pair, both sides together, as much as the weakest group has). Each is compared with random latents of the same sides, as many
or as strong on each side.

  recognition  which word fits a picture best, among those of one factor: mean over thing, place, position and size
               (gender, of pictures of people, is shown beside it)
  retrieval    R@1 among 256 pairs, mean of picture to caption and caption to picture
Intervals are 95 % by bootstrap, over pairs and over draws of the groups.
"""

from typing import Any

import numpy as np
import torch.nn.functional as F

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.measures.zero_shot_ablation import (
    BATCH,
    NONE,
    SIDES,
    TASKS,
    TOLERANCE,
    Correct,
    Group,
    ZeroShotAblation,
    energy,
    interval,
    latents,
    new_evaluation,
    pick_at_random,
)
from mmsteer.studies.report import table

_COMPARED = ("equal count", "equal energy")


def study(seed: int, quick: bool) -> dict[str, Any]:
    """Remove groups, measure, and print the figures and what they say about the order that the paper is said to report.

    Args:
        seed: of the pairs and of the draws.
        quick: fewer pairs and draws.

    Returns:
        The figures, for JSON; `text` has the sentences.
    """
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    evaluation = new_evaluation(bank, seed, (6 if quick else 24) * BATCH)
    rng, draws = np.random.default_rng((seed, 13)), 4 if quick else 16
    groups: dict[str, Group] = {modality: latents(bank.features, modality) for modality in MODALITIES}
    untouched = evaluation.evaluate_all([evaluation.x])
    rows = _references(bank, evaluation, untouched)
    costs: list[dict[str, Any]] = []
    lost: dict[tuple[str, str], Correct] = {}
    for comparison in ("whole", *_COMPARED):
        for modality, chosen in _compared(rng, evaluation, groups, comparison, draws).items():
            matched = [_random_like(rng, evaluation, group, comparison) for group in chosen]
            left, chance = (evaluation.evaluate_all(map(evaluation.without, each)) for each in (chosen, matched))
            rows.append(_row(evaluation, comparison, modality, chosen, left))
            rows.append(_row(evaluation, comparison, f"random as {modality}", matched, chance))
            lost[comparison, modality] = {task: untouched[task] - left[task] for task in TASKS}
            costs.append({"comparison": comparison, "removed": modality})
            for task in TASKS:
                costs[-1][f"{task} cost"] = interval(untouched[task] - left[task], evaluation.weights)
                costs[-1][f"{task} over random"] = interval(chance[task] - left[task], evaluation.weights)
    curves = _curves(rng, evaluation, groups, 5 if quick else 9, draws)
    text = _sentences(evaluation, rows, lost)
    _print(rows, costs, text)
    return {
        "pairs": len(evaluation.x["image"]), "draws": draws, "tolerance": TOLERANCE,
        "rows": rows, "costs": costs, "curves": curves, "text": text,
    }  # fmt: skip


def _references(bank: FeatureBank, evaluation: ZeroShotAblation, untouched: Correct) -> list[dict[str, Any]]:
    """Rows for nothing removed, for the mean gap alone, and for vision-only features with and without a sure name."""
    means = {"image": bank.tensors["mean_image"], "text": bank.tensors["mean_text"]}
    centred = {side: F.normalize(x - means[side], dim=1) for side, x in evaluation.x.items()}
    rows = [
        _row(evaluation, "-", "nothing", [{}], untouched),
        _row(evaluation, "-", "mean gap", [{}], evaluation.evaluate_all([centred])),
    ]
    rows[1] |= {f"{side} energy": float(mean.square().sum()) for side, mean in means.items()}
    for title, sure in (("vision, sure name", True), ("vision, no sure name", False)):
        chosen = [latents([f for f in bank.features if (f.named_by == "truth") == sure], "vision")]
        rows.append(_row(evaluation, "whole", title, chosen, evaluation.evaluate_all(map(evaluation.without, chosen))))
    return rows


def _print(rows: list[dict[str, Any]], costs: list[dict[str, Any]], text: str) -> None:
    summed = (*TASKS["retrieval"], *TASKS)
    print(table([{k: v for k, v in row.items() if k not in summed} for row in rows]))
    print("\n" + table([{k: row[k] for k in ("comparison", "removed", *summed)} for row in rows]))
    print(
        "\ncost: right answers lost, as a share of all; over random: beyond what random latents of the same sides cost"
    )
    print(table(costs))
    print("\n" + text)


def _compared(
    rng: np.random.Generator, evaluation: ZeroShotAblation, groups: dict[str, Group], comparison: str, draws: int
) -> dict[str, list[Group]]:
    """Per modality, what is removed in each draw."""
    matrices = {
        modality: np.sum([evaluation.matrix[side][np.ix_(rows, rows)] for side, rows in group.items()], axis=0)
        for modality, group in groups.items()
    }
    least_count = min(len(matrix) for matrix in matrices.values())
    least_energy = min(float(matrix.sum()) for matrix in matrices.values())
    compared: dict[str, list[Group]] = {modality: [] for modality in groups}
    for modality, group in groups.items():
        every = np.arange(len(matrices[modality]))
        for _ in range(draws):
            if comparison == "whole":
                chosen = every
            elif comparison == "equal count":
                chosen = rng.permutation(every)[:least_count]
            else:
                chosen = pick_at_random(rng, matrices[modality], every, least_energy)
            compared[modality].append({side: rows[chosen] for side, rows in group.items()})
    return compared


def _random_like(rng: np.random.Generator, evaluation: ZeroShotAblation, group: Group, comparison: str) -> Group:
    """Random latents of the same sides: as strong on each at equal energy, else as many."""
    if comparison == "equal energy":
        return {
            side: pick_at_random(
                rng, evaluation.matrix[side], evaluation.pool[side], energy(evaluation.matrix[side], rows)
            )
            for side, rows in group.items()
        }
    return {side: rng.permutation(evaluation.pool[side])[: len(rows)] for side, rows in group.items()}


def _row(
    evaluation: ZeroShotAblation, comparison: str, removed: str, groups: list[Group], correct: Correct
) -> dict[str, Any]:
    row: dict[str, Any] = {"comparison": comparison, "removed": removed}
    for side in evaluation.x:
        on_side = [group.get(side, NONE) for group in groups]
        row[f"{side} latents"] = round(float(np.mean([len(rows) for rows in on_side])))
        row[f"{side} energy"] = float(np.mean([energy(evaluation.matrix[side], rows) for rows in on_side]))
    return row | {name: evaluation.share(correct, name) for name in correct}


def _curves(
    rng: np.random.Generator, evaluation: ZeroShotAblation, groups: dict[str, Group], points: int, draws: int
) -> list[dict[str, Any]]:
    """Both tasks against how many features are removed, in random orders, and against random latents of the same sides."""
    curves = []
    for modality, group in groups.items():
        size = len(group[SIDES[modality][0]])
        orders = [rng.permutation(size) for _ in range(draws)]
        ordered = [{side: rows[order] for side, rows in group.items()} for order in orders]
        matched = [{side: rng.permutation(evaluation.pool[side]) for side in group} for _ in range(draws)]
        for k in np.linspace(0, size, points).round().astype(int):
            for removed, each in ((modality, ordered), (f"random as {modality}", matched)):
                first = [{side: rows[:k] for side, rows in group.items()} for group in each]
                correct = evaluation.evaluate_all(map(evaluation.without, first))
                curves.append(
                    {"removed": removed, "features": int(k)} | {t: evaluation.share(correct, t) for t in TASKS}
                )
    return curves


def _sentences(evaluation: ZeroShotAblation, rows: list[dict[str, Any]], lost: dict[tuple[str, str], Correct]) -> str:
    """How often cross features cost least, as the paper is said to report, and what equal energy makes of it."""
    least = most = 0
    for cost in ([lost[c, m][task] for m in ("cross", "vision", "language")] for c in _COMPARED for task in TASKS):
        over = [interval(cost[0] - other, evaluation.weights) for other in cost[1:]]
        least += all(difference.high < 0 for difference in over)
        most += all(difference.low > 0 for difference in over)
    taken = {r["removed"]: r["image energy"] + r["text energy"] for r in rows if r["comparison"] == "equal count"}
    times = [f"{decimal(taken['cross'] / taken[other], 1)} times that of {other}" for other in ("vision", "language")]
    costs = []
    for task in TASKS:
        each = (f"{decimal(lost['equal energy', m][task].mean(), 3)} without {m}" for m in MODALITIES)
        costs.append(f"{task} loses {', '.join(each)}")
    return (
        f"Removing cross features costs least, the order the paper is said to report, in {least} and most in {most} "
        f"of {len(_COMPARED) * len(TASKS)} comparisons (95 % intervals of the differences exclude 0).\n"
        f"At equal count their energy is {' and '.join(times)} features; at equal energy {'; '.join(costs)}."
    )
