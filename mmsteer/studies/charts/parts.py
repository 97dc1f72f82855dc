"""What is left of an edit on some rows, in late steps and in a region, a panel for each UNet; features in their modality's colour."""

from typing import TYPE_CHECKING

from mmsteer.colours import Colours
from mmsteer.labelling.naming.known_names import known_value
from mmsteer.studies.charts.style import bar, name_rows, new_sheet
from mmsteer.studies.results.markdown import Figures
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.scheme import SCHEME

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEADS = ("on these rows alone", "from this part of the run on", "in the region, within it")


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the rows of `study parts`: bars with intervals, from the top down rows, steps, and the region by feature."""
    unets = list(dict.fromkeys(row["UNet"] for row in figures["rows"]))
    labels = [_HEADS[0], *dict.fromkeys(row["on"] for row in figures["rows"])]
    labels += [
        _HEADS[1],
        *dict.fromkeys(f"{row['from']:g}" for row in figures["steps"]),
        _HEADS[2],
        *figures["features"],
    ]
    sheet = new_sheet(0.7 + 0.27 * len(labels))
    panels = sheet.subplots(1, len(unets), sharey=True)
    for axes, unet in zip(panels, unets, strict=True):
        for row in (row for row in figures["rows"] if row["UNet"] == unet):
            bar(axes, labels.index(row["on"]), row["left"], "", colours)
        for row in (row for row in figures["steps"] if row["UNet"] == unet):
            bar(axes, labels.index(f"{row['from']:g}"), row["left"], "", colours)
        for row in (row for row in figures["regions"] if row["UNet"] == unet):
            bar(axes, labels.index(row["feature"]), row["inside"], _modality(row["feature"]), colours)
        axes.set(title=f"{unet}: left of the whole edit's change", xlim=(0, 1.15))
    name_rows(panels, labels, _HEADS)
    return sheet


def _modality(feature: str) -> str:
    value = known_value(feature, SCHEME)
    return FACTORS[INDEX[value[0]]].modality if value else ""
