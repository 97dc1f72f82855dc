"""RESULTS.md: on how many seeds each preset of the page shows what it promises."""

from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, bold_if, command, missed, paragraphs, table

TITLE = "Presets of the page"


def section(figures: Figures) -> str:
    """The section, from what `study presets` wrote."""
    rows = []
    for row in figures["presets"]:
        shares = {key: value for key, value in row.items() if isinstance(value, dict)}
        counts = {key: str(round(share["value"] * share["trials"])) for key, share in shares.items()}
        counts["both"] = bold_if(missed(row["both"], figures["target"]), counts["both"])
        rows.append([row["preset"], *counts.values(), str(row["first such seed"])])
    head = (
        "preset", "*before* shows the prompt", "*after* shows the edits and the rest", "both", "*before* lacks what is added",
        "first such seed",
    )  # fmt: skip
    return paragraphs(
        command(figures, f"{figures['seeds']} seeds a preset", " --threads 1"),
        f"Of the {figures['seeds']} seeds: those on which *before* shows the prompt; on which *after* shows the edits and the rest of "
        f"the prompt; on which both hold (target: {decimal(figures['target'])} of all); and on which, besides, *before* lacks what is "
        "added. The page draws each preset with the first seed of the last kind.",
        table(head, rows),
    )  # fmt: skip
