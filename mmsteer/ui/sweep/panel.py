"""The sweep panel: pictures of a sweep as they come, to scrub through in the browser. Looks and behaviour are `scripts/`.

The browser asks for one picture after the other, each a request of its own in the same queue as the sliders. So a sweep delays
a slider by at most one picture, and ends when the visitor leaves. Each question describes the whole sweep and is checked like
a link; nothing is stored for a visitor.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.errors import SteerError
from mmsteer.pictures.change import mean_difference
from mmsteer.recipes.data_url import data_url, recipe_url
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.recipes.sweep import SIDE, Sweep, against, each, over, seeds
from mmsteer.recipes.sweep_files import ANIMATIONS, FILES, NO_ANIMATION
from mmsteer.ui.progress.stop import stopping
from mmsteer.ui.prompt.word_targets import within
from mmsteer.ui.shared.events import AT_ONCE, DRAW_EVERY, READ, SILENT
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.script import script
from mmsteer.ui.steer.pair import recipe_of
from mmsteer.ui.steer.rack import RackValue, edits_of, read_rack
from mmsteer.ui.sweep.on_prompt import RULE, on_prompt
from mmsteer.ui.sweep.payloads import Description, draw_question, file_question, lay_question, pick_question

CELL = "cell"
"""The endpoint that draws one picture."""
CACHED = 64  # pictures, for files and for visitors who ask for the same
MOST_STEPS = 500  # of all pictures of a sweep; a grid of two features in the checkpoint's own steps is always allowed
_SIDE = 512  # pixels, of a picture in the panel


def build(page: PageState) -> None:
    """Put the panel into the tab Steer and answer its questions."""
    panel = gr.HTML(
        None, html_template='<section class="mm-sweep" aria-label="Sweep"></section>', elem_id="mm-sweep",
        apply_default_css=False, js_on_load=script(Path(__file__).parent / "scripts" / "panel.js"),
    )  # fmt: skip
    sweeps, controls = Sweeps(page), page.controls
    panel.lay(sweeps.lay, [*controls.inputs, panel], panel, trigger_mode="multiple", **AT_ONCE)
    panel.suggest(sweeps.lay, [*controls.inputs, panel], panel, trigger_mode="multiple", **READ, **SILENT)
    panel.draw(sweeps.draw, panel, panel, api_name=CELL, **DRAW_EVERY)
    panel.stop(stopping(page, CELL), None, None, **AT_ONCE)
    panel.file(sweeps.file, panel, panel, **DRAW_EVERY)
    panel.pick(sweeps.pick, panel, controls.seed, **AT_ONCE).then(**controls.draw)


class Sweeps:
    """Answers to the panel's questions."""

    def __init__(self, page: PageState) -> None:
        self.known, self.loading = page.known, page.loading
        self._picture = lru_cache(CACHED)(lambda recipe: page.loading.run(lambda steerer: steerer.picture(recipe)))

    def lay(self, *values: Any) -> dict[str, Any]:
        """Lay a sweep out.

        Args:
            values: those of `Controls.inputs`, and last a `LayQuestion`.

        Returns:
            `{"laid": …, "run": …}`: every picture's caption, the order in which to ask for them, and the sweep's description; for
            features on the prompt also why each of them.
        """
        *inputs, value = values

        def laid() -> dict[str, Any]:
            question, shown = lay_question(value), read_rack(inputs[2])
            swept = question.features
            recipe = recipe_of(self.known, self.loading.wait(), *inputs)
            recipe = replace(recipe, edits=tuple(within(recipe.prompt, self._acting(shown, swept))[0]))
            suggested = on_prompt(self.known.bank, self.loading, recipe) if question.kind == "each" else None
            own = [] if suggested else within(recipe.prompt, [self._swept_edit(shown, one) for one in swept])[0]
            varied = suggested.edits if suggested else own
            only = replace(recipe, edits=tuple(varied))
            again = Description(
                kind=question.kind, recipe=recipe.to_json(), swept=only.to_json(), absent=question.absent
            )
            sweep = self._sweep(again)
            cells = [
                {
                    "caption": cell.label, "seed": cell.recipe.seed,
                    "puts": [list(put) for put in zip(swept, cell.strengths, strict=False)],
                } for cell in sweep.cells
            ]  # fmt: skip
            if suggested:
                cells = [cell | more for cell, more in zip(cells, suggested.cells, strict=True)]
            return {
                "again": again.model_dump(), "title": sweep.title, "axes": sweep.axes, "rows": sweep.rows,
                "columns": sweep.columns, "cells": cells, "order": sweep.order, "prompt": recipe.prompt,
                "rule": RULE if suggested else "",
            }  # fmt: skip

        return _answer("laid", laid, value)

    def draw(self, value: Any) -> dict[str, Any]:
        """One picture, and for a feature on the prompt how much it changes: the answer to a `DrawQuestion`."""

        def drawn() -> dict[str, Any]:
            question = draw_question(value)
            sweep = self._sweep(question.again)
            if question.cell >= len(sweep.cells):
                raise SteerError(
                    f"the sweep has no picture {question.cell}, only 0 to {len(sweep.cells) - 1}: start it again"
                )
            recipe = sweep.cells[question.cell].recipe
            picture = self._picture(recipe)
            change = mean_difference(self._picture(sweep.recipe), picture) if question.again.kind == "each" else None
            small = picture.copy()
            small.thumbnail((_SIDE, _SIDE))
            return {"cell": question.cell, "picture": recipe_url(small, recipe), "change": change}

        return _answer("drawn", drawn, value)

    def file(self, value: Any) -> dict[str, Any]:
        """All pictures in one file that the browser saves: the answer to a `FileQuestion`."""

        def written() -> dict[str, Any]:
            question = file_question(value)
            sweep, kind = self._sweep(question.again), FILES[question.file]
            if question.file in ANIMATIONS and len(sweep.rows) > 1:
                raise SteerError(NO_ANIMATION)
            pictures, buffer = dict(sweep.draw(self._picture)), BytesIO()
            kind.save(sweep, [pictures[number] for number in range(len(pictures))], buffer)
            return {"name": f"sweep.{question.file}", "data": data_url(buffer.getvalue(), kind.mime)}

        return _answer("file", written, value)

    def pick(self, value: Any) -> Any:
        """The seed of a `PickQuestion`, for the seed field."""
        seed, _ = attempt(lambda: Recipe("any", pick_question(value).seed).seed)
        return gr.skip() if seed is None else seed

    def _sweep(self, again: Description) -> Sweep:
        """The sweep of a description. Whatever origin the browser claims, pictures are drawn with this page's model.

        Raises:
            SteerError: for one that no panel can have sent.
        """
        recipe, only = Recipe.from_json(again.recipe), Recipe.from_json(again.swept)
        steerer, edits = self.loading.wait(), only.edits
        recipe = replace(recipe, origin=steerer.origin)
        wanted = {"over": 1, "against": 2}.get(again.kind, len(edits))
        if len(edits) != wanted:
            raise SteerError(f"the sweep has {len(edits)} features and needs {wanted}: add one to the active features")
        if again.kind == "seeds":
            sweep = seeds(recipe)
        elif again.kind == "each":
            sweep = each(self.known, recipe, edits)
        else:
            first, last, absent = edits[0], edits[-1], again.absent
            if again.kind == "over":
                sweep = over(self.known, recipe, first, absent=absent)
            else:
                sweep = against(self.known, recipe, first, last, absent=absent)
        most = max(MOST_STEPS, SIDE**2 * steerer.sampler.steps)
        if (steps := len(sweep.cells) * recipe.drawn_steps) > most:
            raise SteerError(
                f"the sweep has {len(sweep.cells)} pictures of {recipe.drawn_steps} steps, {steps:,} in all; {most:,} are allowed: "
                "sweep fewer, or start from a recipe with fewer steps"
            )
        return sweep

    def _acting(self, rack: RackValue, swept: list[int | str]) -> list[Edit]:
        """The rack's edits. A row that is swept acts even if it is off or at zero, and stays in its place."""
        rows = [
            row.model_copy(update={"on": True, "strength": row.strength or 1.0}) if row.id in swept else row
            for row in rack.rows
        ]
        return edits_of(self.known, rack.model_copy(update={"rows": rows}))

    def _swept_edit(self, rack: RackValue, feature: int | str) -> Edit:
        """The edit of a swept row: its feature, words, part of the run, and whether its slider adds, sets or removes."""
        row = next((row for row in rack.rows if row.id == feature), None)
        if row is None:
            raise SteerError("the feature to sweep is not in the rack: add it first")
        alone = row.model_copy(update={"on": True, "strength": -1.0})
        edits = edits_of(self.known, rack.model_copy(update={"rows": [alone]}))
        if not edits:
            modality = self.known.get(feature).modality
            raise SteerError(f"{modality} features are silent: switch them on in the rack to sweep one")
        return edits[0]


def _answer(name: str, do: Callable[[], dict[str, Any]], value: Any) -> dict[str, Any]:
    """An answer under its name, or `{"error": sentence}`; with the number of the run it belongs to."""
    answer, error = attempt(do)
    run = value.get("run") if isinstance(value, dict) else None
    return {"error": error, "run": run} if error else {name: answer, "run": run}
