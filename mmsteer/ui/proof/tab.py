"""The tab "Proof": what the studies found, each as one number, one sentence and bars, with its figure folded below."""

import json
from html import escape
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from mmsteer.assets import ASSETS
from mmsteer.recipes.data_url import data_url
from mmsteer.studies.charts import dark
from mmsteer.ui.proof.charts import bars
from mmsteer.ui.proof.findings import FINDINGS
from mmsteer.ui.shared.events import AT_ONCE
from mmsteer.ui.shared.page_state import PageState

TITLE = "Proof"
FIGURES = ASSETS / "figures"


class Proof(NamedTuple):
    """A study as a visitor sees it."""

    title: str
    study: str
    """Its name on the command line; `<study>.json`, `<study>.png` and `<study>-dark.png` are its files."""


PROOFS = (
    Proof("Against the known truth", "labels"),
    Proof("Where shared dictionaries go wrong", "concepts"),
    Proof("What recognition loses without a modality", "removal"),
    Proof("Features beside directions made from labels", "effects"),
    Proof("On a UNet that was not trained to be steered", "ordinary"),
    Proof("On one word, late, or in a region", "parts"),
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
    found = FINDINGS[proof.study](figures)
    said = escape(f"{proof.title}: {found.number} {found.sentence} {found.more}")
    return (
        f'<section><h2>{escape(proof.title)}</h2><p class="mm-finding"><b>{found.number}</b> {escape(found.sentence)}</p>'
        f"{bars(found.bars, found.about)}<details><summary>More, and the study's own figure</summary><p>{escape(found.more)}</p>"
        f"{_figure(folder / f'{proof.study}.png', said)}"
        f"<p class='mm-command'>python -m mmsteer study {proof.study}, seed {figures['seed']}</p></details></section>"
    )


def _figure(light: Path, said: str) -> str:
    """Both versions; the styles show the one that suits the page, which is dark by a class, not always as the browser prefers."""
    pictures = "".join(
        f'<img class="mm-on-{ground}" alt="{said}" src="{data_url(path.read_bytes(), "image/png")}">'
        for ground, path in (("light", light), ("dark", dark(light)))
    )
    return f'<div class="mm-study" tabindex="0" role="group" aria-label="the study\'s own figure">{pictures}</div>'
