"""Which requests reach gradio: of its routes those that the page and its API use, from this page and by a name of this machine.

A site that a visitor has open could otherwise post to a page on their own machine, or point its own name at it and read the
answers (DNS rebinding). On a Space, the proxy in front decides both, and other sites may show the page.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from mmsteer.ui.server.asgi import App, Receive, Scope, Send, header, refuse

_OPEN = re.compile(
    r"/|/config/?|/(assets|static|svelte)/.+|/(favicon\.ico|robots\.txt|manifest\.json|theme\.css|openapi\.json)"
    r"|/gradio_api/(info/?|openapi\.json|app_id/?|theme\.css|startup-events|queue/(join|data|status)|call/.+|run/[^/]+/?"
    r"|component_server/?|upload|upload_progress|file=.+|heartbeat/[^/]+|cancel|reset/?|mcp(/.*)?)"
)
_OTHER_HOST = re.compile(r"/gradio_api/file=\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)  # gradio would fetch it


class Doors:
    """Middleware.

    Args:
        app: what is behind it.
        names: host names by which the page may be called; None lets any pass, and requests of other origins too.
    """

    def __init__(self, app: App, names: Iterable[str] | None) -> None:
        self.app = app
        self.names = None if names is None else {name.lower() for name in (*names, "localhost", *_own_names())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif not _OPEN.fullmatch(scope["path"]) or _OTHER_HOST.match(scope["path"]):
            await refuse(send, 404, "there is nothing here")
        elif self.names is not None and not self._ours(header(scope, "host")):
            await refuse(send, 403, "this page does not go by that name: start it with --name NAME to allow one")
        elif self.names is not None and not _same_origin(scope):
            await refuse(send, 403, "another site may not use this page: open the page itself")
        else:
            await self.app(scope, receive, send)

    def _ours(self, host: str) -> bool:
        """Whether a Host header names this machine. An address cannot be rebound, so every address does."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in (self.names or ()) or bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}


def _same_origin(scope: Scope) -> bool:
    """Whether a browser sends this from the page itself. Reading is no harm: gradio lets no other site see the answer."""
    origin = header(scope, "origin")
    if not origin or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return True
    return urlsplit(origin).netloc.lower() == header(scope, "host").lower()
