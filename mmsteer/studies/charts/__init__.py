"""The studies' figures, each drawn from what its study wrote as JSON, in the page's colours, light and dark.

`draw` needs no study to run again. A chart is a function of the numbers and the colours; it returns a figure of matplotlib.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.colours import DARK, LIGHT, Colours
from mmsteer.studies.charts.adversarial import chart as adversarial
from mmsteer.studies.charts.concepts import chart as concepts
from mmsteer.studies.charts.effects import chart as effects
from mmsteer.studies.charts.gender import chart as gender
from mmsteer.studies.charts.labels import chart as labels
from mmsteer.studies.charts.ordinary import chart as ordinary
from mmsteer.studies.charts.parts import chart as parts
from mmsteer.studies.charts.removal import chart as removal
from mmsteer.studies.charts.stability import chart as stability
from mmsteer.studies.charts.style import save, styled
from mmsteer.studies.results.markdown import Figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHARTS: dict[str, "Callable[[Figures, Colours], Figure]"] = {
    "labels": labels, "concepts": concepts, "removal": removal, "adversarial": adversarial, "effects": effects,
    "ordinary": ordinary, "parts": parts, "gender": gender, "stability": stability,
}  # fmt: skip
"""By the study's name on the command line."""


def draw(study: str, figures: Figures, path: Path) -> list[Path]:
    """Draw a study's figure, the light version to `path`, the dark one beside it; return both.

    Args:
        study: one of CHARTS.
        figures: what the study wrote as JSON, as `results.page.read_figures` reads it.
        path: the file; its suffix decides the format.
    """
    versions = {path: LIGHT, dark(path): DARK}
    for file, colours in versions.items():
        with styled(colours):
            save(CHARTS[study](figures, colours), file)
    return list(versions)


def dark(path: Path) -> Path:
    """Where the dark version of a figure lies: `labels.png` → `labels-dark.png`."""
    return path.with_stem(f"{path.stem}-dark")
