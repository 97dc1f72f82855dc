"""R@1 that attacks cost, in the attacked CLIP and in others, and how well detectors see them, against the budget."""

from typing import TYPE_CHECKING

from mmsteer.bank import MODALITIES
from mmsteer.colours import Colours
from mmsteer.studies.charts.style import new_sheet, of_modality
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SCOPES = (*MODALITIES, "all")
_RANDOM, _NOISE = "random, as many as cross", "noise"
_STEPS = {0: ":", 10: "-"}
_LONG = "--"


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the curves of `study adversarial`."""
    panels = [("R@1 lost", "R@1 lost in the attacked CLIP")]
    panels += [(f"{other}: R@1 lost", f"R@1 lost in {other}") for other in figures["others"]]
    columns = min(len(panels) + 1, 3)
    lines = -(-(len(panels) + 1) // columns)
    sheet = new_sheet(0.9 + 3.2 * lines)
    axes = list(sheet.subplots(lines, columns, squeeze=False).flat)
    for one, (measure, title) in zip(axes, panels, strict=False):
        _costs(one, figures, measure, colours)
        one.set_title(title, size=10)
        one.axhline(0, color=colours["line"], lw=0.8, zorder=0)
    _detection(axes[len(panels)], figures, colours)
    for one in axes[: len(panels) + 1]:
        one.set(xlabel="budget, of 255", xticks=figures["sizes"]["budgets"])
    for one in axes[len(panels) + 1 :]:
        one.set_axis_off()
    sheet.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=6)
    long = figures["sizes"]["long"]
    sheet.supxlabel(
        f"R@1: solid, 10 steps{f'; dashed, {long} steps' if long else ''}. Detection: solid, code of the attacked class; dashed, "
        "embedding. Bands: 95 %.", size=9,
    )  # fmt: skip
    return sheet


def _costs(axes: "Axes", figures: Figures, measure: str, colours: Colours) -> None:
    long = figures["sizes"]["long"]
    for name in (*_SCOPES, _RANDOM, _NOISE):
        for steps, dashes in (_STEPS | ({long: _LONG} if long else {})).items():
            rows = [r for r in figures["attacks"] if (r["goal"], r["through"], r["steps"]) == ("away", name, steps)]
            _line(
                axes,
                [(row["budget"], row[measure]) for row in rows],
                name,
                dashes,
                colours,
                name if steps != long else None,
            )


def _detection(axes: "Axes", figures: Figures, colours: Colours) -> None:
    for name in _SCOPES:
        scores = [("embedding (no dictionary)", _LONG)] + [(f"{name} code", "-")] * (name != "all")
        for score, dashes in scores:
            rows = [r for r in figures["detectors"] if (r["attack through"], r["score"]) == (name, score)]
            _line(axes, [(row["budget"], row["auc"]) for row in rows], name, dashes, colours)
    axes.set_title("AUC of detection", size=10)
    axes.set_ylim(0.4, 1.02)


def _line(
    axes: "Axes", points: list[tuple[int, Figures]], name: str, dashes: str, colours: Colours, label: str | None = None
) -> None:
    if not points:
        return
    budgets = [budget for budget, _ in points]
    colour = colours["ink"] if name == "all" else of_modality(name, colours)
    axes.plot(
        budgets, [share["value"] for _, share in points], dashes, color=colour, lw=1.8, marker="o", ms=3.5, label=label
    )
    low, high = ([share[end] for _, share in points] for end in ("low", "high"))
    axes.fill_between(budgets, low, high, color=colour, alpha=0.08, lw=0)
