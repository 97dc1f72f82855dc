"""Results as HTML for notebooks. No style sheet and no script: what a person or a bank wrote is escaped, and pictures travel within."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from mmsteer.bank import Feature
from mmsteer.bank.modality import LABELS, SHAPES
from mmsteer.recipes.data_url import recipe_url
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.recipes.edit import Edit


def pair(
    before: "Image.Image",
    after: "Image.Image",
    recipe: Recipe,
    edited: Sequence[Feature | Direction],
    sentences: Sequence[str],
) -> str:
    """Before and after side by side; below them the prompt, the edits with their modality, and some sentences.

    A picture that is saved from the notebook carries its recipe.

    Args:
        before: the picture of `recipe.plain`.
        after: the picture of `recipe`.
        recipe: of both.
        edited: the feature of each edit.
        sentences: what else there is to say, plain text.
    """
    figures = "".join(
        f'<figure style="margin:0"><img src="{recipe_url(picture, own)}" alt="{escape(f"{when}: {own.prompt}")}" '
        f'style="max-width:100%"><figcaption>{when}</figcaption></figure>'
        for when, picture, own in (("before", before, recipe.plain), ("after", after, recipe))
    )
    sampler = recipe.sampler
    how = f"seed {recipe.seed}, {sampler.steps} steps, guidance {sampler.guidance:g}"
    how += f", from a picture at freedom {recipe.start.freedom:g}" if recipe.start else ""
    edits = "".join(_edit(*both) for both in zip(recipe.edits, edited, strict=True))
    return (
        f'<div><div style="display:flex;flex-wrap:wrap;gap:8px">{figures}</div><p><b>{escape(recipe.prompt)}</b> ({how})</p>'
        + (f"<ul>{edits}</ul>" if edits else "<p>no edits</p>")
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
        + "</div>"
    )


def table(rows: Mapping[str, str]) -> str:
    """Names and what they stand for, plain text, one a row."""
    cells = (
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"


def counts(features: Sequence[Feature | Direction]) -> str:
    """How many features there are, of each modality: "198 features: ◉ 40 only seen, …"."""
    each = ((SHAPES[m], sum(feature.modality == m for feature in features), LABELS[m]) for m in LABELS)
    return f"{len(features)} features: " + ", ".join(f"{shape} {count} {label}" for shape, count, label in each)


def _edit(edit: "Edit", feature: Feature | Direction) -> str:
    modality = feature.modality
    return f"<li>{SHAPES[modality]} {escape(feature.name)}, {LABELS[modality]}: <code>{escape(edit.brief)}</code></li>"
