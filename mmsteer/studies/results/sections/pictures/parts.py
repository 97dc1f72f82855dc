"""RESULTS.md: what is left of an edit that acts on some rows, in late steps, or in a region alone."""

from mmsteer.studies.results.markdown import Figures, command, figure, interval, paragraphs, quoted, span, table

TITLE = "An edit on one word, late, or in a region"
_UNETS = ("mini", "ordinary")
_SHARES = tuple(f"{unet}: {share}" for unet in _UNETS for share in ("left", "hit"))
_REGION = ("inside", "outside, dB", "outside everywhere, dB", "hit", "hit everywhere")


def section(figures: Figures) -> str:
    """The section, from what `study parts` wrote."""
    return paragraphs(
        command(figures, f"{figures['prompts']} prompts, {len(figures['features'])} features, both embedded UNets", " --threads 1"),
        "An edit may act on [the rows of some words, in part of the run](../../mmsteer/recipes/README.md#edits), or in "
        "[a region](../../mmsteer/recipes/README.md#regions). What is left of it? Prompts read “a big THING in a PLACE”, each with "
        f"another thing; features: {quoted(figures['features'])}, each at strength 1. *Before*, the whole edit and all its parts are "
        "drawn from the same prompts and noise, and every row that is moved is moved by the same vector. *Left*: the mean difference from "
        "*before*, over that of the whole edit; the ratio of the sums over prompts, its mean over features. *Hit*: of the pictures "
        "without a feature's value, the share that the judge reads it in. Intervals of hits are Wilson's, all others by bootstrap over "
        "prompts. The UNet *ordinary* was not trained to be steered.",
        table(("on these rows alone", "rows", *_SHARES), _beside(figures["rows"], ("on", "rows"))),
        table(("from this part of the run on", *_SHARES), _beside(figures["steps"], ("from",))),
        _of_rows_and_steps(figures),
        "The region is the right half of the picture. *Inside*: as *left*, well within the region. *Outside*: the peak signal-to-noise "
        "ratio to *before*, well beyond it; beside it what the edit without a region leaves there.",
        table(("UNet", "feature", *_REGION), [
            [row["UNet"], row["feature"], *(interval(row[key], 1 if "dB" in key else 2) for key in _REGION)] for row in figures["regions"]
        ]),
        _of_regions(figures["regions"]),
        figure("parts", "What is left by rows, by steps and within the region, with intervals"),
        "![Night in whole and in parts, six prompts, both UNets](parts.webp)",
    )  # fmt: skip


def _beside(rows: list[Figures], keys: tuple[str, ...]) -> list[list[str]]:
    """A line for each part, with both UNets beside each other."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for unet in _UNETS:
        for row in (row for row in rows if row["UNet"] == unet):
            part = tuple(f"{row[key]:g}" if isinstance(row[key], float) else str(row[key]) for key in keys)
            lines.setdefault(part, list(part)).extend([interval(row["left"]), interval(row["hit"])])
    return list(lines.values())


def _of_rows_and_steps(figures: Figures) -> str:
    def said(rows: str, key: str, part: str | float, of: str = "left") -> str:
        values = {row["UNet"]: row[of]["value"] for row in figures[rows] if row[key] == part}
        return " and ".join(f"{values[unet]:.2f}" for unet in _UNETS)

    starts = [row["from"] for row in figures["steps"] if row["UNet"] == _UNETS[0]]
    late, latest = starts[-2:]
    return (
        f"On the thing's word alone, {said('rows', 'on', 'thing')} of the change are left (*mini* and *ordinary*), beside "
        f"{said('rows', 'on', 'preposition')} on the preposition alone; the value shows in {said('rows', 'on', 'thing', 'hit')} of the "
        f"pictures, beside {said('steps', 'from', 0.0, 'hit')} once the whole edit acts. On all words, {said('rows', 'on', 'all words')} "
        f"are left; on the one row of the end of the text, {said('rows', 'on', 'end of text')}; on that and all rows after it, "
        f"{said('rows', 'on', 'end of text and all after it')}. The text encoder is causal: only these rows hold the whole prompt. An "
        f"edit that begins at {late:g} of the run keeps {said('steps', 'from', late)}; one that begins at {latest:g}, "
        f"{said('steps', 'from', latest)}. Parts do not add up to the whole."
    )


def _of_regions(rows: list[Figures]) -> str:
    def values(unet: str, key: str, digits: int) -> str:
        return span((row[key]["value"] for row in rows if row["UNet"] == unet), digits)

    each = [
        f"on *{unet}*, {values(unet, 'inside', 2)} of the change is left within, and beyond it pictures are "
        f"{values(unet, 'outside, dB', 1)} dB from *before*, against {values(unet, 'outside everywhere, dB', 1)} dB without a region"
        for unet in _UNETS
    ]
    return f"By feature: {'; '.join(each)}."
