"""RESULTS.md: how much of a picture of one's own is kept as edits act on it, by its freedom."""

from mmsteer.studies.results.markdown import Figures, command, interval, paragraphs, quoted, table

TITLE = "A picture of one's own"
_HEAD = (
    "freedom", "steps drawn", "PSNR of *before*, dB", "CLIP similarity of *before*", "lost in *before*", "hit vision", "leak vision",
    "hit cross", "leak cross", "PSNR outside the change, dB, vision", "cross",
)  # fmt: skip


def section(figures: Figures) -> str:
    """The section, from what `study kept` wrote."""
    rows = [
        [
            f"{row['freedom']:g}", str(row["steps"]), interval(row["PSNR before"], 1), interval(row["CLIP before"]),
            *(interval(row[key]) for key in ("lost", "hit vision", "leak vision", "hit cross", "leak cross")),
            *(interval(row[f"PSNR outside {kind}"], 1) for kind in ("vision", "cross")),
        ] for row in figures["freedoms"]
    ]  # fmt: skip
    features = figures["features"]
    return paragraphs(
        command(figures, f"{figures['pictures']} scenes drawn from known factors, never by the UNet", " --threads 1"),
        "Each scene is encoded, noised as far as its freedom says, and drawn again with a prompt that says what a caption can say of "
        "it: *before*; and with one feature at its natural strength: *after*. Scenes, noise and edits are the same at every freedom. "
        f"Vision-only features: {quoted(features['vision'])}; cross-modal: {quoted(features['cross'])}. *Lost*: of the drawn factors, "
        "the share that *before* no longer shows. *Hit*: of the scenes without the value, the share that shows it in *after*. *Leak*: "
        "of the other drawn factors, those that no caption states included, the share that *after* no longer shows. The last row is "
        "free of the picture: what the prompt alone gives.",
        table(_HEAD, rows),
    )  # fmt: skip
