"""The handler of a button that stops what its visitor has asked for."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from mmsteer.ui.shared.page_state import PageState


def stopping(page: "PageState", name: str) -> Callable[[gr.Request], Awaitable[None]]:
    """A handler that stops its visitor's own calls of an endpoint; of nobody else's, as a session is known to its visitor alone."""

    async def stop(request: gr.Request) -> None:  # in the server's loop, as the queue is
        page.blocks.stop(request.session_hash, name)

    return stop
