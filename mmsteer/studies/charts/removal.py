"""Both tasks without the features of a modality: above at equal count and energy, below by how many are removed."""

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from mmsteer.bank import MODALITIES
from mmsteer.colours import Colours
from mmsteer.studies.charts.style import fill, new_sheet, of_modality, stroke
from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLES = {"recognition": "Recognition, share of pictures", "retrieval": "Retrieval, R@1 of 256"}
_COMPARED = ("equal count", "equal energy")
_PLACES = (0, 1, 2, 3.3, 4.3, 5.3)


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the figures of `study removal`."""
    from matplotlib.patches import Patch

    sheet = new_sheet(9)
    panels = sheet.subplot_mosaic("AAABBB;CCDDEE;FFGGHH", height_ratios=(3, 2, 2))
    for axes in panels.values():
        axes.set(ylim=(0, 1.01), yticks=np.linspace(0, 1, 5), xmargin=0.02)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0)
    levels: list[Artist] = []
    for task, above, below in zip(_TITLES, "AB", ("CDE", "FGH"), strict=True):
        levels = _bars(panels[above], task, figures["rows"], colours)
        for modality, one in zip(MODALITIES, below, strict=True):
            _curves(panels[one], task, modality, figures["curves"], colours)
    compared = "random latents of the same sides"
    key = [Patch(**fill(label, colours), label=label) for label in (*MODALITIES, compared)]
    sheet.legend(handles=[*key, *levels], loc="outside upper left", ncols=3)
    sheet.supxlabel("Numbers: the bars' heights. Strokes and bands: 95 % by bootstrap over pairs and draws.", size=9)
    return sheet


def _bars(axes: "Axes", task: str, rows: list[Figures], colours: Colours) -> "list[Artist]":
    """Draw a task at equal count and energy; return the lines of its levels."""
    by_group = {(row["comparison"], row["removed"]): row[task] for row in rows}
    ticks = {}
    for x, (comparison, modality) in zip(_PLACES, product(_COMPARED, MODALITIES), strict=True):
        ticks[x] = f"\n{modality}" + f"\nremoved at {comparison}" * (modality == MODALITIES[1])
        for at, removed in ((x - 0.22, modality), (x + 0.22, f"random as {modality}")):
            share = by_group[comparison, removed]
            axes.bar(at, share["value"], 0.42, **fill(removed, colours))
            stroke(axes, [at, at], [share["low"], share["high"]], colours)
            ticks[at] = decimal(share["value"])  # below its bar, where no line passes
    axes.set_xticks(list(ticks), list(ticks.values()), linespacing=1.4, size=8.5)
    axes.set_title(_TITLES[task])
    nothing, gap = (by_group["-", removed]["value"] for removed in ("nothing", "mean gap"))
    return [
        axes.axhline(nothing, color=colours["ink"], lw=0.9, label="nothing removed"),
        axes.axhline(gap, color=colours["ink"], lw=0.9, ls="--", label="only the mean gap removed"),
    ]


def _curves(axes: "Axes", task: str, modality: str, curves: list[Figures], colours: Colours) -> None:
    for removed in (f"random as {modality}", modality):
        rows, colour = [row for row in curves if row["removed"] == removed], of_modality(removed, colours)
        counts = [row["features"] for row in rows]
        value, low, high = ([row[task][end] for row in rows] for end in ("value", "low", "high"))
        axes.fill_between(counts, low, high, color=colour, alpha=0.25, lw=0)
        axes.plot(counts, value, color=colour, lw=2)
        axes.set(xlim=(0, counts[-1]), xlabel="features removed")
    axes.set_title(f"{task.capitalize()}, {modality} features")
