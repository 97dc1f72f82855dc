"""Hit and leak of every direction against the length of the push, a row for each modality."""

from typing import TYPE_CHECKING, Any

from mmsteer.colours import Colours
from mmsteer.studies.charts.style import new_sheet, of_modality
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEATURE, _SUPPRESSED = "feature", " + suppression"
_MARKERS = "os^D"  # of directions, in their order


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the curves of `study effects`."""
    from matplotlib.lines import Line2D

    curves = figures["curves"]
    modalities, directions = (
        list(dict.fromkeys(values))
        for values in ((row["modality"] for row in curves), (_direction(row["method"]) for row in curves))
    )
    look = {name: _look(name, marker, colours) for name, marker in zip(directions, _MARKERS, strict=True)}
    sheet = new_sheet(0.9 + 2.9 * len(modalities))
    panels = sheet.subplots(len(modalities), 2, sharex=True, sharey=True, squeeze=False)
    for line, modality in zip(panels, modalities, strict=True):
        rows = [row for row in curves if row["modality"] == modality]
        own = look | {_FEATURE: look[_FEATURE] | {"color": of_modality(modality, colours)}}
        for axes, figure in zip(line, ("hit", "leak"), strict=True):
            _lines(axes, rows, figure, own, colours)
            axes.set(title=f"{modality}: {figure}", ylim=(-0.03, 1.03))
            axes.grid(axis="y")
    sheet.supxlabel(
        "length of the push, in lengths of the feature's own at strength 1 (dashed: without suppression)", size=10
    )
    sheet.legend(
        handles=[Line2D([], [], label=name + " (in colour)" * (name == _FEATURE), **look[name]) for name in directions],
        loc="outside upper left",
        ncols=4,
    )
    return sheet


def _direction(method: str) -> str:
    return method.removesuffix(_SUPPRESSED)


def _look(direction: str, marker: str, colours: Colours) -> dict[str, Any]:
    """The feature in ink, wide; other directions in soft ink."""
    width, colour = (2.4, colours["ink"]) if direction == _FEATURE else (1.2, colours["soft"])
    return {"marker": marker, "ms": 6, "lw": width, "color": colour}


def _lines(axes: "Axes", rows: list[Figures], figure: str, look: dict[str, dict[str, Any]], colours: Colours) -> None:
    """A line a method, the feature on top."""
    methods = dict.fromkeys(row["method"] for row in rows)
    for method in sorted(methods, key=lambda method: _direction(method) == _FEATURE):
        points = [(row["length"], row[figure]["value"]) for row in rows if row["method"] == method and row[figure]]
        hollow: dict[str, Any] = {} if method.endswith(_SUPPRESSED) else {"ls": "--", "mfc": colours["paper"]}
        axes.plot(*zip(*points, strict=True), **look[_direction(method)], **hollow)
