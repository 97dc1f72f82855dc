"""RESULTS.md: sliders made from a few pictures."""

from mmsteer.studies.results.markdown import Figures, command, interval, paragraphs, table

TITLE = "Sliders made from a few pictures"


def section(figures: Figures) -> str:
    """The section, from what `study sliders` wrote."""
    values = list(dict.fromkeys(row["value"] for row in figures["sliders"]))
    head = ("model", "direction", "hit", "leak", "modality as the feature's")
    rows = [
        [row["backbone"], row["method"], interval(row["hit"]), interval(row["leak"]), row["same modality"]]
        for row in figures["summary"]
    ]
    return paragraphs(
        command(figures, f"{figures['sizes']['prompts']} prompts for each of {len(values)} values"),
        "A slider from pictures is the difference of the mean embeddings of a few pictures with something and as many without it. Beside "
        "the bank's own feature it is pushed as far, without suppression, on the same prompts and noise. *Alike*: both groups show the "
        "same scenes, with and without it. *Unlike*: scenes that differ in all else too, as uploads may. *Own length*: pushed as far as "
        "the slider itself at strength 1. *Feature as shipped* has suppression, which a slider from pictures has not.",
        f"Means over {', '.join(values)}. The UNet *ordinary* was not trained to be steered; *ordinary-image* reads an image embedding "
        "beside the words, which sliders from pictures move.",
        table(head, rows),
        *_sentence(figures),
    )


def _sentence(figures: Figures) -> list[str]:
    """The few pictures beside the feature, on the embedded model."""
    rows = {row["method"]: row for row in figures["summary"] if row["backbone"] == "mini"}
    most = max(figures["sizes"]["pictures"])
    hits = {
        name: f"{rows[name]['hit']['value']:.2f}"
        for name in ("feature", f"{most} pictures, alike", f"{most} pictures, unlike")
    }
    alike, unlike = hits[f"{most} pictures, alike"], hits[f"{most} pictures, unlike"]
    return [
        f"On the embedded model, {most} pictures of each group that are alike in all else reach a hit of {alike}, and {most} that are not "
        f"{unlike}, beside {hits['feature']} of the bank's features."
    ]
