"""What each study found: one number, one sentence, bars, and the rest in words, all made from the numbers of its JSON."""

from collections.abc import Callable
from typing import Any, NamedTuple

from mmsteer.bank import MODALITIES
from mmsteer.bank.modality import LABELS
from mmsteer.ui.proof.charts import Bar, percent

Figures = dict[str, Any]
_DEFAULT = ("matryoshka", "levels")  # the default objective, and what figures measured before its renaming call it


class Finding(NamedTuple):
    """A study in short."""

    number: str
    sentence: str
    """What the number is."""
    bars: list[Bar]
    about: str
    """What the bars show."""
    more: str
    """The rest, in sentences."""


def labels(figures: Figures) -> Finding:
    """Whether labels are right, against the known truth."""
    ours, paper = (
        next(r for r in figures["objectives"] if r["objective"] in names) for names in (_DEFAULT, ("shared",))
    )
    return Finding(
        percent(ours["precision"]), "of the features that detect one known factor carry the right label.",
        [
            Bar("right labels, one dictionary a side", ours["precision"], "cross"),
            Bar("right labels, one shared dictionary, as the paper trains", paper["precision"]),
            *(Bar(f"values with a rightly labelled feature: {LABELS[m]}", ours[f"recall {m}"], m) for m in MODALITIES),
        ],
        "labels against the known truth",
        f"With one dictionary for both sides, as the paper trains it, {percent(paper['precision'])} do. There is a correctly "
        f"labelled feature for {percent(ours['recall cross'])} of cross, {percent(ours['recall vision'])} of vision and "
        f"{percent(ours['recall language'])} of language factor values.",
    )  # fmt: skip


def concepts(figures: Figures) -> Finding:
    """Where shared dictionaries go wrong, on synthetic vectors."""
    lowest = min(row["cosine"] for row in figures["concepts"])
    rows = {r["objective"]: r for r in figures["concepts"] if r["cosine"] == lowest}
    ours = next(rows[name] for name in _DEFAULT if name in rows)
    shared = rows["shared"]["recall cross"]
    return Finding(
        f"{percent(ours['recall cross'])}, not {percent(shared)}",
        "of cross-modal concepts are labelled correctly with one dictionary a side instead of a shared one.",
        [
            Bar("one dictionary a side, matched by co-firing", ours["recall cross"], "cross"),
            Bar("one dictionary for both sides", shared),
        ],
        "cross-modal concepts labelled correctly",
        f"On synthetic vectors, where a concept's directions in pictures and in captions have a cosine of {lowest}: a shared "
        "dictionary learns such a concept twice, once for each side.",
    )  # fmt: skip


def removal(figures: Figures) -> Finding:
    """What recognition loses without a modality."""
    comparison = "equal energy"
    costs = {row["removed"]: row["recognition cost"] for row in figures["costs"] if row["comparison"] == comparison}
    first, _, second = str(figures["text"]).partition("\n")
    return Finding(
        percent(costs["cross"]),
        "of the pictures are no longer recognised without seen-and-said features, at equal energy removed.",
        [Bar(f"no longer recognised without what is {LABELS[m]}", costs[m], m) for m in MODALITIES],
        "recognition lost without each modality", f"{first} {second}",
    )  # fmt: skip


def effects(figures: Figures) -> Finding:
    """What features do to pictures, beside directions made from labels."""
    rows = {(row["modality"], row["method"]): row for row in figures["summary"]}
    feature, labelled = (rows["cross", f"{way} + suppression"] for way in ("feature", "mean difference"))
    alone, apart = rows["cross", "feature"], labelled["hit - shipped"]
    return Finding(
        percent(feature["hit"]), "of missing things, places and sizes appear when their feature is added at strength one.",
        [
            Bar("feature", feature["hit"], "cross"),
            Bar("feature, without suppressing what excludes it", alone["hit"], "cross"),
            Bar("mean difference made from labels", labelled["hit"]),
            Bar("of everything else in the prompt, lost with the feature", feature["leak"]),
        ],
        "values that appear, and what is lost",
        f"A mean difference made from labels, with the same length and the same suppression, brings it in {percent(labelled['hit'])}: "
        f"a difference of {100 * apart['value']:+z.1f} points (interval {100 * apart['low']:+z.1f} to {100 * apart['high']:+z.1f}). The "
        "embedded UNet was trained to read such directions; other checkpoints were not.",
    )  # fmt: skip


def ordinary(figures: Figures) -> Finding:
    """The same on a UNet that was not trained to be steered."""
    rows = {(row["UNet"], row["route"], row["concepts"]): row for row in figures["rows"]}
    words, image = (rows["ordinary", route, "vision"] for route in ("words", "image"))
    cross = rows["ordinary", "image", "cross: place, position, size"]
    return Finding(
        percent(image["hit"]), "of only-seen features appear on an ordinary UNet through an image adapter.",
        [
            Bar("only seen, through an image adapter", image["hit"], "vision"),
            Bar("only seen, through the words", words["hit"], "vision"),
            Bar("places, positions, sizes, through the adapter", cross["hit"], "cross"),
            Bar("of what the prompt fixed, lost through the words", words["leak"]),
            Bar("of what the prompt fixed, lost through the adapter", image["leak"]),
        ],
        "features that appear, and what is lost",
        f"The UNet was trained on captions alone. Vision-only features that act through the words appear in {percent(words['hit'])} "
        f"of cases, and {percent(words['leak'])} of what the prompt fixed is lost. Through an image adapter, as real checkpoints have "
        f"one, {percent(image['leak'])} is lost; places, positions and sizes appear in {percent(cross['hit'])}, with "
        f"{percent(cross['leak'])} lost.",
    )  # fmt: skip


def parts(figures: Figures) -> Finding:
    """What is left of an edit that acts in part."""
    words = {row["on"]: row["left"] for row in figures["rows"] if row["UNet"] == "mini"}
    late = {row["from"]: row["left"] for row in figures["steps"] if row["UNet"] == "mini"}
    half = sorted(late)[-2]
    outside = [row["outside, dB"]["value"] for row in figures["regions"] if row["UNet"] == "mini"]
    return Finding(
        percent(words["thing"]), "of an edit's change to the picture is left where it acts on the thing's word alone.",
        [
            Bar("on the thing's word alone", words["thing"], "cross"),
            Bar("on all words of the prompt", words["all words"], "cross"),
            Bar("on the end of the text alone", words["end of text"], "cross"),
            Bar(f"on all words, from {percent(half)} of the run on", late[half]),
        ],
        "how much of the change is left",
        "The text encoder is causal: only the end of the text holds the whole prompt, so that most of an edit acts there. To act on one "
        f"part of a picture, mark a region: beyond it, by feature, pictures are {min(outside):.0f} to {max(outside):.0f} dB from before "
        "(peak signal-to-noise ratio: the higher, the more alike).",
    )  # fmt: skip


FINDINGS: dict[str, Callable[[Figures], Finding]] = {
    "labels": labels, "concepts": concepts, "removal": removal, "effects": effects, "ordinary": ordinary, "parts": parts,
}  # fmt: skip
"""By the study's name on the command line."""
