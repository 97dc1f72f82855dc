"""A feature's modality as a badge: a colour, a shape and a word, so that none of them is needed alone. Plain HTML."""

from html import escape

from mmsteer.bank import Feature

SHAPES = {"vision": "◉", "language": "❝", "cross": "⇄"}
MEANINGS = {
    "vision": "seen in pictures, never said in captions",
    "language": "said in captions, never seen in pictures",
    "cross": "both said and seen",
}


def badge(feature: Feature) -> str:
    """Shape, modality and score, with the interval for who points at it."""
    told = (
        f"Modality Dominance Score {feature.mds:.2f}, 95 % interval {feature.mds_low:.2f} to {feature.mds_high:.2f}, "
        f"from {feature.n_pairs} pairs"
        + ("" if feature.mds_both is None else f"; {feature.mds_both:.2f} where both sides fire")
        + f": {MEANINGS[feature.modality]}"
    )
    return (
        f'<span class="mm-badge mm-{feature.modality}" title="{escape(told)}">'
        f'<span aria-hidden="true">{SHAPES[feature.modality]}</span> {feature.modality} '
        f'<span class="mm-score">{feature.mds:.2f}</span></span>'
    )


def row_title(feature: Feature) -> str:
    """Name with its held-out score, and badge, above a slider of the rack."""
    return (
        f'<div class="mm-title"><span class="mm-name">{escape(feature.name)}{_name_score(feature)}</span>'
        f"{badge(feature)}</div>"
    )


def _name_score(feature: Feature) -> str:
    """How far to trust the name; nothing where a person gave it, or where there is none."""
    if feature.sure is None:
        return ""
    told = {
        "truth": "F1 of the feature's firing against the known factor",
        "words": "AUC of these words in a caption against the feature's activation",
        "property": "AUC of this property of pictures against the feature's firing",
    }[feature.named_by or "truth"]
    return f' <small title="held-out score of the name: {told}">name {feature.sure:.2f}</small>'


def legend() -> str:
    """The three classes, explained in one line each."""
    rows = (
        f'<li><span class="mm-badge mm-{m}"><span aria-hidden="true">{SHAPES[m]}</span> {m}</span> {MEANINGS[m]}</li>'
        for m in MEANINGS
    )
    return f'<ul class="mm-legend">{"".join(rows)}</ul>'
