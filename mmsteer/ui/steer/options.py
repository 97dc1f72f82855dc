"""Buttons for all active features at once, among the options of the tab Steer. Looks and behaviour: `scripts/options.js`."""

from pathlib import Path

import gradio as gr

from mmsteer.ui.shared.script import script


def options() -> gr.HTML:
    """The component. It talks to the rack in the browser alone."""
    return gr.HTML(
        None, html_template='<div class="mm-all mm-chips"></div>', elem_id="mm-all", apply_default_css=False,
        js_on_load=script(Path(__file__).parent / "scripts" / "options.js"),
    )  # fmt: skip
