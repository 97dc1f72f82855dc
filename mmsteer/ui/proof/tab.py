"""The tab "Are the labels right?": figures of the studies, each with two sentences made from the same run's numbers."""

import json
from base64 import b64encode
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from mmsteer.assets import ASSETS

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


def proofs(folder: Path = FIGURES) -> str:
    """The whole tab as HTML, pictures included; a study whose files are not there is left out."""
    shown = [_section(proof, folder) for proof in PROOFS if (folder / f"{proof.study}.json").is_file()]
    lead = (
        "In the embedded world every factor is known: drawn and captioned, only drawn, or only said. So a label can be "
        "checked, not just believed."
    )
    return f'<div class="mm-proof"><p class="mm-lead">{lead}</p>{"".join(shown)}</div>'


def _section(proof: Proof, folder: Path) -> str:
    figures = json.loads((folder / f"{proof.study}.json").read_text(encoding="utf-8"))
    picture = b64encode((folder / f"{proof.study}.png").read_bytes()).decode()
    told = _SENTENCES[proof.study](figures)
    return (
        f"<section><h2>{escape(proof.title)}</h2><p>{escape(told)}</p>"
        f'<img alt="{escape(proof.title)}: {escape(told)}" src="data:image/png;base64,{picture}">'
        f"<p class='mm-command'>python -m mmsteer study {proof.study}, seed {figures['seed']}</p></section>"
    )


_DEFAULT = ("matryoshka", "levels")  # the default objective, and what figures measured before its renaming call it


def _labels(figures: dict[str, Any]) -> str:
    own, paper = (
        next(r for r in figures["objectives"] if r["objective"] in names) for names in (_DEFAULT, ("shared",))
    )
    return (
        f"Of the features that detect one known factor, {_percent(own['precision'])} carry the right label, "
        f"against {_percent(paper['precision'])} with one dictionary for both sides, as the paper trains it. "
        f"A rightly labelled feature is there for {_percent(own['recall cross'])} of cross, "
        f"{_percent(own['recall vision'])} of vision and {_percent(own['recall language'])} of language factor values."
    )


def _concepts(figures: dict[str, Any]) -> str:
    lowest = min(row["cosine"] for row in figures["concepts"])
    found = {r["objective"]: r for r in figures["concepts"] if r["cosine"] == lowest}
    default = next(found[name] for name in _DEFAULT if name in found)
    return (
        f"On made-up vectors, where a concept's direction in pictures and in captions have a cosine of {lowest}, one "
        f"dictionary for both sides labels {_percent(found['shared']['recall cross'])} of cross concepts right: it learns "
        f"the others twice, once for each side. A dictionary for each side, matched by how latents fire together, labels "
        f"{_percent(default['recall cross'])} right."
    )


def _removal(figures: dict[str, Any]) -> str:
    first, _, second = str(figures["text"]).partition("\n")
    return f"{first} {second}"


def _effects(figures: dict[str, Any]) -> str:
    rows = {(row["modality"], row["method"]): row for row in figures["summary"]}
    own, labelled = (rows["cross", f"{way} + suppression"] for way in ("feature", "mean difference"))
    alone = rows["cross", "feature"]
    apart = labelled["hit - shipped"]
    return (
        "Where a picture lacks its value, a cross-modal feature added as strong as it normally gets brings it in "
        f"{_percent(own['hit'])} of cases "
        f"({_percent(alone['hit'])} without suppressing the prompt's rival), and {_percent(own['leak'])} of all else that the "
        f"prompt fixed is lost. A mean difference made from labels, pushed as far and helped alike, brings it in "
        f"{_percent(labelled['hit'])}: a difference of {100 * apart['value']:+.1f} points (interval {100 * apart['low']:+.1f} "
        f"to {100 * apart['high']:+.1f}). The embedded UNet was trained to read such directions; other checkpoints were not."
    )


def _ordinary(figures: dict[str, Any]) -> str:
    rows = {(row["UNet"], row["route"], row["concepts"]): row for row in figures["rows"]}
    words, image = (rows["ordinary", route, "vision"] for route in ("words", "image"))
    cross = rows["ordinary", "image", "cross: place, position, size"]
    return (
        f"On a UNet trained on captions alone, vision-only features that are pushed through the words come in "
        f"{_percent(words['hit'])} of cases, and {_percent(words['leak'])} of what the prompt fixed is lost. Through an image "
        f"adapter, as real checkpoints have one, they come in {_percent(image['hit'])} and {_percent(image['leak'])} is lost; "
        f"places, positions and sizes come in {_percent(cross['hit'])}, with {_percent(cross['leak'])} lost."
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
