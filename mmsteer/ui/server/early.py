"""A first page, from the first second on: the first example, drawn ahead. gradio takes seconds to import; then its page takes over.

Needs neither gradio nor torch. Every answer has status 503, so that programs which wait for the page go on waiting.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.colours import css
from mmsteer.ui.shared.badge import HEADING, legend
from mmsteer.ui.steer.compare import drawn_ahead

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import DrawnAhead, Pair

_STYLE = Path(__file__).parents[1] / "page.css"
_MOST = 20  # connections at once; a visitor takes two
_SECONDS = 5  # that a connection may be silent
_SCRIPT = """
document.documentElement.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
if (new URLSearchParams(location.search).has("prompt")) document.documentElement.classList.add("mm-linked");
document.querySelector("input").addEventListener("input", ({ target }) => document.body.style.setProperty("--cut", `${target.value}%`));
const ask = () => fetch(location.href, { method: "HEAD" }).then((answer) => answer.status !== 503 && location.reload()).catch(() => {});
setInterval(ask, 250);
"""


@contextmanager
def early_page(ahead: "DrawnAhead | None", host: str, port: int) -> Iterator[None]:
    """Serve the first example until the block ends. Without pictures, or where the port is taken, nothing is served.

    Args:
        ahead: the bank's pictures.
        host: the address to listen at.
        port: that of the page.
    """
    first = ahead.pair(0) if ahead else None
    server = _open(_html(first), host, port) if first else None
    if server is None:
        yield
        return
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _open(page: bytes, host: str, port: int) -> "_Server | None":
    try:
        return _Server(page, (host, port))
    except OSError:  # gradio says more about it
        return None


class _Server(ThreadingHTTPServer):
    """Answers every request with one page. A thread for each connection, of which there are few."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, page: bytes, address: tuple[str, int]) -> None:
        self.page, self.room = page, threading.BoundedSemaphore(_MOST)
        super().__init__(address, _Answer)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """As the library does it, for at most `_MOST` connections; others are closed."""
        if not self.room.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self.room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor who has gone is no error."""


class _Answer(BaseHTTPRequestHandler):
    """One request."""

    timeout = _SECONDS
    server: _Server

    def do_GET(self) -> None:
        """The page, whatever was asked for."""
        self.do_HEAD()
        self.wfile.write(self.server.page)

    def do_HEAD(self) -> None:
        """The headers of the page."""
        self.send_response(503)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(self.server.page))), ("Retry-After", "1"),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Connection", "close"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the page keeps no log of visitors."""


def _html(first: "Pair") -> bytes:
    """The page: as the first screen of the real one, as far as it can be seen before it can be used."""
    recipe = first.recipe
    rows = "".join(
        f'<li class="mm-row"><span class="mm-name">{escape(str(edit.feature))}</span></li>' for edit in recipe.edits
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>mmsteer</title>
<style>{css()}{_STYLE.read_text(encoding="utf-8")}
body {{ margin: 0; font: 16px/1.5 system-ui, sans-serif; --cut: 50%; }} .gradio-container {{ padding: 32px 16px; box-sizing: border-box; }}
#mm-columns {{ display: flex; gap: 24px; margin-top: 16px; }} #mm-left {{ flex: 5; display: grid; align-content: start; }}
#mm-right {{ flex: 6; min-width: 0; }} #mm-prompt {{ font-size: 1rem; margin: 0; }}</style></head>
<body><div class="gradio-container"><div id="mm-head"><div>{HEADING}{legend()}</div></div>
<div id="mm-columns"><div id="mm-left"><p class="mm-row" id="mm-prompt">{escape(recipe.prompt)}</p>
<ul class="mm-rows">{rows}</ul></div>
<div id="mm-right"><div id="mm-trio">{drawn_ahead(first, first=True, scripts=False)}</div></div></div></div>
<script>{_SCRIPT}</script></body></html>""".encode()
