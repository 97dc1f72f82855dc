"""The figures of the study of attacks: curves over the budget, and a strip of attacked pictures with what changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mmsteer.studies.attacks.channel import SCOPES
from mmsteer.studies.attacks.tally import Cell
from mmsteer.studies.report import COLOURS, save_strips

AMPLIFIED = 16
"""How many times larger the strip shows a difference than it is."""
_LINES = {"all": "black", "noise": "#bbbbbb", **COLOURS}


def curves(found: dict[str, Any], path: Path) -> None:
    """Draw R@1 lost here, R@1 lost in another CLIP, and AUC, against the budget."""
    from matplotlib.figure import Figure

    panels = [("R@1 lost", "R@1 lost in the attacked CLIP")]
    panels += [(f"{other}: R@1 lost", f"R@1 lost in {other}") for other in found["others"]]
    figure = Figure((4.6 * (len(panels) + 1), 4.4), layout="constrained")
    axes = figure.subplots(1, len(panels) + 1, squeeze=False)[0]
    for one, (measure, title) in zip(axes, panels, strict=False):
        for name in (*SCOPES, "random, as many as cross", "noise"):
            for steps, dashes in ((0, ":"), (10, "-"), (40, "--")):
                rows = [r for r in found["attacks"] if (r["goal"], r["through"], r["steps"]) == ("away", name, steps)]
                _line(one, [(row["budget"], row[measure]) for row in rows], name, dashes, steps <= 10)
        one.set_title(title, loc="left")
        one.axhline(0, color="#dddddd", lw=0.8, zorder=0)
    for name in SCOPES:
        rows = [r for r in found["detectors"] if r["attack through"] == name and r["score"] == "embedding (no dictionary)"]
        _line(axes[-1], [(row["budget"], row["auc"]) for row in rows], name, "--", False)
        if name != "all":
            rows = [r for r in found["detectors"] if r["attack through"] == name and r["score"] == f"{name} code"]
            _line(axes[-1], [(row["budget"], row["auc"]) for row in rows], name, "-", False)
    axes[-1].set_title("Detector AUC: attacked class's code, dashed: embedding", loc="left", size=10)
    axes[-1].set_ylim(0.4, 1.02)
    for one in axes:
        one.set(xlabel="budget, of 255", xticks=found["sizes"]["budgets"])
        one.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=6, frameon=False)
    figure.supxlabel("Solid: 10 steps; dashed: 40 steps. Bands: 95 % by bootstrap over pictures.", size=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _line(axes: Any, points: list[tuple[int, Any]], name: str, dashes: str, labelled: bool) -> None:
    if not points:
        return
    budgets, colour = [budget for budget, _ in points], _LINES.get(name, COLOURS["grey"])
    axes.plot(
        budgets, [share.value for _, share in points], dashes, color=colour, lw=1.8, marker="o", ms=3,
        label=name if labelled else None,
    )  # fmt: skip
    low, high = ([share[k] for _, share in points] for k in (1, 2))
    axes.fill_between(budgets, low, high, color=colour, alpha=0.12, lw=0)


def strip(clean: torch.Tensor, attacks: Sequence[tuple[Cell, torch.Tensor]], path: Path) -> None:
    """Draw pictures, the same pictures attacked through each modality, and the amplified difference below each.

    Args:
        clean: `uint8 [B, 3, S, S]`.
        attacks: attacked pictures; of each channel the attack with the most steps is shown.
        path: the file.
    """
    last = {cell.through: (cell, pictures) for cell, pictures in sorted(attacks, key=lambda one: one[0].steps)}
    rows = [("picture", clean)]
    for name in SCOPES:
        cell, pictures = last[name]
        change = (128 + AMPLIFIED * (pictures.int() - clean.int())).clamp(0, 255).to(torch.uint8)
        rows += [(f"{name}\n{cell.budget} of 255\n{cell.steps} steps", pictures), (f"difference\ntimes {AMPLIFIED}", change)]
    save_strips(rows, path)
