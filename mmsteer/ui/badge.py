"""A feature's modality as a badge: a colour, a shape and a word, so that none of them is needed alone. Plain HTML."""

from collections.abc import Sequence
from html import escape

from mmsteer.bank import Feature
from mmsteer.steering.provenance import Missing

SHAPES = {"vision": "◉", "language": "❝", "cross": "⇄"}
MEANINGS = {
    "vision": "seen in pictures, never said in captions",
    "language": "said in captions, never seen in pictures",
    "cross": "both said and seen",
}


def score_told(feature: Feature) -> str:
    """The score in words, with its interval, and what the modality means."""
    both = "" if feature.mds_both is None else f"; {feature.mds_both:.2f} where both sides fire"
    return (
        f"Modality Dominance Score {feature.mds:.2f}, 95 % interval {feature.mds_low:.2f} to {feature.mds_high:.2f}, "
        f"from {feature.n_pairs} pairs{both}: {MEANINGS[feature.modality]}"
    )


def name_told(feature: Feature) -> str | None:
    """What the score of the name measures; None where a person gave it, or where there is no name."""
    if feature.name_confidence is None:
        return None
    told = {
        "truth": "F1 of the feature's firing against the known factor",
        "words": "AUC of these words in a caption against the feature's activation",
        "property": "AUC of this property of pictures against the feature's firing",
    }[feature.named_by or "truth"]
    share = "" if feature.share is None else f"; the name accounts for {feature.share:.0%} of its activation"
    return f"held-out score of the name: {told}{share}"


def active(features: Sequence[tuple[Feature, float]]) -> str:
    """The features present in a prompt (`Steerer.features_of`), as buttons that put them into the rack, taken out."""
    if not features:
        return '<p class="mm-empty">This prompt contains no feature of the bank.</p>'
    chips = (
        f'<button type="button" class="mm-chip mm-of-{f.modality}" data-mm-add="{f.id}" data-mm-strength="-1" '
        f'title="presence {amount:.1f}: 1 is as strong as normal; click to take it out. {escape(score_told(f), quote=True)}">'
        f'<span aria-hidden="true">{SHAPES[f.modality]}</span> {escape(f.name)} <small>{amount:.1f}</small></button>'
        for f, amount in features
    )
    return f'<div class="mm-chips"><span class="mm-lead-in">In this prompt</span>{"".join(chips)}</div>'


def instead(one: Missing) -> str:
    """An edit whose feature is not here, and buttons that put the features of the nearest names into the rack instead."""
    strength = -one.edit.strength if one.edit.mode == "remove" else one.edit.strength
    chips = "".join(
        f'<button type="button" class="mm-chip mm-of-{f.modality}" data-mm-add="{f.id}" data-mm-strength="{strength:g}" '
        f'title="{escape(score_told(f), quote=True)}"><span aria-hidden="true">{SHAPES[f.modality]}</span> {escape(f.name)}</button>'
        for f in one.near
    )
    offers = f'<div class="mm-chips"><span class="mm-lead-in">Nearest by name</span>{chips}</div>' if chips else ""
    return f'<div class="mm-note" role="status">{escape(one.note)}{offers}</div>'


def legend() -> str:
    """The three classes, explained in one line each."""
    rows = (
        f'<li><span class="mm-badge mm-{m}"><span aria-hidden="true">{SHAPES[m]}</span> {m}</span> {MEANINGS[m]}</li>'
        for m in MEANINGS
    )
    return f'<ul class="mm-legend">{"".join(rows)}</ul>'
