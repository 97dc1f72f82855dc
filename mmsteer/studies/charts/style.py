"""How every chart looks: as wide as the page, in its colours, light or dark; and how it becomes a file."""

import os
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.bank import MODALITIES
from mmsteer.colours import Colours
from mmsteer.image_file import decode
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect
    from PIL.Image import Image

_WIDTH = 9.6  # inches; the tab Proof is 960 pixels wide, so that 10 points are 13 pixels there
_DPI = 144


@contextmanager
def styled(colours: Colours) -> Iterator[None]:
    """Draw in these colours, whatever matplotlib is set to, until the block ends."""
    from matplotlib import style

    ink, paper, line = colours["ink"], colours["paper"], colours["line"]
    look = {
        "figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper, "text.color": ink,
        "axes.edgecolor": colours["soft"], "axes.labelcolor": ink, "axes.titlecolor": ink, "xtick.color": ink, "ytick.color": ink,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "grid.color": line, "font.size": 10,
        "axes.titlesize": 11, "axes.titlelocation": "left", "legend.frameon": False, "legend.fontsize": 10, "hatch.linewidth": 0.7,
    }  # fmt: skip
    with style.context(["default", look]):
        yield


def new_sheet(height: float) -> "Figure":
    """An empty figure, its height in inches."""
    from matplotlib.figure import Figure

    return Figure((_WIDTH, height), layout="constrained")


def save(sheet: "Figure", path: Path) -> None:
    """Write a figure; the suffix decides the format. A killed run leaves no half-written file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    if path.suffix == ".png":
        _small(sheet).save(partial, optimize=True)
    else:
        sheet.savefig(partial)
    os.replace(partial, path)


def _small(sheet: "Figure") -> "Image":
    """With a palette, which takes a third of the bytes; what fills an area keeps its very colour."""
    from PIL import Image

    drawn = BytesIO()
    sheet.savefig(drawn, dpi=_DPI)
    return decode(drawn).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def name_rows(panels: "Sequence[Axes]", labels: Sequence[str], heads: Container[str]) -> None:
    """Name the rows of panels side by side, from the top down: on the left, heads in bold."""
    for axes in panels:
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(labels)), labels)
    for label, tick in zip(labels, panels[0].get_yticklabels(), strict=True):
        tick.set_fontweight("bold" if label in heads else "normal")


def of_modality(name: str, colours: Colours) -> str:
    """The colour of a modality; soft ink for anything else, which is what features are compared with."""
    return next((colours[modality] for modality in MODALITIES if modality == name), colours["soft"])


def fill(name: str, colours: Colours) -> dict[str, Any]:
    """What fills an area that stands for a modality: its colour, and on the page's bars as here, stripes for who sees no colours."""
    stripes = {"language": "////", "cross": "---"}.get(name, "")
    return {"facecolor": of_modality(name, colours), "edgecolor": colours["paper"], "hatch": stripes, "linewidth": 0}


def histogram(axes: "Axes", groups: dict[str, list[float]], bins: Sequence[float], colours: Colours) -> None:
    """Counts in bins of equal width, a modality upon the other; what is none is pale."""
    import numpy as np

    base = np.zeros(len(bins) - 1)
    for name, group in groups.items():
        counts, _ = np.histogram(group, bins)
        axes.bar(
            bins[:-1],
            counts,
            bins[1] - bins[0],
            base,
            align="edge",
            label=f"{name} ({len(group)})",
            alpha=1 if name in MODALITIES else 0.35,
            **fill(name, colours),
        )
        base += counts


def bar(axes: "Axes", at: float, share: Figures | None, name: str, colours: Colours) -> None:
    """A horizontal bar with its interval as a stroke, filled for a modality; nothing where nothing was measured."""
    if share:
        axes.barh(at, share["value"], 0.8, **fill(name, colours))
        stroke(axes, [share["low"], share["high"]], [at, at], colours)


def stroke(axes: "Axes", x: list[float], y: list[float], colours: Colours) -> None:
    """An interval: a stroke in ink."""
    axes.plot(x, y, color=colours["ink"], lw=1.4, solid_capstyle="butt", path_effects=outline(colours))


def outline(colours: Colours) -> "list[AbstractPathEffect]":
    """An edge of paper, so that a line in ink is seen on a bar as well as beside it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground=colours["paper"])]
