"""A feature's modality as colour, shape and word, so that no visitor depends on one of them; what scores mean. Plain HTML."""

from html import escape

from mmsteer.bank import Feature
from mmsteer.bank.modality import LABELS, MEANINGS, SHAPES
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.provenance import Missing

HEADING = """<div><h1>mmsteer</h1><p>Turn one idea up or down inside an image generator.
Some ideas live only in pictures, some only in words, some in both.</p></div>"""
"""What stands on top of every page."""


def score_tooltip(feature: Feature) -> str:
    """The score in words, with its interval, and what the modality means."""
    both = "" if feature.mds_both is None else f"; {feature.mds_both:.2f} where both sides fire"
    return (
        f"Modality Dominance Score {feature.mds:.2f}, 95 % interval {feature.mds_low:.2f} to {feature.mds_high:.2f}, "
        f"from {feature.n_pairs} pairs{both}: {MEANINGS[feature.modality]}"
    )


def made_of(direction: Direction) -> str:
    """What a direction is made of, and which features are nearest to it."""
    parts = ", ".join(
        f"{share:.0%} {LABELS[m]}"
        for m, share in sorted(direction.shares.items(), key=lambda pair: -pair[1])
        if share >= 0.005
    )
    near = ", ".join(f"{feature.name} {cosine:.2f}" for feature, cosine in direction.near[:3])
    how = "of pictures by CLIP's image encoder" if direction.image_only else "of these words by the text encoder"
    return f"made {how}; in features of the bank {parts}; nearest, by cosine, {near}"


def name_tooltip(feature: Feature) -> str | None:
    """What the name confidence measures; None if a person gave the name, or if there is none."""
    if feature.name_confidence is None:
        return None
    measure = {
        "truth": "F1 of the feature's firing against the known factor",
        "words": "AUC of these words in a caption against the feature's activation",
        "property": "AUC of this property of pictures against the feature's firing",
    }[feature.named_by or "truth"]
    share = "" if feature.share is None else f"; the name accounts for {feature.share:.0%} of its activation"
    return f"name confidence, on held-out pairs: {measure}{share}"


def instead(one: Missing) -> str:
    """An edit whose feature this bank lacks, with buttons that put the features of the nearest names into the rack instead."""
    strength = -one.edit.strength if one.edit.mode == "remove" else one.edit.strength
    chips = "".join(feature_chip(f, strength, score_tooltip(f)) for f in one.near)
    offers = f'<div class="mm-chips"><span class="mm-lead-in">Nearest by name</span>{chips}</div>' if chips else ""
    return f'<div class="mm-note" role="status">{escape(one.note)}{offers}</div>'


def feature_chip(feature: Feature, strength: float, title: str, more: str = "", kind: str = "") -> str:
    """A button that puts a feature into the rack. All that a bank says is escaped here; `more` is HTML, `kind` a class.

    The page's schema lets no bank in whose ids are no numbers. A bank made in a program has met no schema.
    """
    number, modality, shape = (escape(str(part)) for part in (feature.id, feature.modality, SHAPES[feature.modality]))
    return (
        f'<button type="button" class="mm-chip mm-of-{modality} {kind}" data-mm-add="{number}" data-mm-strength="{strength:g}" '
        f'title="{escape(title)}"><span aria-hidden="true">{shape}</span> {escape(feature.name)}{more}</button>'
    )


def legend() -> str:
    """The three classes, with what they mean as tooltips."""
    rows = (
        f'<li title="{MEANINGS[m]}"><span class="mm-badge mm-{m}"><span aria-hidden="true">{SHAPES[m]}</span> {LABELS[m]}</span></li>'
        for m in MEANINGS
    )
    return f'<ul class="mm-legend">{"".join(rows)}</ul>'
