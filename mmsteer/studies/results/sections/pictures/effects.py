"""RESULTS.md: what features do to pictures, beside other directions and words."""

from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import (
    Figures,
    bold_if,
    command,
    figure,
    interval,
    listed,
    missed,
    paragraphs,
    table,
)

TITLE = "What features do to pictures"
_WITH = " + suppression"
_SHIPPED = {"cross": f"feature{_WITH}", "vision": "feature", "language": f"feature{_WITH}"}
"""By modality, the method that a slider applies."""
_METRICS = (
    "*Hit*: of the pictures without the value, the share that shows it once it is added. *Leak*: of everything else that the "
    "prompt fixed, the share that is lost. *Gone*: of the pictures whose prompt mentions the value, the share that no longer shows "
    "it once it is removed. *Kept siblings*: of the pictures with another value of the same factor, the share that still shows it. "
    "*Kept others*: the same for all other factors. *Change* (language-only features): the share of pictures in which the judge "
    "reads any factor differently."
)


def section(figures: Figures) -> str:
    """The section, from what `study effects` wrote."""
    targets, sizes = figures["targets"], figures["sizes"]
    features, concepts = ({row[key] for row in figures["features"]} for key in ("feature", "concept"))
    return paragraphs(
        command(
            figures, f"{len(concepts)} concepts, {len(features)} features, at strength 1; {sizes['prompts']} prompts each, "
            f"{sizes['prompts_language']} for language-only ones; mean differences from {sizes['pairs']:,} pairs",
        ),
        "The figures are means over concepts; a concept with several features counts once. Every direction is pushed as far as "
        "the feature's own and gets the same help: it is measured alone, and with the same suppression of the strongest mutually "
        "exclusive feature in the prompt. A slider applies *feature + suppression*; *hit - shipped* is the paired difference to "
        "it. *Twins apart*: how far the hits of one concept's features lie apart.",
        _METRICS,
        f"Targets: hit {decimal(targets['hit cross'])}, leak at most {decimal(targets['leak'])}, gone {decimal(targets['gone'])}, change "
        f"at most {decimal(targets['change language'])}.",
        "### Cross-modal features, added",
        _table(figures, "cross", ("hit", "hit - shipped", "leak")),
        *_comparison(figures),
        "### Cross-modal features, removed",
        "In the three figures of UnlearnCanvas (2402.11846):",
        _table(figures, "cross", ("gone", "kept siblings", "kept others")),
        _weakest_removed(figures),
        "### Vision-only features",
        _table(figures, "vision", ("hit", "leak", "gone", "kept others")),
        "### Language-only features",
        _table(figures, "language", ("change",)),
        "![One prompt a column: before on top; below, one feature added at strength 1, its name and modality at the left](effects.webp)",
        "### What these figures do not say",
        "The embedded UNet was trained to be steered: half of its training steps carried such directions (`mmsteer/world/training`). "
        "An ordinary checkpoint was not; the next section measures one.",
        "A null-space projection also takes the directions of openings, moods and closings out of what this UNet reads "
        "(`mmsteer/world/models/null_space.py`). So *change* says how purely a feature consists of these directions. It says "
        "nothing about a UNet that has only learned to ignore them.",
    )  # fmt: skip


def _table(figures: Figures, modality: str, keys: tuple[str, ...]) -> str:
    rows = [row for row in figures["summary"] if row["modality"] == modality and any(row[key] for key in keys)]
    if keys[0] == "gone":  # removal needs no suppression: its figures stand in both rows
        rows = [row for row in rows if not row["method"].endswith(_WITH)]
    cells = [
        [row["method"], row["needs labels"] or "", *(bold_if(_missed(figures, row, key), interval(row[key])) for key in keys)]
        for row in rows
    ]  # fmt: skip
    return table(("method", "needs labels", *keys), cells)


def _missed(figures: Figures, row: Figures, key: str) -> bool:
    """Whether what a slider applies misses the target of a figure."""
    targets = figures["targets"]
    target = targets.get(f"{key} {row['modality']}", targets.get(key))
    shipped = "feature" if key == "gone" else _SHIPPED[row["modality"]]  # removal needs no suppression
    return row["method"] == shipped and missed(row[key], target, key in ("leak", "change"))


def _comparison(figures: Figures) -> list[str]:
    hits = {row["method"]: row["hit"] for row in figures["summary"] if row["modality"] == "cross" and row["hit"]}
    by_length = {
        length: {
            row["method"]: row["hit"]
            for row in figures["curves"]
            if (row["modality"], row["length"]) == ("cross", length)
        }
        for length in (0.5, 2.0)
    }
    half, twice = by_length[0.5], by_length[2.0]
    feature, mean = "feature", "mean difference"

    def hit(rows: dict[str, Figures], method: str) -> str:
        return decimal(rows[method]["value"])

    weak = [row for row in _weakest_first(figures, "hit") if row["hit"]["value"] < 0.6]
    faint = listed([f'"{row["feature"]}" ({decimal(row["hit"]["value"], 1)})' for row in weak])
    return [
        "So the dictionary gives no better direction than labels do, but one that needs no labels. Alone, a feature reaches "
        f"{hit(hits, feature)} and a mean difference {hit(hits, mean)}; with suppression {hit(hits, feature + _WITH)} and "
        f"{hit(hits, mean + _WITH)}. Pushed half as far, they reach {hit(half, feature + _WITH)} and {hit(half, mean + _WITH)} with "
        f"suppression; pushed twice as far, {hit(twice, feature)} and {hit(twice, mean)} without it (over "
        f"{twice[feature]['trials']} concepts; the figure has every length). "
        + (f"Weakest in hit are {faint}." if faint else "Every feature has a hit of 0.6 or more."),
        figure("effects", "Hit and leak of every direction by the length of its push"),
    ]


def _weakest_removed(figures: Figures) -> str:
    weak = [row for row in _weakest_first(figures, "gone") if row["gone"]["value"] < 0.5]
    if not weak:
        return "Every feature's removal is at 0.5 or more."
    names = [f'"{row["feature"]}" ({decimal(row["gone"]["value"], 1)})' for row in weak]
    return (
        f"Weakest in removal are {listed(names)}: a prompt that no longer mentions a value may still be drawn with it."
    )


def _weakest_first(figures: Figures, key: str) -> list[Figures]:
    """The rows of what a slider applies for cross-modal features, by a figure."""
    rows = [r for r in figures["features"] if (r["modality"], r["method"]) == ("cross", _SHIPPED["cross"]) and r[key]]
    return sorted(rows, key=lambda row: float(row[key]["value"]))
