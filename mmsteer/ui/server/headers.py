"""Headers that tell a browser what the page may do, and that nothing of a visitor is stored on the way."""

from mmsteer.ui.server.asgi import App, Message, Receive, Scope, Send

_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",  # gradio runs its components' scripts by `new Function`
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}


class SecurityHeaders:
    """Middleware.

    Args:
        app: what is behind it.
        framed: whether other sites may show the page in a frame, as the hub does with a Space.
    """

    def __init__(self, app: App, framed: bool) -> None:
        self.app = app
        policy = _POLICY if framed else _POLICY | {"frame-ancestors": "'self'"}
        self._always = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),  # a link holds a prompt
            (b"content-security-policy", "; ".join(f"{name} {value}" for name, value in policy.items()).encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""
        private = scope["type"] == "http" and scope["path"].startswith("/gradio_api/")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [*self._always, *([(b"cache-control", b"private, no-store")] if private else [])]
                names = {name for name, _ in more}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
                message = {**message, "headers": [*kept, *more]}
            await send(message)

        await self.app(scope, receive, answer)
