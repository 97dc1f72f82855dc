"""Where the edits act: a region that a visitor draws on the picture. `scripts/region.js` is the drawing.

The value is the grid of a `Region`, or empty: everywhere.
"""

from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import TypeAdapter

from mmsteer.recipes.recipe import Recipe
from mmsteer.recipes.region import SIDE, Region
from mmsteer.ui.shared.payload import read
from mmsteer.ui.shared.script import script

_VALUE = TypeAdapter(str)


def region() -> gr.HTML:
    """The component, which takes no room until a visitor draws. It triggers `release` when the region has changed."""
    return gr.HTML(
        "", html_template="", elem_id="mm-region", apply_default_css=False, side=SIDE,
        js_on_load=script(Path(__file__).parent / "scripts" / "region.js"),
    )  # fmt: skip


def grid_of(recipe: Recipe | None) -> str:
    """The value that shows what a recipe says; None: everywhere."""
    return recipe.region.grid if recipe and recipe.region else ""


def read_region(value: Any) -> Region | None:
    """The region that a value stands for; SteerError for one that this component cannot have."""
    grid = read(_VALUE, value or "", "the region")
    return Region(grid) if grid else None
