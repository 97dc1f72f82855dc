"""The headline table of README.md: at most five rows, each with its figures, the command that measures them, and a caveat."""

from mmsteer.studies.labels import TARGETS
from mmsteer.studies.results.markdown import Figures, bold_if, interval, missed, table

START, END = "<!-- headlines -->", "<!-- /headlines -->"
"""The lines of README.md between which the table stands."""


def headlines(figures: dict[str, Figures]) -> str:
    """The table.

    Args:
        figures: what `effects`, `ordinary`, `labels` and `bench` wrote, by the study's name.
    """
    rows = [*_effects(figures["effects"]), _ordinary(figures["ordinary"]), _labels(figures["labels"])]
    return table(("what", "measured", "command", "caveat"), [*rows, _bench(figures["bench"])])


def _effects(figures: Figures) -> list[list[str]]:
    rows = {(row["modality"], row["method"]): row for row in figures["summary"]}
    feature, mean = (rows["cross", f"{method} + suppression"] for method in ("feature", "mean difference"))
    targets = figures["targets"]
    hit = bold_if(missed(feature["hit"], targets["hit cross"]), interval(feature["hit"]))
    leak = bold_if(missed(feature["leak"], targets["leak"], at_most=True), interval(feature["leak"]))
    gone = bold_if(missed(feature["gone"], targets["gone"]), interval(feature["gone"]))
    command = "`study effects`"
    return [
        [
            "Cross-modal feature, added: it shows (*hit*), something else is lost (*leak*); removed: it is *gone*",
            f"hit {hit}, leak {leak}, gone {gone}", command, "The embedded UNet was trained to be steered.",
        ],
        [
            "Mean difference with labels, pushed as far, for comparison",
            f"hit {interval(mean['hit'])}, leak {interval(mean['leak'])}, gone {interval(mean['gone'])}", command,
            "Features are no better directions than labels give; they need none.",
        ],
    ]  # fmt: skip


def _ordinary(figures: Figures) -> list[str]:
    rows = {(row["UNet"], row["route"], row["concepts"]): row for row in figures["rows"]}
    words, image = (rows["ordinary", route, "vision"] for route in ("words", "image"))
    targets = figures["targets"]

    def cell(row: Figures) -> str:
        hit = bold_if(missed(row["hit"], targets["hit vision"]), interval(row["hit"]))
        leak = bold_if(missed(row["leak"], targets["leak"], at_most=True), interval(row["leak"]))
        return f"hit {hit}, leak {leak}"

    return [
        "Vision-only features on a UNet trained on captions alone: through the words; through an image adapter",
        f"words: {cell(words)}; adapter: {cell(image)}", "`study ordinary`",
        f"{words['count']} concepts. Real checkpoints are such UNets: without an adapter, vision-only features break pictures.",
    ]  # fmt: skip


def _labels(figures: Figures) -> list[str]:
    row = figures["objectives"][0]
    shares = {
        key: bold_if(missed(row[key], TARGETS[key.partition(" ")[0]]), interval(row[key]))
        for key in ("precision", "recall vision", "recall language", "recall cross")
    }
    return [
        "Labels against the known factors: precision; recall of vision-only, language-only, cross-modal values",
        f"precision {shares['precision']}; recall {', '.join(list(shares.values())[1:])}", "`study labels`",
        f"The embedded world, {figures['seeds']} seeds. Missed: the camera's roll.",
    ]  # fmt: skip


def _bench(figures: Figures) -> list[str]:
    measured = figures["measured"]
    return [
        "A picture through the stock pipeline; steered, relative to that",
        f"{measured['picture, bare pipeline, ms']:.0f} ms; {measured['steered / bare, median of pairs']:.3f}", "`bench --quick`",
        f"{measured['torch threads']} CPU threads, the embedded model.",
    ]  # fmt: skip
