"""RESULTS.md: which features come back in other builds, and what tiny changes of the input move."""

import re

from mmsteer.bank import MODALITIES
from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, command, figure, interval, listed, paragraphs, quoted, span, table

TITLE = "Do features come back? Do activations stay put?"
_CHANGES = {"pictures": "pixel noise", "captions": "other words"}


def section(figures: Figures) -> str:
    """The section, from what `study stability` wrote."""
    builds = figures["builds"]
    seeds = listed([str(build["seed"]) for build in builds[1:]])
    return paragraphs(
        command(figures, f"two more builds with the shipped settings, seeds {seeds} and with them other pairs; the time is without them"),
        "### Other builds",
        _matching(figures),
        "*Same label*, *same name*: of the features with a match, those that agree in every build that has one; two wordings of one "
        'value ("dog", "hound") count as one name. *Hit* as in "What features do to pictures", on few prompts; *spread*: the highest '
        "minus the lowest hit over the builds.",
        table(
            ("features", "in 3 of 3", "in 2 of 3", "in 1 of 3", "same label", "same name", "hit", "hit of matches", "spread of hit"),
            [_build_cells(row) for row in figures["summary"]],
        ),
        _lost(figures),
        figure("stability", "Cosines of named features with the nearest of another build; hit of each feature and of its matches"),
        "### Tiny changes of the input",
        f"{figures['changes'][0]['inputs']:,} fresh pairs. Pictures get pixel noise of standard deviation {figures['noise']:g} of 255; "
        "captions are paraphrased with the same facts. The table has |change of activation| in activation scales, over features that "
        "fire before or after: first the median, then the 95th percentile. Between unrelated pictures or captions the median is "
        f"{span([row['unrelated, median'] for row in figures['changes']], 1)}.",
        table(("change", *MODALITIES), _change_cells(figures["changes"])),
        "The language-only features that have a name but no factor belong to the wording itself (\"very\", \"of\", \"there is\"), so "
        "a paraphrase moves them. A change of one scale is a feature that comes or goes: paraphrased (\"kitten\" for \"cat\"), more than "
        "one value in twenty of cross-modal features does so. Presence lowers the median change and leaves the tail, because it steps "
        "at half a scale.",
    )  # fmt: skip


def _matching(figures: Figures) -> str:
    nulls, least = figures["null"], figures["same"]
    null, alike = (
        span([100 * row[f"{key} from {least} on"]["value"] for row in nulls], 0) for key in ("null", "same concept")
    )
    return (
        f"Features of two builds match, one to one, where their steering vectors have a cosine of at least {least}. The nearest "
        f"feature of *another* concept reaches that in {null} % of cases (its median is {span([row['null, median'] for row in nulls])}), "
        f"the nearest of the same concept in {alike} %; the median over named features is "
        f"{span([row['nearest, median'] for row in nulls])}."
    )  # fmt: skip


def _build_cells(row: Figures) -> list[str]:
    name = row["features"] if row["features"] == "no sure name" else f"{row['features']}, named"
    shares = [decimal(row[key]["value"]) for key in ("2 of 3", "1 of 3")]
    others = [interval(row[key]) for key in ("same label", "same name", "hit", "hit of matches", "spread")]
    return [f"{name} ({row['count']})", interval(row["3 of 3"]), *shares, *others]


def _lost(figures: Figures) -> str:
    """On the named features that no other build has."""
    alone = [row["name"] for row in figures["features"] if row["named"] and row["found in"] == 1]
    first = [name for name in alone if not re.search(r" \d+$", name)]
    but = f"all but {quoted(first)} are" if first else "each is"
    return (
        f"Of the {len(alone)} named features that no other build has, {but} a second or later feature of their concept. A match "
        "with another name mostly has no sure name."
    )  # fmt: skip


def _change_cells(changes: list[Figures]) -> list[list[str]]:
    """A row a change, measure and group of features; a column a modality."""
    rows: dict[str, dict[str, str]] = {}
    for row in changes:
        side, _, measure = row["what"].partition(", ")
        group = "all others" if row["features"].endswith("others") else "named after a factor"
        ends = f"{decimal(row['median']['value'], 3)}, {decimal(row['95th percentile']['value'])}"
        rows.setdefault(f"{_CHANGES[side]}, {measure}: {group}", {})[row["modality"]] = ends
    return [[title, *(cells.get(modality, "-") for modality in MODALITIES)] for title, cells in rows.items()]
