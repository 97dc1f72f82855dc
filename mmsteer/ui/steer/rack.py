"""The rack of features: a component of the page, and what its value means. The value comes from a browser and is checked.

How rows look and behave is `rack.js`; what they mean, as edits, is here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.steering.edit import STRONGEST, Edit
from mmsteer.ui.badge import SHAPES, name_told, score_told

ROWS = 16  # of the rack, at most
CHIPS = 18  # features offered by a search
BREAKS = {
    "start": 0.05,
    "end": 0.1,
    "told": "This checkpoint was not trained to be steered by what no caption says: its pictures break on stronger pushes of a "
    "vision-only feature. With an image adapter (--adapter) they do not.",
}
"""Of vision-only features, where a backbone does not draw what no prompt says: the strength they start at, and the largest, up to
which `study ordinary` finds less than a tenth of what the prompt fixed lost."""
_LABELS = {"id", "mode", "strength", "on", "locked", "words", "start", "end"}


def rack(bank: FeatureBank, edits: Sequence[Edit]) -> gr.HTML:
    """The component; it says `release` whenever its edits have changed."""
    return gr.HTML(
        rows(bank, edits), html_template='<div class="mm-rack"></div>',
        js_on_load=(Path(__file__).parent / "rack.js").read_text(encoding="utf-8"), apply_default_css=False,
        elem_id="mm-rack", catalogue=catalogue(bank), shapes=SHAPES, most=ROWS, chips=CHIPS,
        strongest=STRONGEST, phases=True, breaks=None,
    )  # fmt: skip


def catalogue(bank: FeatureBank) -> list[dict[str, Any]]:
    """What the browser needs to know of every feature."""
    return [
        {
            "id": f.id, "name": f.name, "modality": f.modality, "mds": f.mds, "usable": list(f.usable),
            "named": f.named_by is not None, "telling": f.telling, "words": [word.lower() for word in f.words], "told": score_told(f),
            "sure": f.name_confidence, "sureTold": name_told(f),
        }
        for f in bank.features
    ]  # fmt: skip


def rows(bank: FeatureBank, edits: Sequence[Edit]) -> dict[str, Any]:
    """The value that shows these edits. A row slides (right of zero adds, left of zero takes out), adds, or sets."""
    shown = []
    for edit in edits:
        slides = edit.mode == "remove" or (edit.mode == "add" and edit.strength >= 0)
        shown.append({
            "id": bank.get(edit.feature).id, "mode": "slide" if slides else edit.mode,
            "strength": -edit.strength if edit.mode == "remove" else edit.strength, "on": True, "locked": False,
            "words": list(edit.words), "start": edit.start, "end": edit.end,
        })  # fmt: skip
    return {"rows": shown, "silent": []}


def edits_of(bank: FeatureBank, value: Any) -> list[Edit]:
    """The edits a rack's value stands for; SteerError for a value that no rack of this page can have."""
    try:
        shown, silent = list(value["rows"]), set(value["silent"])
        if len(shown) > ROWS or not silent <= set(MODALITIES) or any(set(row) != _LABELS for row in shown):
            raise ValueError
        edits = [(bool(row["on"]), _edit(bank, row)) for row in shown]
    except SteerError:
        raise
    except (TypeError, ValueError, KeyError, OverflowError):
        raise SteerError("the rack cannot be read: load the page again") from None
    acting = [edit for on, edit in edits if on and (edit.strength or edit.mode == "set")]
    return [edit for edit in acting if bank.get(edit.feature).modality not in silent]


def _edit(bank: FeatureBank, row: dict[str, Any]) -> Edit:
    mode, strength = row["mode"], float(row["strength"])
    if mode == "slide":
        mode, strength = ("add", strength) if strength >= 0 else ("remove", -strength)
    words, start, end = tuple(row["words"]), float(row["start"]), float(row["end"])
    return Edit(bank.reference(bank.get(int(row["id"]))), mode, strength, words, start, end)
