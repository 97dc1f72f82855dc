"""gradio's `Blocks`, of which a call that fails costs the log one line."""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio_client.utils import is_http_url_like

from mmsteer.ui.progress.turn import ReplacedError
from mmsteer.ui.server.log import UNREADABLE
from mmsteer.ui.server.trace import what

_LOG = logging.getLogger(__name__)


class ServedBlocks(gr.Blocks):  # type: ignore[misc]  # gradio is not typed
    """A page whose handlers answer with sentences of their own. What else fails is a call that no page sends."""

    checks: Mapping[str, Callable[..., object]] = MappingProxyType({})
    """Endpoint -> what raises SteerError for arguments that it will refuse: these calls wait for no turn."""

    def stop(self, visit: str | None, name: str) -> None:
        """Stop what a visit has asked an endpoint for (`FairQueue.stop`). Call it in the server's own loop."""
        self._queue.stop(visit, name)

    async def call_function(self, block_fn: Any, *args: Any, **more: Any) -> dict[str, Any]:
        """As gradio does it; nothing changes on the page for a call whose place a newer one has taken."""
        try:
            result: dict[str, Any] = await super().call_function(block_fn, *args, **more)
            return result
        except ReplacedError:
            same = [gr.skip()] * len(block_fn.outputs)
            prediction = same[0] if len(same) == 1 else same
            return {"prediction": prediction, "duration": 0.0, "is_generating": False, "iterator": None}

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """As gradio does it. What it puts in a component's place when that is skipped has a number of its own, under which the next value
        would stay for as long as the visit: it gets the component's.
        """
        data: list[Any] = await super().postprocess_data(block_fn, predictions, state)
        of_visit = state.blocks_config.blocks if state else {}
        for block in block_fn.outputs:
            if block._id in of_visit:
                of_visit[block._id]._id = block._id
        return data

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **more: Any) -> dict[str, Any]:
        """As gradio does it; `gr.Error` with a sentence for whatever is raised. gradio would print a traceback."""
        if any(_elsewhere(value) for value in _values(inputs)):
            raise gr.Error("The file is an address, not an upload: upload it first.", print_exception=False)
        try:
            inputs = [*inputs, *_defaults(block_fn.fn, len(inputs), len(block_fn.inputs))]
            output: dict[str, Any] = await super().process_api(block_fn, inputs, *args, **more)
            return output
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            name = getattr(block_fn, "api_name", None) or "a handler"
            _LOG.warning("a call of %.40s failed: %s", name, what(error))
        raise gr.Error(UNREADABLE, print_exception=False)


def _defaults(handler: Any, given: int, wanted: int) -> list[Any]:
    """A handler's own defaults for arguments that a call leaves out: programs written before it had them still work."""
    parameters = list(inspect.signature(handler).parameters.values())[given:wanted] if given < wanted else []
    defaults = [parameter.default for parameter in parameters]
    return [] if inspect.Parameter.empty in defaults else defaults


def _values(inputs: Any) -> Iterator[Any]:
    """Everything in what was sent, however deep."""
    left = [inputs]
    while left:
        value = left.pop()
        yield value
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _elsewhere(value: Any) -> bool:
    """Whether it is a file on another host, which gradio would fetch."""
    return isinstance(value, dict) and "meta" in value and is_http_url_like(value.get("path"))
