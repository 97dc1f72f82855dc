"""gradio's `Blocks`, of which a call that fails costs the log one line."""

import logging
from typing import Any

import gradio as gr

from mmsteer.ui.server.log import UNREADABLE
from mmsteer.ui.shared.trace import what

_LOG = logging.getLogger(__name__)


class ServedBlocks(gr.Blocks):  # type: ignore[misc]  # gradio is not typed
    """A page whose handlers answer with sentences of their own. What else fails is a call that no page sends."""

    async def process_api(self, block_fn: Any, *args: Any, **more: Any) -> dict[str, Any]:
        """As gradio does it; `gr.Error` with a sentence for whatever is raised. gradio would print a traceback."""
        try:
            output: dict[str, Any] = await super().process_api(block_fn, *args, **more)
            return output
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            name = getattr(block_fn, "api_name", None) or "a handler"
            _LOG.warning("a call of %.40s failed: %s", name, what(error))
        raise gr.Error(UNREADABLE, print_exception=False)
