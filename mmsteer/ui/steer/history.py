"""Pictures of this visit, kept in the browser alone, and the link to the one that is shown.

A link holds the recipe itself, so nothing is stored on the server. Looks and behaviour: `scripts/history.js`.
"""

from pathlib import Path

import gradio as gr

from mmsteer.recipes.recipe import LONGEST_LINK
from mmsteer.ui.shared.home import home
from mmsteer.ui.shared.script import script


def history() -> gr.HTML:
    """The component. It triggers `restore` with a link's query as its value."""
    return gr.HTML(
        "", html_template='<div class="mm-history"></div>', elem_id="mm-history", apply_default_css=False, home=home(),
        longest=LONGEST_LINK,
        js_on_load=script(Path(__file__).parent / "scripts" / "history.js"),
    )  # fmt: skip
