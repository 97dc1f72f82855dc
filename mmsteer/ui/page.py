"""The page: its tabs, in order, and what `launch` needs. Built from a bank; the model may load later."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import gradio as gr

from mmsteer.bank import FeatureBank
from mmsteer.ui.api import add_api
from mmsteer.ui.server.blocks import ServedBlocks
from mmsteer.ui.server.files import MINUTES, own_folder
from mmsteer.ui.shared.badge import HEADING, legend
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.script import script, styles
from mmsteer.ui.shared.uploads import LARGEST_FILE

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import DrawnAhead
    from mmsteer.steering.steerer import Steerer

HERE = Path(__file__).parent
TABS = (
    "steer",
    "explore",
    "picture",
    "uses",
    "proof",
)
"""Folders of the tabs, in the order shown. Each has a `tab.py` as `Tab` describes it."""


class Tab(Protocol):
    """What the `tab.py` of a tab's folder has."""

    TITLE: str

    def build(self, page: PageState, tab: gr.Tab) -> None:
        """Fill the tab with components and events. `tab` itself says when it is selected."""


def build_demo(bank: FeatureBank, load: "Callable[[], Steerer]", ahead: "DrawnAhead | None" = None) -> ServedBlocks:
    """Build the page.

    Args:
        bank: the features it shows.
        load: returns the steerer. Called once, in its own thread, while the page is built.
        ahead: pictures of this bank and of the backbone that `load` loads, shown until it is loaded.
    """
    own_folder()
    page = PageState(bank, load, ahead)
    page.blocks = ServedBlocks(title="mmsteer", delete_cache=(60, MINUTES * 60), analytics_enabled=False)
    with page.blocks:
        gr.HTML(HEADING + legend(), elem_id="mm-head")
        with gr.Tabs(elem_id="mm-tabs") as page.tabs:
            for name in TABS:
                module = cast(Tab, import_module(f"mmsteer.ui.{name}.tab"))
                with gr.Tab(module.TITLE, id=name) as tab:
                    module.build(page, tab)
        add_api(page)
    return page.blocks


def launch_settings() -> dict[str, Any]:
    """Arguments of `launch` for this page: looks, and limits on what is stored of a visitor."""
    return {
        "css": styles(),
        "head": f"<script>\n{script(HERE / 'page.js')}</script>",
        "theme": gr.themes.Base(
            primary_hue="teal", neutral_hue="gray", radius_size="lg", font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ),
        "run_history": False,
        "ssr_mode": False,  # a Space asks for it, and it would hold up a page whose model is still loading
        "max_file_size": LARGEST_FILE,
        "show_error": False,
        "footer_links": [],
    }  # fmt: skip
