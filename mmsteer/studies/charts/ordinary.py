"""Hit and leak of each group of concepts by UNet and route, as bars in the colour of the group's modality."""

from typing import TYPE_CHECKING

from mmsteer.colours import Colours
from mmsteer.studies.charts.style import bar, name_rows, new_sheet, outline
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ORDINARY = "ordinary"
_ROUTES = {
    "words": "words", "from a quarter": "words, from a quarter on", "guidance": "words, guided twice as far", "image": "image adapter",
}  # fmt: skip


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the rows of `study ordinary`, with the targets of the ordinary UNet as lines."""
    rows = figures["rows"]
    labels: list[str] = []  # from the top down; each group under its name
    places: dict[str, list[tuple[int, Figures]]] = {}
    for group in dict.fromkeys(row["concepts"] for row in rows):
        labels.append(group)
        places[group] = [
            (len(labels) + k, row) for k, row in enumerate(row for row in rows if row["concepts"] == group)
        ]
        labels += [_route(row) for _, row in places[group]]
    sheet = new_sheet(0.7 + 0.27 * len(labels))
    panels = sheet.subplots(1, 2, sharey=True)
    for axes, key in zip(panels, ("hit", "leak"), strict=True):
        for group, placed in places.items():
            modality = group.partition(":")[0]
            for at, row in placed:
                bar(axes, at, row[key], modality if row["UNet"] == _ORDINARY else "", colours)
            target = figures["targets"].get(f"{key} {modality}", figures["targets"].get(key))
            axes.vlines(
                target,
                placed[0][0] - 0.5,
                placed[-1][0] + 0.5,
                colours["ink"],
                "dotted",
                lw=1.4,
                path_effects=outline(colours),
            )
        axes.set(title=f"{key} (dotted: target)", xlim=(0, 1.03))
    name_rows(panels, labels, places)
    return sheet


def _route(row: Figures) -> str:
    of = "" if row["UNet"] == _ORDINARY else f"{row['UNet']} UNet, "
    return of + _ROUTES[row["route"]]
