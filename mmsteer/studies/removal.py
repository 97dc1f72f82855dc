"""What recognition and retrieval lose when the bank's vision, language or cross features are removed from embeddings.

A vision feature is removed from pictures' embeddings, a language feature from captions' (and class prompts'), a cross
feature from both: x - code[:, group] @ W_dec[group], back to unit length. Groups are compared whole, at equal count
(as many features as the smallest has) and at equal energy (mean squared norm removed per pair, both sides together,
as the whole of the weakest takes); each beside random latents of the same sides, as many or as strong on each.

  recognition  which word fits a picture best, among those of one factor: mean over thing, place, position and size
               (gender, of pictures of people, is shown beside it)
  retrieval    R@1 among 256 pairs, mean of picture to caption and caption to picture
Intervals are 95 % by bootstrap, over pairs and over draws of the groups.
"""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.studies.report import COLOURS, table
from mmsteer.studies.zero_shot_ablation import (
    BATCH,
    NONE,
    SIDES,
    TASKS,
    TOLERANCE,
    Answers,
    Exam,
    Group,
    energy,
    interval,
    latents,
    new_exam,
    pick_at_random,
)  # fmt: skip

_COMPARED = ("equal count", "equal energy")


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Remove groups, measure, print the figures and what they say of the order the paper is said to report."""
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    exam = new_exam(bank, seed, (6 if quick else 24) * BATCH)
    rng, draws = np.random.default_rng((seed, 13)), 4 if quick else 16
    groups: dict[str, Group] = {modality: latents(bank.features, modality) for modality in MODALITIES}
    means = {"image": bank.tensors["mean_image"], "text": bank.tensors["mean_text"]}
    untouched = exam.answers([exam.x])
    centred = exam.answers([{side: F.normalize(x - means[side], dim=1) for side, x in exam.x.items()}])
    rows = [_row(exam, "-", "nothing", [{}], untouched), _row(exam, "-", "mean gap", [{}], centred)]
    rows[1] |= {f"{side} energy": float(mean.square().sum()) for side, mean in means.items()}
    for title, known in (("vision, sure name", True), ("vision, no sure name", False)):
        some = [latents([f for f in bank.features if (f.named_by == "truth") == known], "vision")]
        rows.append(_row(exam, "whole", title, some, exam.answers(map(exam.without, some))))

    costs: list[dict[str, Any]] = []
    lost: dict[tuple[str, str], Answers] = {}
    for comparison in ("whole", *_COMPARED):
        for modality, some in _compared(rng, exam, groups, comparison, draws).items():
            alike = [_random_like(rng, exam, group, comparison) for group in some]
            left, chance = (exam.answers(map(exam.without, each)) for each in (some, alike))
            rows.append(_row(exam, comparison, modality, some, left))
            rows.append(_row(exam, comparison, f"random as {modality}", alike, chance))
            lost[comparison, modality] = {task: untouched[task] - left[task] for task in TASKS}
            costs.append({"comparison": comparison, "removed": modality})
            for task in TASKS:
                costs[-1][f"{task} cost"] = interval(untouched[task] - left[task], exam.weights)
                costs[-1][f"{task} over random"] = interval(chance[task] - left[task], exam.weights)
    curves = _curves(rng, exam, groups, 5 if quick else 9, draws)

    summed = (*TASKS["retrieval"], *TASKS)
    print(table([{k: v for k, v in row.items() if k not in summed} for row in rows]))
    print("\n" + table([{k: row[k] for k in ("comparison", "removed", *summed)} for row in rows]))
    print(
        "\ncost: right answers lost, as a share of all; over random: beyond what random latents of the same sides cost"
    )
    print(table(costs))
    said = _sentences(exam, rows, lost)
    print("\n" + said)
    if figure:
        _figure(rows, curves, figure)
    return {
        "pairs": len(exam.x["image"]), "draws": draws, "tolerance": TOLERANCE,
        "rows": rows, "costs": costs, "curves": curves, "text": said,
    }  # fmt: skip


def _compared(
    rng: np.random.Generator, exam: Exam, groups: dict[str, Group], comparison: str, draws: int
) -> dict[str, list[Group]]:
    """Per modality, what is removed in each draw."""
    matrices = {
        modality: np.sum([exam.matrix[side][np.ix_(rows, rows)] for side, rows in group.items()], axis=0)
        for modality, group in groups.items()
    }
    least_count = min(len(matrix) for matrix in matrices.values())
    least_energy = min(float(matrix.sum()) for matrix in matrices.values())
    found: dict[str, list[Group]] = {modality: [] for modality in groups}
    for modality, group in groups.items():
        every = np.arange(len(matrices[modality]))
        for _ in range(draws):
            if comparison == "whole":
                chosen = every
            elif comparison == "equal count":
                chosen = rng.permutation(every)[:least_count]
            else:
                chosen = pick_at_random(rng, matrices[modality], every, least_energy)
            found[modality].append({side: rows[chosen] for side, rows in group.items()})
    return found


def _random_like(rng: np.random.Generator, exam: Exam, group: Group, comparison: str) -> Group:
    """Random latents of the same sides: as strong on each at equal energy, else as many."""
    if comparison == "equal energy":
        return {
            side: pick_at_random(rng, exam.matrix[side], exam.pool[side], energy(exam.matrix[side], rows))
            for side, rows in group.items()
        }
    return {side: rng.permutation(exam.pool[side])[: len(rows)] for side, rows in group.items()}


def _row(exam: Exam, comparison: str, removed: str, groups: list[Group], answers: Answers) -> dict[str, Any]:
    row: dict[str, Any] = {"comparison": comparison, "removed": removed}
    for side in exam.x:
        taken = [group.get(side, NONE) for group in groups]
        row[f"{side} latents"] = round(float(np.mean([len(rows) for rows in taken])))
        row[f"{side} energy"] = float(np.mean([energy(exam.matrix[side], rows) for rows in taken]))
    return row | {name: exam.share(answers, name) for name in answers}


def _curves(
    rng: np.random.Generator, exam: Exam, groups: dict[str, Group], points: int, draws: int
) -> list[dict[str, Any]]:
    """Both tasks against how many features are removed, in random orders, and random latents of the same sides."""
    found = []
    for modality, group in groups.items():
        size = len(group[SIDES[modality][0]])
        orders = [rng.permutation(size) for _ in range(draws)]
        some = [{side: rows[order] for side, rows in group.items()} for order in orders]
        alike = [{side: rng.permutation(exam.pool[side]) for side in group} for _ in range(draws)]
        for k in np.linspace(0, size, points).round().astype(int):
            for removed, each in ((modality, some), (f"random as {modality}", alike)):
                first = [{side: rows[:k] for side, rows in group.items()} for group in each]
                answers = exam.answers(map(exam.without, first))
                found.append({"removed": removed, "features": int(k)} | {t: exam.share(answers, t) for t in TASKS})
    return found


def _sentences(exam: Exam, rows: list[dict[str, Any]], lost: dict[tuple[str, str], Answers]) -> str:
    """How often cross features cost least, as the paper is said to report, and what equal energy makes of it."""
    least = most = 0
    for cost in ([lost[c, m][task] for m in ("cross", "vision", "language")] for c in _COMPARED for task in TASKS):
        over = [interval(cost[0] - other, exam.weights) for other in cost[1:]]
        least += all(difference.high < 0 for difference in over)
        most += all(difference.low > 0 for difference in over)
    taken = {r["removed"]: r["image energy"] + r["text energy"] for r in rows if r["comparison"] == "equal count"}
    times = [f"{taken['cross'] / taken[other]:.1f} times that of {other}" for other in ("vision", "language")]
    costs = []
    for task in TASKS:
        each = (f"{round(lost['equal energy', m][task].mean(), 3) + 0.0:.3f} without {m}" for m in MODALITIES)
        costs.append(f"{task} loses {', '.join(each)}")
    return (
        f"Removing cross features costs least, the order the paper is said to report, in {least} and most in {most} "
        f"of {len(_COMPARED) * len(TASKS)} comparisons (95 % intervals of the differences exclude 0).\n"
        f"At equal count their energy is {' and '.join(times)} features; at equal energy {'; '.join(costs)}."
    )


def _figure(rows: list[dict[str, Any]], curves: list[dict[str, Any]], path: Path) -> None:
    """Above, both tasks at equal count and energy; below, against the number of features removed."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Patch

    figure = Figure((12, 9.5), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.03))
    panels = figure.subplot_mosaic("AAABBB;CCDDEE;FFGGHH", height_ratios=(3, 2, 2))
    for axes in panels.values():
        axes.set(ylim=(0, 1.01), yticks=np.linspace(0, 1, 5), axisbelow=True, xmargin=0.02)
        axes.grid(axis="y", color="#dddddd")
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.tick_params(length=0)
    found = {(row["comparison"], row["removed"]): row for row in rows}
    titles = {"recognition": "Recognition, share of pictures", "retrieval": "Retrieval, R@1 of 256"}
    for task, bars, line in zip(TASKS, "AB", ("CDE", "FGH"), strict=True):
        axes, ticks = panels[bars], {}
        for x, (comparison, modality) in zip((0, 1, 2, 3.3, 4.3, 5.3), product(_COMPARED, MODALITIES), strict=True):
            ticks[x] = f"\n{modality}" + f"\nremoved at {comparison}" * (modality == MODALITIES[1])
            for at, removed in ((x - 0.22, modality), (x + 0.22, f"random as {modality}")):
                share = found[comparison, removed][task]
                axes.bar(at, share.value, 0.42, color=COLOURS.get(removed, COLOURS["grey"]))
                axes.vlines(at, share.low, share.high, "black")
                ticks[at] = f"{share.value:.2f}"  # below its bar, where no line passes
        axes.set_xticks(list(ticks), list(ticks.values()), linespacing=1.4)
        axes.set_title(titles[task], loc="left")
        nothing, gap = (found["-", removed][task].value for removed in ("nothing", "mean gap"))
        levels = [
            axes.axhline(nothing, color="black", lw=0.8, label="nothing removed"),
            axes.axhline(gap, color="black", lw=0.8, dashes=(6, 6), label="only the mean gap removed"),
        ]
        for modality, axes in zip(MODALITIES, map(panels.__getitem__, line), strict=True):
            for removed, colour in ((f"random as {modality}", COLOURS["grey"]), (modality, COLOURS[modality])):
                some = [c for c in curves if c["removed"] == removed]
                counts, shares = [c["features"] for c in some], np.array([c[task] for c in some])
                axes.fill_between(counts, shares[:, 1], shares[:, 2], color=colour, alpha=0.25, lw=0)
                axes.plot(counts, shares[:, 0], color=colour, lw=2)
            axes.set(xlim=(0, counts[-1]), xlabel="features removed")
            axes.set_title(f"{task.capitalize()}, {modality} features", loc="left")
    told = (*MODALITIES, "random latents of the same sides")
    key = [Patch(color=COLOURS.get(removed, COLOURS["grey"]), label=removed) for removed in told]
    figure.legend(handles=[*key, *levels], loc="outside upper left", ncols=6, frameon=False)
    figure.supxlabel("Numbers: the bars' heights. Strokes and bands: 95 % by bootstrap over pairs and draws.", size=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
