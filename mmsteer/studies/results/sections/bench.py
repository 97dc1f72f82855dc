"""RESULTS.md: what steering costs in time and memory."""

from mmsteer.studies.results.markdown import Figures, bold_if, paragraphs, table

TITLE = "Time and memory"
_ROWS = (
    ("picture, bare pipeline, ms", "A picture through the stock pipeline, ms", 150, 0),
    (
        "bare / first generation's shapes (128 px, 12 guided steps)",
        "The same over a picture of the first generation's shapes (128 pixels, 12 guided steps), in the same run", 0.6, 3,
    ),
    ("steered / bare, median of pairs", "A steered picture over one through the stock pipeline, median of pairs", 1.02, 3),
    ("encoding the prompt and editing, ms", "Of that, encoding and editing the prompt, ms", 5, 1),
    ("live: pictures per second while a slider is dragged", "Pictures a second on the page while a slider is dragged", 4, 1),
    (
        "embedding: share of a bare forward loop's rate",
        "Rate of embedding pairs over a bare forward loop, a model of ViT-B/32's shape", 0.9, 3,
    ),
    ("memory at its highest, MB", "Memory at its highest, MB", None, 0),
    ("start-up: picture drawn ahead served, s", "From the start of the process until the page serves a picture, s", 3, 1),
    ("start-up: page imported, s", "From the start of the process until the page is imported, s", None, 1),
    ("start-up: first picture, s", "From the start of the process until the first picture, s", None, 1),
)  # fmt: skip
"""Of the bench's figures those that are shown: name, words, target, digits."""
_AT_LEAST = ("live", "embedding")


def section(figures: Figures) -> str:
    """The section, from what `bench` wrote."""
    measured, rows = figures["measured"], []
    for name, words, target, digits in _ROWS:
        if name not in measured:  # by an earlier bench
            continue
        value, at_least = measured[name], name.startswith(_AT_LEAST)
        missed = target is not None and (value < target if at_least else value > target)
        aim = "" if target is None else f"{'at least' if at_least else 'at most'} {target:g}"
        rows.append([words, bold_if(missed, f"{value:.{digits}f}"), aim])
    return paragraphs(
        f"`python -m mmsteer bench{' --quick' * figures['quick']}` ({measured['torch threads']} torch threads, on CPU cores with "
        "nothing else to do).",
        table(("", "measured", "target"), rows),
        "Without `--quick` the bench also measures by how much the page's memory grows over many pictures, and how long dictionaries "
        "of the bank's size take to train. It can compare the speed of training with sparsify, dictionary_learning and SAELens, one "
        "thread each (`python -m mmsteer bench --help`).",
    )  # fmt: skip
