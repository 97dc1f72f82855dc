"""Keeping and sharing: links, files and this visit's history, all of which are recipes. Whatever comes in is checked.

A link holds the recipe itself, so nothing is stored on the server.
"""

import os
from pathlib import Path

import gradio as gr

from mmsteer.errors import SteerError
from mmsteer.steering.recipe import Recipe

LARGEST_FILE = 5 * 2**20  # bytes
_ON_THE_HUB = "https://huggingface.co/spaces/"


def home() -> str:
    """Where a link leads: the hosting page of a Space, else (empty) the address that the visitor sees."""
    space = os.environ.get("SPACE_ID", "")
    return _ON_THE_HUB + space if space else ""


def read_bytes(path: str) -> bytes:
    """A visitor's file; SteerError for a larger one than is allowed."""
    file = Path(path)
    if file.stat().st_size > LARGEST_FILE:
        raise SteerError(
            f"the file has {file.stat().st_size:,} bytes; {LARGEST_FILE:,} are allowed: give a smaller one"
        )
    return file.read_bytes()


def read_file(path: str) -> Recipe:
    """The recipe in a PNG's text or in a JSON file; SteerError for anything else."""
    return Recipe.from_file(read_bytes(path))


def history() -> gr.HTML:
    """Pictures of this visit as thumbnails, kept in the browser alone; says `restore` with a link's query as its value."""
    return gr.HTML(
        "", html_template='<div class="mm-history"></div>', elem_id="mm-history", apply_default_css=False, home=home(),
        js_on_load=(Path(__file__).parent / "keep.js").read_text(encoding="utf-8"),
    )  # fmt: skip
