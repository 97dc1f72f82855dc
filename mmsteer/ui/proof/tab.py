"""The tab "Proof": figures of the studies, each with two sentences made from the numbers of the same run."""

import json
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from mmsteer.assets import ASSETS
from mmsteer.recipes.data_url import data_url
from mmsteer.ui.shared.events import AT_ONCE
from mmsteer.ui.shared.page_state import PageState

TITLE = "Proof"
FIGURES = ASSETS / "figures"


class Proof(NamedTuple):
    """A study as a visitor sees it."""

    title: str
    study: str
    """Its name on the command line; `<study>.png` and `<study>.json` are its files."""


PROOFS = (
    Proof("Against the known truth", "labels"),
    Proof("Where shared dictionaries go wrong", "concepts"),
    Proof("What recognition loses without a modality", "removal"),
    Proof("Features beside directions made from labels", "effects"),
    Proof("On a UNet that was not trained to be steered", "ordinary"),
)


def build(_: PageState, tab: gr.Tab) -> None:
    """Fill the tab, once it is selected: its pictures are half a megabyte."""
    place = gr.HTML(elem_id="mm-labels")
    tab.select(lambda: proofs(), None, place, **AT_ONCE)


def proofs(folder: Path = FIGURES) -> str:
    """The tab as HTML, pictures included. A study without files is left out."""
    shown = [_section(proof, folder) for proof in PROOFS if (folder / f"{proof.study}.json").is_file()]
    lead = (
        "In the embedded world every factor is known: drawn and captioned, only drawn, or only captioned. So labels can be "
        "checked."
    )
    return f'<div class="mm-proof"><p class="mm-lead">{lead}</p>{"".join(shown)}</div>'


def _section(proof: Proof, folder: Path) -> str:
    figures = json.loads((folder / f"{proof.study}.json").read_text(encoding="utf-8"))
    picture = data_url((folder / f"{proof.study}.png").read_bytes(), "image/png")
    sentences = _SENTENCES[proof.study](figures)
    return (
        f"<section><h2>{escape(proof.title)}</h2><p>{escape(sentences)}</p>"
        f'<img alt="{escape(proof.title)}: {escape(sentences)}" src="{picture}">'
        f"<p class='mm-command'>python -m mmsteer study {proof.study}, seed {figures['seed']}</p></section>"
    )


_DEFAULT = ("matryoshka", "levels")  # the default objective, and what figures measured before its renaming call it


def _labels(figures: dict[str, Any]) -> str:
    matryoshka, paper = (
        next(r for r in figures["objectives"] if r["objective"] in names) for names in (_DEFAULT, ("shared",))
    )
    return (
        f"Of the features that detect one known factor, {_percent(matryoshka['precision'])} carry the right label, "
        f"against {_percent(paper['precision'])} with one dictionary for both sides, as the paper trains it. "
        f"There is a correctly labelled feature for {_percent(matryoshka['recall cross'])} of cross, "
        f"{_percent(matryoshka['recall vision'])} of vision and {_percent(matryoshka['recall language'])} of language factor values."
    )


def _concepts(figures: dict[str, Any]) -> str:
    lowest = min(row["cosine"] for row in figures["concepts"])
    rows = {r["objective"]: r for r in figures["concepts"] if r["cosine"] == lowest}
    default = next(rows[name] for name in _DEFAULT if name in rows)
    return (
        f"On synthetic vectors, where a concept's directions in pictures and in captions have a cosine of {lowest}, one "
        f"dictionary for both sides labels {_percent(rows['shared']['recall cross'])} of the cross-modal concepts correctly: it "
        f"learns the others twice, once for each side. One dictionary per side, matched by how latents fire together, labels "
        f"{_percent(default['recall cross'])} correctly."
    )


def _removal(figures: dict[str, Any]) -> str:
    first, _, second = str(figures["text"]).partition("\n")
    return f"{first} {second}"


def _effects(figures: dict[str, Any]) -> str:
    rows = {(row["modality"], row["method"]): row for row in figures["summary"]}
    feature, labelled = (rows["cross", f"{way} + suppression"] for way in ("feature", "mean difference"))
    alone = rows["cross", "feature"]
    apart = labelled["hit - shipped"]
    return (
        "Where a picture lacks a value, adding its cross-modal feature at strength one brings it in "
        f"{_percent(feature['hit'])} of cases "
        f"({_percent(alone['hit'])} without suppressing the mutually exclusive feature of the prompt), and "
        f"{_percent(feature['leak'])} of everything else in the prompt is lost. A mean difference made from labels, with the same "
        f"length and the same suppression, brings it in {_percent(labelled['hit'])}: a difference of "
        f"{100 * apart['value']:+.1f} points (interval {100 * apart['low']:+.1f} to {100 * apart['high']:+.1f}). The embedded "
        f"UNet was trained to read such directions; other checkpoints were not."
    )


def _ordinary(figures: dict[str, Any]) -> str:
    rows = {(row["UNet"], row["route"], row["concepts"]): row for row in figures["rows"]}
    words, image = (rows["ordinary", route, "vision"] for route in ("words", "image"))
    cross = rows["ordinary", "image", "cross: place, position, size"]
    return (
        f"On a UNet trained on captions alone, vision-only features that act through the words appear in "
        f"{_percent(words['hit'])} of cases, and {_percent(words['leak'])} of what the prompt fixed is lost. Through an image "
        f"adapter, as real checkpoints have one, they appear in {_percent(image['hit'])} and {_percent(image['leak'])} is lost; "
        f"places, positions and sizes appear in {_percent(cross['hit'])}, with {_percent(cross['leak'])} lost."
    )


_SENTENCES = {
    "labels": _labels,
    "concepts": _concepts,
    "removal": _removal,
    "effects": _effects,
    "ordinary": _ordinary,
}


def _percent(share: dict[str, float]) -> str:
    return f"{100 * share['value']:.0f} %"
