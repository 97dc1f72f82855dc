"""Gap and skew without the features of each class, at equal count and energy; shares of men in pictures."""

from typing import TYPE_CHECKING

from mmsteer.colours import Colours
from mmsteer.studies.bias.verdict import FAIR
from mmsteer.studies.charts.style import bar, new_sheet, of_modality
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAPS = ("gap by occupation", "MaxSkew")
_DRAWN = {
    ("nothing", "-", "-"): "o", ("vision", "remove", "equal energy"): "o", ("language", "set", "as it is"): "o",
    ("cross", "set", "as it is"): "o", ("mean difference", "project", "equal energy"): "s",
    ("words, half of each", "words", "as it is"): "^",
}  # fmt: skip
"""The rows of `drawn` that are shown, by what is removed, way and strength, each with its marker."""


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the figures of `study gender`."""
    rows = [
        row
        for row in figures["mitigate"]
        if row["comparison"] in (*FAIR, "baseline, equal energy") and row["way"] in ("zero", "-")
    ]
    gaps = [gap for gap in _GAPS if gap in figures["detect"]]
    heights = [0.9 + 0.22 * len(rows), *([4.0] if "drawn" in figures else [])]
    sheet = new_sheet(sum(heights))
    parts = sheet.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    panels = parts[0].subplots(1, len(gaps), sharey=True, squeeze=False)[0]
    for gap, axes in zip(gaps, panels, strict=True):
        for at, row in enumerate(rows):
            bar(axes, at, row[gap], row["removed"].split(" +")[0], colours)
        axes.axvline(figures["detect"][gap]["value"], color=colours["ink"], lw=1, ls="--")
        axes.set(title=f"{gap[0].upper()}{gap[1:]} at equal count and energy", xlabel="dashed: nothing removed")
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [_name(row) for row in rows], size=9)
    if "drawn" in figures:  # not of one's own pictures
        _men(parts[1].subplots(), figures, colours)
    return sheet


def _name(row: Figures) -> str:
    return f"{row['removed']}, {row['on']}{' (top)' if row['comparison'].startswith('top') else ''}"


def _men(axes: "Axes", figures: Figures, colours: Colours) -> None:
    """Shares of men by occupation, the planted ones as strokes."""
    rows = {(row["removed"], row["way"], row["strength"]): row for row in figures["drawn"]}
    shown = {key: rows[key] for key in _DRAWN if key in rows}
    planted = next(iter(shown.values()))["planted"]
    for k, occupation in enumerate(planted):
        axes.plot(
            [k - 0.45, k + 0.45], [planted[occupation]] * 2, color=colours["ink"], lw=1, label=None if k else "planted"
        )
    for k, (key, row) in enumerate(shown.items()):
        removed, way, _ = key
        colour = colours["ink"] if removed == "nothing" else of_modality(removed, colours)
        label: str | None = f"{removed}, {way}" if way in ("remove", "set") else removed
        for j, men in enumerate(row["men"].values()):
            if men:
                x = j + (k - (len(shown) - 1) / 2) * 0.13
                axes.plot([x, x], [men["low"], men["high"]], color=colour, lw=1.2)
                axes.plot([x], [men["value"]], _DRAWN[key], color=colour, mew=0, label=label, clip_on=False)
                label = None
    axes.axhline(0.5, color=colours["soft"], lw=0.8, ls="--")
    axes.set(ylim=(-0.03, 1.03), title="Share of men in pictures of an occupation")
    axes.set_xticks(range(len(planted)), list(planted))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4)
