"""How large a request may be. Bytes are counted as they come, so that neither chunks nor form fields get around it."""

import re

from mmsteer.ui.server.asgi import App, Message, Receive, Scope, Send, header, refuse

LARGEST_UPLOAD = 6 * 2**20  # bytes: a file of `LARGEST_FILE` and what the form adds
LARGEST_CALL = 256 * 2**10
"""Bytes: a rack of 16 rows takes 3 kB, a sweep's description 40 kB, with a visitor's own picture 140."""
_UPLOADS = re.compile(r"/gradio_api/(upload|mcp(/.*)?)")  # MCP carries pictures in its calls
_BOUNDARY = re.compile(r'boundary="?([^";,]+)')


class BodyLimit:
    """Middleware that ends a request whose body is too large, or an upload of more than one file."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on for as long as its body stays within its limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def answer(message: Message) -> None:
            if not body.refused:
                await send(message)

        try:
            await self.app(scope, body.receive, answer)
        except Exception:
            if not body.refused:
                raise
        if body.refused:
            await body.drain()
            await refuse(send, 413, body.refused)


class _Body:
    """The body of one request. Once it is refused, the app behind sees a visitor who has left."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.refused = ""
        self._receive, self._bytes, self._more = receive, 0, True
        self._most = LARGEST_UPLOAD if _UPLOADS.fullmatch(scope["path"]) else LARGEST_CALL
        boundary = _BOUNDARY.search(header(scope, "content-type")) if scope["path"] == "/gradio_api/upload" else None
        self._between = f"\r\n--{boundary[1].strip()}".encode("latin-1") if boundary else b""
        self._tail, self._parts = b"", 0

    async def receive(self) -> Message:
        """The next message, or the visitor's leaving in its place."""
        message = await self._next()
        self._check(message.get("body", b""))
        return {"type": "http.disconnect"} if self.refused else message

    async def _next(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        self._more = bool(message.get("more_body"))
        return message

    def _check(self, chunk: bytes) -> None:
        if self._bytes > self._most:
            self.refused = f"the request has more than {self._most:,} bytes: send less"
        elif self._between:
            seen = self._tail + chunk
            self._parts += seen.count(self._between)  # one after each part; the first part has none before it
            self._tail = seen[len(seen) - len(self._between) + 1 :] if len(seen) >= len(self._between) else seen
            if self._parts > 1:
                self.refused = "the request has more than one file: send them one by one"

    async def drain(self) -> None:
        """Read on for a while: who is still sending does not read the answer."""
        end = self._bytes + self._most
        while self._more and self._bytes < end:
            await self._next()
