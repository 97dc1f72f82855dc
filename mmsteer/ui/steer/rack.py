"""The rack of feature sliders: the component, its value, and what that value means as edits.

How rows look and behave is `scripts/rack.js`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import gradio as gr
from pydantic import Field, TypeAdapter

from mmsteer.bank import Feature, FeatureBank, Modality
from mmsteer.bank.modality import LABELS, SHAPES
from mmsteer.recipes.direction import LONGEST_NAME, Direction
from mmsteer.recipes.edit import STRONGEST, Edit, Mode
from mmsteer.ui.shared.badge import made_of, name_tooltip, score_tooltip
from mmsteer.ui.shared.known import Known
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.script import script

ROWS = 16  # of the rack, at most
CHIPS = 18  # features offered by a search
BREAKS = {
    "start": 0.05,
    "end": 0.1,
    "note": "This checkpoint was not trained to be steered by vision-only features: larger edits with one break its pictures. "
    "With an image adapter (--ip-adapter) they do not.",
}
"""Of vision-only features, for a backbone that cannot draw what no prompt says: the strength they start at, and the largest, up
to which `study ordinary` finds that less than a tenth of the prompt's content is lost."""


class Row(Payload):
    """A row of the rack."""

    id: int | Annotated[str, Field(max_length=LONGEST_NAME)]
    """A feature's number, or the definition of a direction."""
    mode: Literal["slide", "add", "set"]
    """`slide`: right of zero adds, left of zero removes."""
    strength: float
    on: bool
    locked: bool
    """Kept when the visitor asks for a surprise."""
    words: list[str]
    start: float
    end: float


class RackValue(Payload):
    """The value of the rack."""

    rows: list[Row] = Field(max_length=ROWS)
    silent: list[Modality]
    """Modalities that are switched off as a whole."""
    directions: list[dict[str, Any]] = Field(default=[], max_length=ROWS)
    """What the browser needs to know of the directions among the rows. It is not read."""


_RACK = TypeAdapter(RackValue)


def rack(bank: FeatureBank, edits: Sequence[Edit]) -> gr.HTML:
    """The component. It triggers `release` when its edits have changed."""
    return gr.HTML(
        rows(bank, edits), html_template='<div class="mm-rack"></div>',
        js_on_load=script(Path(__file__).parent / "scripts" / "rack.js"), apply_default_css=False,
        elem_id="mm-rack", catalogue=catalogue(bank), shapes=SHAPES, labels=LABELS, most=ROWS, chips=CHIPS,
        strongest=STRONGEST, phases=True, words=True, breaks=None,
    )  # fmt: skip


def catalogue(bank: FeatureBank) -> list[dict[str, Any]]:
    """What the browser needs to know of every feature."""
    return [
        _shown(f) | {
            "named": f.named_by is not None, "descriptive": f.specific, "words": [word.lower() for word in f.words],
            "scoreTooltip": score_tooltip(f), "nameConfidence": f.name_confidence, "nameTooltip": name_tooltip(f),
        }
        for f in bank.features
    ]  # fmt: skip


def direction_entry(direction: Direction) -> dict[str, Any]:
    """The same of a direction."""
    return _shown(direction) | {"scoreTooltip": made_of(direction), "isDirection": True}


def _shown(f: Feature | Direction) -> dict[str, Any]:
    return {"id": f.id, "name": f.name, "modality": f.modality, "mds": f.mds, "usable": list(f.usable)}


def rows(known: FeatureBank | Known, edits: Sequence[Edit]) -> dict[str, Any]:
    """The rack's value that shows these edits; SteerError as `known.get`."""
    features = [known.get(edit.feature) for edit in edits]
    shown = []
    for edit, feature in zip(edits, features, strict=True):
        slides = edit.mode == "remove" or (edit.mode == "add" and edit.strength >= 0)
        shown.append({
            "id": feature.id, "mode": "slide" if slides else edit.mode,
            "strength": -edit.strength if edit.mode == "remove" else edit.strength, "on": True, "locked": False,
            "words": list(edit.words), "start": edit.start, "end": edit.end,
        })  # fmt: skip
    entries = {feature.id: direction_entry(feature) for feature in features if isinstance(feature, Direction)}
    return {"rows": shown, "silent": [], "directions": list(entries.values())}


def with_rows_of(known: FeatureBank | Known, value: Any, edits: Sequence[Edit]) -> tuple[dict[str, Any], int]:
    """A rack's value with rows for these edits beside its own; a feature that has a row gets the new one in its place.

    Returns:
        The value, and how many rows found no room.
    """
    shown, added = read_rack(value), rows(known, edits)
    new = {row["id"]: row for row in added["rows"]}
    kept = [new.pop(row.id, None) or row.model_dump() for row in shown.rows]
    every = [*kept, *new.values()]
    directions = [*shown.directions, *added["directions"]]
    return {"rows": every[:ROWS], "silent": shown.silent, "directions": directions}, max(0, len(every) - ROWS)


def read_rack(value: Any) -> RackValue:
    """The rack's value as it came from a browser; SteerError for one that no rack of this page can have."""
    return read(_RACK, value, "the rack")


def edits_of(known: FeatureBank | Known, value: Any) -> list[Edit]:
    """The edits of a rack's value: rows that are on, not at zero and of no silent modality.

    Raises:
        SteerError: for a value that no rack of this page can have, or as `known.get`.
    """
    shown = read_rack(value)
    edits = [(row.on, _edit(known, row)) for row in shown.rows]
    acting = [edit for on, edit in edits if on and (edit.strength or edit.mode == "set")]
    return [edit for edit in acting if known.get(edit.feature).modality not in shown.silent]


def _edit(known: FeatureBank | Known, row: Row) -> Edit:
    slide: Mode = "add" if row.strength >= 0 else "remove"
    mode: Mode = slide if row.mode == "slide" else row.mode
    strength = -row.strength if mode == "remove" else row.strength
    named = known.reference(known.get(row.id))  # type: ignore[arg-type]  # whatever it gave out
    return Edit(named, mode, strength, tuple(row.words), row.start, row.end)
