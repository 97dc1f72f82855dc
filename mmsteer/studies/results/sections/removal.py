"""RESULTS.md: what recognition and retrieval lose without the features of a modality."""

from mmsteer.studies.results.markdown import Figures, command, figure, interval, paragraphs, table

TITLE = "What zero-shot recognition and retrieval lose without a modality"
_KEYS = ("recognition cost", "recognition over random", "retrieval cost", "retrieval over random")


def section(figures: Figures) -> str:
    """The section, from what `study removal` wrote."""
    rows = [[row["comparison"], row["removed"], *(interval(row[key], 3) for key in _KEYS)] for row in figures["costs"]]
    return paragraphs(
        command(figures, f"{figures['pairs']:,} pairs, {figures['draws']} draws of the groups"),
        "Features of one modality are removed from the embeddings: all of them (*whole*), at equal count, and at equal energy "
        "(mean squared norm removed). *Cost*: right answers lost, as a share of all. *Over random*: how much more that is than "
        "random latents of the same sides cost, as many or as strong; negative where they cost more.",
        table(("comparison", "removed", *_KEYS), rows),
        str(figures["text"]).replace("\n", " "),
        figure(
            "removal",
            "Recognition and retrieval without vision-only, language-only or cross-modal features, at equal count and equal "
            "energy, beside random latents and the mean gap",
        ),
    )
