"""RESULTS.md: what the embedded models reach."""

from mmsteer.studies import world
from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, bold_if, command, interval, paragraphs, table

TITLE = "What the embedded models reach"


def section(figures: Figures) -> str:
    """The section, from what `study world` wrote."""
    targets, rows = figures["targets"], []
    for name, value in figures["measured"].items():
        share = isinstance(value, dict)
        missed = name in targets and (value["value"] if share else value) < targets[name]
        rows.append(
            [name, bold_if(missed, interval(value, 3) if share else decimal(value)), str(targets.get(name, ""))]
        )
    scenes = figures["measured"]["judge: thing"]["trials"]
    return paragraphs(
        command(figures, f"{scenes:,} scenes, {world.FULL.prompts:,} prompts"),
        "*Judge* and *CLIP* read drawn scenes, *autoencoder* is measured on reconstructions of drawn scenes, and *pictures* are "
        "drawn from prompts and read by the judge: of each factor those count whose prompt mentions it.",
        table(("", "measured", "target"), rows),
        "![Pictures from prompts and seeds that no training has seen](prompts.webp)",
    )
