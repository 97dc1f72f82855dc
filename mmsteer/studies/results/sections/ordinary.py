"""RESULTS.md: what features do to a UNet that was not trained to be steered."""

from mmsteer.studies.results.markdown import Figures, bold_if, command, interval, missed, paragraphs, table

TITLE = "On a UNet that was not trained to be steered"
_SHOWN = ("thing", "place", "position", "size")


def section(figures: Figures) -> str:
    """The section, from what `study ordinary` wrote."""
    targets = figures["targets"]
    head = ("UNet", "route", "concepts", "hit", "leak", "gone", "mean difference: hit", "mean difference: leak")
    before = [[row["UNet"], row["route"], *(f"{row[key]['value']:.2f}" for key in _SHOWN)] for row in figures["before"]]
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
        f"Targets on the ordinary UNet: hit {targets['hit cross']:.2f} for cross-modal and {targets['hit vision']:.2f} for vision-only "
        f"features, leak at most {targets['leak']:.2f}.",
        table(head, [_cells(row, targets) for row in figures["rows"]]),
        *_sentences(figures),
        "![The ordinary UNet: one prompt a column; before and three vision-only features through the words, then the same through an "
        "image adapter](ordinary.webp)",
        "![Hit and leak of each group of concepts by UNet and route](ordinary.png)",
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
        f"{words['hit']['value']:.2f} of cases and break {words['leak']['value']:.2f} of what the prompt fixed; through the image adapter "
        f"they show in {image['hit']['value']:.2f} and break {image['leak']['value']:.2f}. A weaker push through the words does not help: "
        f"a quarter of it shows in {quarter['hit']['value']:.2f} and breaks {quarter['leak']['value']:.2f}.",
        "Cross-modal features carry over by either route. The image route misses one target, the leak of things and people. For that "
        "reason, and because this UNet draws less sharply, the embedded default stays the steerable one.",
    ]  # fmt: skip
