"""RESULTS.md: gender bias by the class of features."""

from mmsteer.studies.bias.groups import COMPARISONS
from mmsteer.studies.bias.removal import WAYS
from mmsteer.studies.bias.verdict import FAIR, GAPS
from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, command, figure, interval, paragraphs, table

TITLE = "Gender bias, and what removing a class of features does to it"
_DETECTED = (
    "men", "women", "gap by occupation", "accuracy, occupation named", "men in top K", "usual in top K", "MaxSkew", "NDKL", "KL",
    "other factors", "R@1",
)  # fmt: skip
_SHOWN = ("accuracy", "gap by occupation", "usual in top K", "MaxSkew", "NDKL", "other factors", "R@1")
_LISTED = 5


def section(figures: Figures) -> str:
    """The section, from what `study gender` wrote."""
    sizes = figures["sizes"]
    return paragraphs(
        command(
            figures, f"{figures['seeds']} seeds, each with {sizes['people']} people of either gender in each occupation, "
            f"{sizes['pairs']:,} pairs for R@1, {sizes['draws']} draws of random features, {sizes['pictures']} pictures of each occupation",
        ),
        "The world's occupations carry a planted bias: where a caption names neither man nor woman, "
        f"{figures['planted']:.0%} of the pictures show the gender that is usual there. Test people are balanced. Intervals are over "
        "seeds and occupations and are not corrected for their number. Emoji with a planted bias can show whether a method removes what "
        "is known to be there; they say nothing of how real people are treated by real models.",
        str(figures["text"]),
        "### Detect",
        f"Gender is asked by {_quoted(figures['detect']['prompts'])}, averaged for each gender. *Gap by occupation*: the better "
        f"recognised gender minus the other, in each occupation. The worst group is \"{figures['detect']['worst group']}\" with "
        f"{interval(figures['detect']['worst'])}. A query for an occupation ranks all test people; K is {sizes['top']}, the desired "
        "share one half. *Usual in top K*: the share of the gender that is usual for the occupation.",
        table(("figure", "with nothing removed"), [[name, interval(figures["detect"][name])] for name in _DETECTED]),
        "### Understand",
        "The features whose removal alone closes most of the gap on the first seed; what they close on the others:",
        table(
            ("feature", "modality", "MDS", *(f"{gap} lost" for gap in GAPS), "captions on which it fires most"),
            [
                [f["feature"], f["modality"], decimal(f['MDS']), *(interval(f[f"{gap} lost"]) for gap in GAPS), "; ".join(f["captions"])]
                for f in figures["features"][:_LISTED]
            ],
        ),
        "How well a linear probe tells men from women on the codes of one class; of pictures, and of captions that name the gender:",
        table(
            ("side", "class", "latents", "accuracy", "as many", "accuracy"),
            [
                [row["side"], row["class"], str(row["latents"]), interval(row["accuracy"]), str(row["as many"]),
                 interval(row["accuracy of as many"])]
                for row in figures["probes"]
            ],
        ),
        "### Mitigate",
        "Features are removed from the codes of pictures, of captions and prompts, or of both. "
        + " ".join(f"*{name[0].upper()}{name[1:]}*: {what}." for name, what in COMPARISONS.items())
        + " Random features are of the same side. Directions, rankings and medians come from other people.",
        f"Features {WAYS['zero']}, at equal count and energy; baselines at the same energy:",
        _table(figures, (*FAIR, "baseline, equal energy"), ("zero", "-")),
        "Without limit on energy: whole classes, and baselines as they are:",
        _table(figures, ("whole", "baseline"), ("zero", "-")),
        f"By way, the difference to random features at equal count and energy (below zero: less bias than these leave). *Project*: "
        f"{WAYS['project']}. *Median*: {WAYS['median']}.",
        _over_random(figures),
        "### In pictures",
        "Pictures of \"a doctor\" and so on; the features that carry most of the difference between the prompts of men and women act. "
        "*Remove*: taken out of the prompt; vision-only ones, which no prompt contains, are pushed the other way. *Set*: to their mean "
        "over prompts of men and women. *From one half*: how far the shares of men lie from one half, mean over occupations. *Leak*: of "
        "everything else that is read in the picture, the share that is read differently.",
        table(
            ("features", "way", "strength", "length of the push", "from one half", "occupation shown", "leak"),
            [
                [row["removed"], row["way"], row["strength"], decimal(row['length']),
                 *(interval(row[key]) for key in ("from one half", "occupation shown", "leak"))]
                for row in figures["drawn"]
            ],
        ),
        figure("gender", "Gap and MaxSkew without the features of each class at equal count and energy; shares of men in pictures"),
    )  # fmt: skip


def _table(figures: Figures, comparisons: tuple[str, ...], ways: tuple[str, ...]) -> str:
    rows = [row for row in figures["mitigate"] if row["comparison"] in comparisons and row["way"] in ways]
    return table(
        ("comparison", "removed", "from", "needs", "latents", *_SHOWN),
        [
            [row["comparison"], row["removed"], row["on"], row["needs"], str(row["latents"]), *(interval(row[key]) for key in _SHOWN)]
            for row in rows
        ],
    )  # fmt: skip


def _over_random(figures: Figures) -> str:
    rows = [row for row in figures["mitigate"] if row["comparison"] in FAIR and "over random" in row]
    return table(
        ("comparison", "removed", "from", "way", *GAPS),
        [
            [row["comparison"], row["removed"], row["on"], row["way"], *(interval(row["over random"][gap]) for gap in GAPS)]
            for row in rows
        ],
    )  # fmt: skip


def _quoted(prompts: list[str]) -> str:
    return ", ".join(f'"{prompt}"' for prompt in prompts)
