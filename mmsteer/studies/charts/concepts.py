"""Recall of each kind of concept against the cosine of its directions, a panel for each objective."""

from typing import TYPE_CHECKING

from mmsteer.bank import MODALITIES
from mmsteer.colours import Colours
from mmsteer.studies.charts.style import new_sheet
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4
_MARKERS = dict(zip(MODALITIES, "osD", strict=True))
_SIZES = dict(zip(MODALITIES, (11, 7.5, 4), strict=True))  # of points that may lie on each other


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the figures of `study concepts`."""
    rows = figures["concepts"]
    objectives = list(dict.fromkeys(row["objective"] for row in rows))
    cosines = sorted({row["cosine"] for row in rows}, reverse=True)
    lines = -(-len(objectives) // _COLUMNS)
    sheet = new_sheet(1 + 1.9 * lines)
    panels = list(sheet.subplots(lines, _COLUMNS, sharex=True, sharey=True, squeeze=False).flat)
    for panel, name in zip(panels, objectives, strict=False):
        for modality in MODALITIES:
            recalls = [row[f"recall {modality}"]["value"] for row in rows if row["objective"] == name]
            panel.plot(
                cosines, recalls, "-", marker=_MARKERS[modality], ms=_SIZES[modality], mew=0, color=colours[modality],
                label=modality, clip_on=False,
            )  # fmt: skip
        panel.set(title=name, ylim=(-0.03, 1.03), xlim=(cosines[0] + 0.04, cosines[-1] - 0.04), xticks=cosines)
        panel.grid(axis="y")
    for panel in panels[len(objectives) :]:
        panel.set_axis_off()
    sheet.supxlabel("cosine of a cross-modal concept's directions in pictures and in captions", size=10)
    sheet.supylabel("share of concepts detected and rightly labelled", size=10)
    sheet.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return sheet
