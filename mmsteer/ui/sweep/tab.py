"""The sweep panel: pictures of a sweep as they come, to scrub through in the browser. Looks and behaviour are `sweep.js`.

The browser asks for one picture after the other, each a request of its own in the same line as every slider: so a sweep never
holds up a slider by more than one picture, and ends when the visitor goes. What it asks with says the whole sweep again and
is checked like any link; nothing is kept for a visitor.
"""

import base64
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.steering.edit import Edit
from mmsteer.steering.recipe import Recipe
from mmsteer.steering.sweep import Sweep, against, over, save_gif, save_sheet, seeds
from mmsteer.ui.compare import picture_data
from mmsteer.ui.loading import Loading, told
from mmsteer.ui.steer.rack import edits_of

if TYPE_CHECKING:
    from mmsteer.bank import FeatureBank

KEPT = 64  # pictures, for files and for visitors who ask the same
_SHOWN = 512  # pixels a side of a picture in the panel
_FILES = {"gif": (save_gif, "image/gif"), "png": (save_sheet, "image/png")}


class Sweeps:
    """Answers to what the panel asks."""

    def __init__(self, bank: "FeatureBank", loading: Loading) -> None:
        self.bank, self.loading = bank, loading
        self._picture = lru_cache(KEPT)(lambda recipe: loading.run(lambda steerer: steerer.picture(recipe)))

    def lay(self, prompt: str, seed: float | None, shelf: Any, sampler: Sampler | None, asked: Any) -> dict[str, Any]:
        """Lay a sweep out: `asked` is {kind, features: [id]} of rows in the rack.

        Gives what every picture will be, in which order they come, and what to ask for them with.
        """

        def laid() -> dict[str, Any]:
            try:
                kind, swept = str(asked["kind"]), [int(feature) for feature in asked["features"]][:2]
            except (TypeError, ValueError, KeyError):
                raise SteerError(_UNREADABLE) from None
            if seed is None or seed != int(seed):
                raise SteerError("the seed is empty or not a whole number: type one, or roll the dice")
            steerer = self.loading.wait()
            used = sampler or steerer.sampler
            recipe = Recipe(prompt, int(seed), used, tuple(self._acting(shelf, swept)), steerer.origin)
            only = replace(recipe, edits=tuple(self._template(shelf, feature) for feature in swept))
            again = {"kind": kind, "recipe": recipe.to_json(), "swept": only.to_json()}
            sweep = self._sweep(again)
            cells = [
                {
                    "told": cell.told, "seed": cell.recipe.seed,
                    "puts": [list(put) for put in zip(swept, cell.strengths, strict=False)],
                } for cell in sweep.cells
            ]  # fmt: skip
            return {
                "again": again, "title": sweep.title, "axes": sweep.axes, "rows": sweep.rows, "columns": sweep.columns, "cells": cells,
                "order": sweep.order, "prompt": recipe.prompt,
            }  # fmt: skip

        return _answer("laid", laid, asked)

    def draw(self, asked: Any) -> dict[str, Any]:
        """One picture: `asked` is {again, cell: number}."""

        def drawn() -> dict[str, Any]:
            cells, number = self._sweep(_field(asked, "again")).cells, _field(asked, "cell")
            if not isinstance(number, int) or not 0 <= number < len(cells):
                raise SteerError(_UNREADABLE)
            picture = self._picture(cells[number].recipe).copy()
            picture.thumbnail((_SHOWN, _SHOWN))
            return {"cell": number, "picture": picture_data(picture, cells[number].recipe)}

        return _answer("drawn", drawn, asked)

    def file(self, asked: Any) -> dict[str, Any]:
        """All pictures in one file, to be saved by the browser: `asked` is {again, file: gif or png}."""

        def filed() -> dict[str, Any]:
            kind = str(_field(asked, "file"))
            if kind not in _FILES:
                raise SteerError(_UNREADABLE)
            sweep, (save, mime) = self._sweep(_field(asked, "again")), _FILES[kind]
            drawn, buffer = dict(sweep.draw(self._picture)), BytesIO()
            save(sweep, [drawn[number] for number in range(len(drawn))], buffer)
            return {
                "name": f"sweep.{kind}",
                "data": f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}",
            }

        return _answer("file", filed, asked)

    def pick(self, asked: Any) -> Any:
        """The seed that a visitor picked, for the seed's own box: `asked` is {seed}."""
        seed, _ = told(lambda: Recipe("any", _field(asked, "seed")).seed)
        return gr.skip() if seed is None else seed

    def _sweep(self, again: Any) -> Sweep:
        """The sweep that the browser says again: its kind, the recipe it goes out from, and one of the swept edits alone.

        Whatever origin the browser says, it is drawn here. SteerError where no panel can have said it.
        """
        kind = _field(again, "kind")
        recipe, only = (Recipe.from_json(str(_field(again, name))) for name in ("recipe", "swept"))
        recipe = replace(recipe, origin=self.loading.wait().origin)
        edits = only.edits
        if kind == "seeds":
            return seeds(recipe)
        if kind == "over" and len(edits) == 1:
            return over(self.bank, recipe, edits[0])
        if kind == "against" and len(edits) == 2:
            return against(self.bank, recipe, edits[0], edits[1])
        raise SteerError(_UNREADABLE)

    def _acting(self, shelf: Any, swept: list[int]) -> list[Edit]:
        """The rack's edits; a row that is swept acts, even if it is off or at zero, and stays in its place."""
        shown = [
            row | {"on": True, "strength": row["strength"] or 1.0} if row["id"] in swept else row
            for row in _rows(shelf)
        ]
        return edits_of(self.bank, shelf | {"rows": shown})

    def _template(self, shelf: Any, feature: int) -> Edit:
        """What is swept of a row: its feature, words, part of the run, and whether its slider adds, sets or takes out."""
        row = next((row for row in _rows(shelf) if row["id"] == feature), None)
        if row is None:
            raise SteerError("the feature to sweep is not in the rack: add it first")
        found = edits_of(self.bank, shelf | {"rows": [row | {"on": True, "strength": -1.0}]})
        if not found:
            modality = self.bank.get(feature).modality
            raise SteerError(f"{modality} features are silent: switch them on in the rack to sweep one")
        return found[0]


