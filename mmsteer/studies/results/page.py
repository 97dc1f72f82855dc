"""`assets/figures/RESULTS.md`: every study's section in one page, rendered from the files in `assets`.

The tables and the numbers in sentences come from the files. Sentences that say why are written here: reread them when a study
has been run again.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from mmsteer.assets import ASSETS
from mmsteer.studies.results import (
    bank,
    bench,
    concepts,
    effects,
    labels,
    ordinary,
    presets,
    removal,
    stability,
    world,
)
from mmsteer.studies.results.markdown import Figures, paragraphs

FIGURES = ASSETS / "figures"
RESULTS = FIGURES / "RESULTS.md"
STUDIES = ("world", "effects", "ordinary", "presets", "bench", "labels", "concepts", "removal", "stability")
FILES = {name: f"figures/{name}.json" for name in STUDIES} | {"bank": "banks/mini/bank.json"}
"""Under `assets`, what the page is made from."""
_HEAD = (
    "# What was measured",
    "Written by `python -m mmsteer study results` from the JSON in this folder and from the shipped bank; a full study that writes "
    "its JSON here also writes this page. Do not edit it.",
    "Everything is measured on fresh seeds. Brackets are 95 % intervals unless the text says otherwise. What misses its target is "
    "**bold**. Times are those of the runs that wrote the files, on one or two CPU cores, most of them beside other work. How each "
    "file was made: [assets/README.md](../README.md).",
)


def read(assets: Path = ASSETS) -> dict[str, Figures]:
    """What the commands wrote, by name.

    Raises:
        OSError: a file is missing.
    """
    return {name: json.loads((assets / file).read_text(encoding="utf-8")) for name, file in FILES.items()}


def sections(figures: dict[str, Figures]) -> dict[str, str]:
    """By name of the study, its section with its title."""
    parts: dict[str, tuple[str, Callable[[], str]]] = {
        "labels": (labels.TITLE, lambda: labels.section(figures["labels"])),
        "concepts": (concepts.TITLE, lambda: concepts.section(figures["concepts"], figures["labels"])),
        "removal": (removal.TITLE, lambda: removal.section(figures["removal"])),
        "effects": (effects.TITLE, lambda: effects.section(figures["effects"])),
        "ordinary": (ordinary.TITLE, lambda: ordinary.section(figures["ordinary"])),
        "presets": (presets.TITLE, lambda: presets.section(figures["presets"])),
        "stability": (stability.TITLE, lambda: stability.section(figures["stability"])),
        "bank": (bank.TITLE, lambda: bank.section(figures["bank"])),
        "world": (world.TITLE, lambda: world.section(figures["world"])),
        "bench": (bench.TITLE, lambda: bench.section(figures["bench"])),
    }
    return {name: paragraphs(f"## {title}", section()) for name, (title, section) in parts.items()}


def render(figures: dict[str, Figures]) -> str:
    """The page as Markdown."""
    return paragraphs(*_HEAD, *sections(figures).values()) + "\n"


def write() -> None:
    """Render the page from the shipped files and put it in its place."""
    partial = RESULTS.with_name(RESULTS.name + ".partial")
    partial.write_text(render(read()), encoding="utf-8")
    os.replace(partial, RESULTS)
