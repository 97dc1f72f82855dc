"""Start the server: gradio's settings, and the middleware in front of it."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from mmsteer.steering.zero_gpu import on_zero_gpu
from mmsteer.ui.page import launch_settings
from mmsteer.ui.server.blocks import ServedBlocks
from mmsteer.ui.server.body import BodyLimit
from mmsteer.ui.server.client import on_space
from mmsteer.ui.server.doors import Doors
from mmsteer.ui.server.files import Tidy
from mmsteer.ui.server.headers import SecurityHeaders
from mmsteer.ui.server.log import OneLine
from mmsteer.ui.server.queue import FairQueue, Listeners

SESSIONS = 500  # visits whose state is kept: about 100 kB each


def launch(
    demo: ServedBlocks,
    host: str = "127.0.0.1",
    port: int | None = None,
    names: Sequence[str] = (),
    mcp: bool = False,
    **more: Any,
) -> None:
    """Serve a page.

    Args:
        demo: what `build_demo` returns.
        host: the address to listen at.
        port: None takes a free one from 7860 on.
        names: host names by which the page may be called, beside those of this machine.
        mcp: offer the endpoints as MCP tools, too (`mcp_problem`).
        more: other arguments of gradio's `launch`.
    """
    hosted = on_space()
    middleware = [
        Middleware(SecurityHeaders, framed=hosted),
        Middleware(OneLine),
        Middleware(Doors, names=None if hosted else (host, *names)),
        Middleware(Tidy),
        Middleware(BodyLimit),
        Middleware(Listeners),
    ]
    demo.queue(api_open=False)
    demo._queue = FairQueue(demo, overtaking=not on_zero_gpu())  # gradio has no setting for it
    demo.launch(
        server_name=host, server_port=port, mcp_server=mcp or None, enable_monitoring=False, state_session_capacity=SESSIONS,
        app_kwargs={"middleware": middleware}, **launch_settings(), **more,
    )  # fmt: skip


def mcp_problem() -> str:
    """Why the page cannot offer MCP tools here, and what to install; empty if it can. gradio says no more than a line."""
    install = f"pip install 'gradio[mcp]=={gr.__version__}'"
    if find_spec("mcp") is None:
        return f"--mcp takes the package mcp, which is not installed: {install}"
    installed = version("mcp")
    if not installed.startswith("1."):
        return f"--mcp takes the package mcp before version 2, and {installed} is installed: {install}"
    return ""
