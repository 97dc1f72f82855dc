"""RESULTS.md: when labels go wrong, on synthetic vectors with known concepts."""

from mmsteer.bank import MODALITIES
from mmsteer.studies.concepts import CROSS, SINGLE
from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, command, figure, listed, paragraphs, table

TITLE = "When do labels go wrong? Synthetic vectors"
_CONTROLS = {"raw": "raw coordinates", "pca": "principal axes"}
_RECALLS = [f"recall {modality}" for modality in MODALITIES]


def section(figures: Figures) -> str:
    """The section, from what `study concepts` wrote."""
    rows = {(row["objective"], row["cosine"]): row for row in figures["concepts"]}
    names = dict.fromkeys(name for name, _ in rows)
    cosines = sorted({cosine for _, cosine in rows}, reverse=True)
    none = [name for name in _CONTROLS if all(rows[name, c][key]["value"] == 0 for c in cosines for key in _RECALLS)]
    cells = [
        [
            name, *(" / ".join(decimal(rows[name, c][key]['value']) for key in _RECALLS) for c in cosines),
            decimal(rows[name, cosines[-1]]["FVU"]["value"]),
        ]
        for name in names if name not in none
    ]  # fmt: skip
    return paragraphs(
        command(
            figures, f"vectors with {CROSS} cross-modal concepts and {SINGLE} of each side alone; {figures['seeds']} seeds, "
            f"{figures['pairs']:,} pairs and {figures['steps']:,} steps each",
        ),
        "The share of concepts that have a rightly labelled feature, vision-only / language-only / cross-modal, by the cosine "
        "between a cross-modal concept's directions in pictures and in captions."
        + (f" No feature of {listed([_CONTROLS[name] for name in none])} detects a concept." if none else ""),
        table(("objective", *(f"cosine {cosine}" for cosine in cosines), f"FVU at {cosines[-1]}"), cells),
        "On these vectors, where no concept is rarer or weaker than another, plain matched dictionaries do best; in the embedded "
        "world they do not (the section above).",
        figure("concepts", "Share of concepts with a rightly labelled feature against the cosine, a panel an objective"),
    )  # fmt: skip
