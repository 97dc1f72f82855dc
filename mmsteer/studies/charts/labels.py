"""MDS of the default's features under both rules, the curve over captioning rates, labels of each objective."""

from typing import TYPE_CHECKING

import numpy as np

from mmsteer.bank import MODALITIES
from mmsteer.colours import Colours
from mmsteer.studies.charts.style import fill, histogram, new_sheet, outline
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ABSOLUTE = (0.2, 0.8)  # between which the absolute rule says cross-modal


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the figures of `study labels`."""
    rows = figures["objectives"]
    heights = (3.9, 1.3 + 0.27 * len(rows))
    sheet = new_sheet(sum(heights))
    above, below = sheet.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    counts, curve = above.subplots(1, 2)
    _histogram(counts, figures["scores"], colours)
    _rates(curve, figures["rates"], colours)
    panels = below.subplots(1, len(MODALITIES), sharey=True)
    for truth, axes in zip(MODALITIES, panels, strict=True):
        _labels(axes, rows, truth, colours)
    panels[0].set_yticks(range(len(rows)), [row["objective"] for row in rows])
    below.suptitle(
        "How features that detect a known value are labelled; numbers: how many there are, over all seeds", size=11
    )
    below.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return sheet


def _histogram(axes: "Axes", scores: list[Figures], colours: Colours) -> None:
    """MDS of every feature, by the modality of the value that it detects."""
    groups: dict[str, list[float]] = {m: [row["MDS"] for row in scores if row["truth"] == m] for m in MODALITIES}
    groups["not identified"] = [row["MDS"] for row in scores if row["truth"] is None]
    histogram(axes, groups, np.linspace(0, 1, 26).tolist(), colours)
    mds = np.array([row["MDS"] for row in scores])
    for rule, dots, cuts in (
        ("paper's rule", ":", (mds.mean() - mds.std(), mds.mean() + mds.std())),
        ("0.2 and 0.8", "--", _ABSOLUTE),
    ):
        for k, cut in enumerate(cuts):
            axes.axvline(
                cut, color=colours["ink"], ls=dots, lw=1.2, label=None if k else rule, path_effects=outline(colours)
            )
    axes.set(title="MDS of the default's features, by truth", ylabel="features", xlim=(0, 1))
    axes.set_xlabel("captions only  ←  MDS  →  pictures only")
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, columnspacing=1)


def _rates(axes: "Axes", rates: list[Figures], colours: Colours) -> None:
    shares = [row["told"] for row in rates]
    axes.plot(shares, [row["1 - told/2"] for row in rates], "--", color=colours["soft"], label="1 - share / 2")
    axes.plot(shares, [row["MDS"] for row in rates], "o-", color=colours["cross"], label="MDS")
    both = [row["MDS where both fire"] for row in rates]
    axes.plot(shares, both, "s-", color=colours["ink"], label="MDS where both fire")
    axes.set(title="MDS by how often a concept is captioned", ylim=(0, 1))
    axes.set_xlabel("share of captions that mention the concept")
    axes.grid(axis="y")
    axes.legend(loc="lower left")


def _labels(axes: "Axes", rows: list[Figures], truth: str, colours: Colours) -> None:
    """How features of one true modality are labelled, a bar for each objective; at its end how many there are over all seeds."""
    counts = np.array([[row["confusion"][truth][modality] for modality in MODALITIES] for row in rows])
    total, places = counts.sum(1), np.arange(len(rows))
    base = np.zeros(len(rows))
    for modality, count in zip(MODALITIES, counts.T, strict=True):
        width = count / np.maximum(total, 1)
        axes.barh(places, width, 0.8, base, label=f"labelled {modality}", **fill(modality, colours))
        base += width
    for place, n in zip(places, total, strict=True):
        axes.text(1.02, float(place), str(n) if n else "none", va="center", size=9)
    axes.set(title=f"truly {truth}", xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xticks=(0, 0.5, 1), xlabel="share")
    axes.tick_params(axis="y", length=0)
