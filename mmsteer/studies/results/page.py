"""`assets/figures/RESULTS.md`: every study's section in one page, rendered from the files in `assets`.

The tables and the numbers in sentences come from the files. Sentences that say why are written here: reread them when a study
has been run again.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from mmsteer.assets import ASSETS
from mmsteer.studies.charts import CHARTS, draw
from mmsteer.studies.results.markdown import Figures, paragraphs
from mmsteer.studies.results.sections import (
    adversarial,
    bank,
    bench,
    concepts,
    gender,
    labels,
    removal,
    stability,
    world,
)
from mmsteer.studies.results.sections.pictures import effects, kept, ordinary, parts, presets, sliders
from mmsteer.training.objectives import objective_name

FIGURES = ASSETS / "figures"
RESULTS = FIGURES / "RESULTS.md"
SECTIONS: dict[str, tuple[str, Callable[[Figures], str]]] = {
    "labels": (labels.TITLE, labels.section),
    "concepts": (concepts.TITLE, concepts.section),
    "removal": (removal.TITLE, removal.section),
    "adversarial": (adversarial.TITLE, adversarial.section),
    "effects": (effects.TITLE, effects.section),
    "ordinary": (ordinary.TITLE, ordinary.section),
    "sliders": (sliders.TITLE, sliders.section),
    "gender": (gender.TITLE, gender.section),
    "parts": (parts.TITLE, parts.section),
    "kept": (kept.TITLE, kept.section),
    "presets": (presets.TITLE, presets.section),
    "stability": (stability.TITLE, stability.section),
    "bank": (bank.TITLE, bank.section),
    "world": (world.TITLE, world.section),
    "bench": (bench.TITLE, bench.section),
}
"""In the order of the page, the title of each section and what renders it."""
FILES = {name: f"figures/{name}.json" for name in SECTIONS} | {"bank": "banks/mini/bank.json"}
"""Under `assets`, the files from which the page is rendered."""
OPTIONAL = ("gender", "adversarial", "sliders", "parts", "kept")
"""Studies whose files may be missing: then the page has no section of them."""
_HEAD = (
    "# What was measured",
    "Written by `python -m mmsteer study results` from the JSON in this folder and from the shipped bank; a full study that writes "
    "its JSON here also writes this page and its figure. Do not edit it. `python -m mmsteer study figures` draws the figures again, "
    "light and dark, from the same JSON.",
    "Everything is measured on fresh seeds. Brackets are 95 % intervals unless the text says otherwise. What misses its target is "
    "**bold**. Times are those of the runs that wrote the files, on one or two CPU cores, most of them beside other work. How each "
    "file was made: [assets/README.md](../README.md).",
)


def read(assets: Path = ASSETS) -> dict[str, Figures]:
    """What the commands wrote, by name.

    Raises:
        OSError: a file is missing that is not OPTIONAL.
    """
    present = {name: assets / file for name, file in FILES.items()}
    return {name: read_figures(path) for name, path in present.items() if name not in OPTIONAL or path.is_file()}


def read_figures(path: Path) -> Figures:
    """What a study wrote, with objectives under their present names."""

    def renamed(record: Figures) -> Figures:
        if not isinstance(record.get("objective"), str):
            return record
        name, comma, rest = record["objective"].partition(", ")
        return record | {"objective": objective_name(name) + comma + rest.replace("nothing read", "no probe")}

    figures: Figures = json.loads(path.read_text(encoding="utf-8"), object_hook=renamed)
    return figures


def sections(figures: dict[str, Figures]) -> dict[str, str]:
    """By name of the study, its section with its title."""
    return {
        name: paragraphs(f"## {title}", section(figures[name]))
        for name, (title, section) in SECTIONS.items()
        if name in figures or name not in OPTIONAL
    }


def render(figures: dict[str, Figures]) -> str:
    """The page as Markdown."""
    return paragraphs(*_HEAD, *sections(figures).values()) + "\n"


def write() -> Path:
    """Render the page from the shipped files and put it in its place; return where it is."""
    partial = RESULTS.with_name(RESULTS.name + ".partial")
    partial.write_text(render(read()), encoding="utf-8")
    os.replace(partial, RESULTS)
    return RESULTS


def draw_figures(*studies: str) -> list[Path]:
    """Draw the shipped figures again from the shipped files, light and dark, of these studies or of all; return where they are."""
    drawn = []
    for study in CHARTS:
        file = FIGURES / f"{study}.json"
        if file.is_file() and study in (studies or CHARTS):
            drawn += draw(study, read_figures(file), file.with_suffix(".png"))
    return drawn
