"""RESULTS.md: sliders made from a few pictures."""

from mmsteer.studies.measures.shares import decimal
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
    """The most pictures beside the feature, on each model."""
    most = max(figures["sizes"]["pictures"])
    rows = {(row["backbone"], row["method"]): row for row in figures["summary"]}

    def said(backbone: str, method: str, key: str) -> str:
        return decimal(rows[backbone, method][key]["value"])

    alike, unlike = f"{most} pictures, alike", f"{most} pictures, unlike"
    return [
        f"On the embedded model, {most} pictures of each group that are alike in all else reach a hit of {said('mini', alike, 'hit')}, and "
        f"{most} that are not {said('mini', unlike, 'hit')}, beside {said('mini', 'feature', 'hit')} of the bank's features. On the UNet "
        f"that was not trained to be steered, they leak {said('ordinary', alike, 'leak')} and {said('ordinary', unlike, 'leak')} beside "
        f"{said('ordinary', 'feature', 'leak')}; through the image embedding {said('ordinary-image', alike, 'leak')} and "
        f"{said('ordinary-image', unlike, 'leak')}, with a hit of {said('ordinary-image', alike, 'hit')} and "
        f"{said('ordinary-image', unlike, 'hit')}: there they leave the words, which may say otherwise, as they are."
    ]
