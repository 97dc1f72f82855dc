"""Left, cosines with the nearest feature of another build; right, the hit of each feature and of its matches."""

from typing import TYPE_CHECKING

import numpy as np

from mmsteer.bank import MODALITIES
from mmsteer.colours import Colours
from mmsteer.studies.charts.style import histogram, new_sheet
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def chart(figures: Figures, colours: Colours) -> "Figure":
    """Draw the figures of `study stability`."""
    sheet = new_sheet(4.2)
    left, right = sheet.subplots(1, 2)
    features = figures["features"]
    nearest: dict[str, list[float]] = {
        m: [cosine for row in features if row["named"] and row["modality"] == m for cosine in row["nearest"]]
        for m in MODALITIES
    }
    histogram(left, nearest, np.linspace(-0.2, 1, 25).tolist(), colours)
    left.axvline(figures["same"], color=colours["ink"], ls="--", lw=1, label="counts as the same from here")
    left.set(xlabel="cosine with the nearest feature of another build", ylabel="named features, two builds")
    left.legend(loc="upper left")
    right.plot([0, 1], [0, 1], color=colours["soft"], lw=1)
    for row in features:
        shipped, *others = row["hits"]
        for hit in others:
            if shipped is not None and hit is not None:
                right.plot(shipped["value"], hit["value"], "o", mew=0, color=colours[row["modality"]], alpha=0.4)
    right.set(
        xlabel="hit of a feature", ylabel="hit of its match in another build", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04)
    )
    return sheet