_UNREADABLE = "the sweep cannot be read: load the page again"


def _rows(shelf: Any) -> list[dict[str, Any]]:
    """The rows of a rack's value; what is in them, `edits_of` checks."""
    try:
        return [dict(row) | {"id": row["id"], "strength": row["strength"]} for row in shelf["rows"]]
    except (TypeError, ValueError, KeyError):
        raise SteerError("the rack cannot be read: load the page again") from None


def _field(asked: Any, name: str) -> Any:
    if not isinstance(asked, dict) or name not in asked:
        raise SteerError(_UNREADABLE)
    return asked[name]


def _answer(name: str, do: Any, asked: Any) -> dict[str, Any]:
    """An answer under its name, or what went wrong as a sentence; with the number of the run it belongs to."""
    answer, wrong = told(do)
    run = asked.get("run") if isinstance(asked, dict) else None
    return {"wrong": wrong, "run": run} if wrong else {name: answer, "run": run}


def panel() -> gr.HTML:
    """The component; `listen` gives it its answers, and it says `pick` when a visitor picks one of several seeds."""
    return gr.HTML(
        None, html_template='<section class="mm-sweep" aria-label="Sweep"></section>', elem_id="mm-sweep",
        apply_default_css=False, js_on_load=(Path(__file__).parent / "sweep.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def listen(shown: gr.HTML, sweeps: Sweeps, setting: list[Any]) -> None:
    """Answer the panel; `setting` is prompt, seed, rack and sampler. Pictures come in the line in which pairs are drawn."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
    line: dict[str, Any] = quiet | {"concurrency_id": "draw", "concurrency_limit": 1}
    shown.lay(sweeps.lay, [*setting, shown], shown, queue=False, **quiet)
    shown.draw(sweeps.draw, shown, shown, **line)
    shown.file(sweeps.file, shown, shown, **line)
