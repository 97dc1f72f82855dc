"""RESULTS.md: what features do to a UNet that was not trained to be steered."""

from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, bold_if, command, figure, interval, missed, paragraphs, table

TITLE = "On a UNet that was not trained to be steered"
_SHOWN = ("thing", "place", "position", "size")


def section(figures: Figures) -> str:
    """The section, from what `study ordinary` wrote."""
    targets = figures["targets"]
    head = ("UNet", "route", "concepts", "hit", "leak", "gone", "mean difference: hit", "mean difference: leak")
    before = [[row["UNet"], row["route"], *(decimal(row[key]["value"]) for key in _SHOWN)] for row in figures["before"]]
    return paragraphs(
        command(figures, f"{figures['sizes']['prompts']} prompts a concept", " --steerable FOLDER"),
        "What does a checkpoint do that has never seen an edit? *Ordinary* is a UNet of under half the size of the embedded one, "
        "trained on captions alone. Beside it stands a *steerable* UNet of the same shape and as many pictures, half of whose later "
        "steps carried edits ([how both were made](../README.md)). Of what prompts mention, *before* shows:",
        table(("UNet", "route", *_SHOWN), before),
        "Routes. *Words*: edits move the text encoder's states. *From a quarter*: the same, from a quarter of the run on. *Guidance*: "
        "words, with `--edit-guidance 2`. *Image*: vision-only features move the image embedding that an adapter reads; all others "
        "move that and the words. Beside them stands a mean difference of known pictures or captions, pushed as far and with the "
        "same suppression. The number of concepts is in brackets.",
        f"Targets on the ordinary UNet: hit {decimal(targets['hit cross'])} for cross-modal and {decimal(targets['hit vision'])} for "
        f"vision-only features, leak at most {decimal(targets['leak'])}.",
        table(head, [_cells(row, targets) for row in figures["rows"]]),
        *_sentences(figures),
        "![The ordinary UNet: one prompt a column; before and three vision-only features through the words, then the same through an "
        "image adapter](ordinary.webp)",
        figure("ordinary", "Hit and leak of each group of concepts by UNet and route"),
    )  # fmt: skip


def _cells(row: Figures, targets: Figures) -> list[str]:
    aims = (
        ("hit", targets["hit vision" if row["concepts"] == "vision" else "hit cross"], False),
        ("leak", targets["leak"], True),
    )
    ordinary = row["UNet"] == "ordinary"
    aimed = [bold_if(ordinary and missed(row[key], aim, below), interval(row[key])) for key, aim, below in aims]
    others = [interval(row[key]) for key in ("gone", "mean difference: hit", "mean difference: leak")]
    return [row["UNet"], row["route"], f"{row['concepts']} ({row['count']})", *aimed, *others]


def _sentences(figures: Figures) -> list[str]:
    routes = {row["route"]: row for row in figures["rows"] if (row["UNet"], row["concepts"]) == ("ordinary", "vision")}
    words, image = routes["words"], routes["image"]
    curve = {(row["UNet"], row["route"], row["length"]): row for row in figures["curves"]}
    quarter = curve["ordinary", "words", 0.25]
    return [
        "In one sentence: on a UNet that was not trained to be steered, vision-only features pushed through the words show in "
        f"{decimal(words['hit']['value'])} of cases and break {decimal(words['leak']['value'])} of what the prompt fixed; through the "
        f"image adapter they show in {decimal(image['hit']['value'])} and break {decimal(image['leak']['value'])}. A weaker "
        f"push through the words does not help: a quarter of it shows in {decimal(quarter['hit']['value'])} and breaks "
        f"{decimal(quarter['leak']['value'])}.",
        "Cross-modal features carry over by either route. The image route misses one target, the leak of things and people. For that "
        "reason, and because this UNet draws less sharply, the embedded default stays the steerable one.",
    ]  # fmt: skip
