"""One line in the log for whatever goes wrong, without anything that a visitor has written."""

import logging

from mmsteer.ui.server.asgi import App, Message, Receive, Scope, Send, refuse
from mmsteer.ui.server.trace import what

_LOG = logging.getLogger(__name__)
UNREADABLE = "The call cannot be answered: load the page again."


class OneLine:
    """Middleware that catches what neither the page nor gradio has caught."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; if it fails, write a line and answer with a sentence."""
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            _LOG.warning("a request to %.40r failed: %s", scope.get("path", ""), what(error))
            if not started:
                await refuse(send, 400, UNREADABLE)
