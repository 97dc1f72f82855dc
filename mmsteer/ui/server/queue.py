"""gradio's queue, with a limit a client, without calls that nobody waits for, and in fair order (`turns.py`)."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qs

from gradio.queueing import Event, EventQueue, Queue
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import LRUCache

from mmsteer.ui.progress.turn import TURN, Turn
from mmsteer.ui.server.asgi import App, Receive, Scope, Send
from mmsteer.ui.server.blocks import ServedBlocks
from mmsteer.ui.server.client import client_of
from mmsteer.ui.server.turns import Client, Turns
from mmsteer.ui.shared.events import DRAW, READ

WAITING = 128  # calls
OF_ADDRESS, OF_VISIT = 32, 12  # of these: a class may share one address
PATIENCE = 10.0  # seconds that a call waits for somebody who listens to its answer
UNHEARD = "Nobody has waited for this call: send it again, and read its answer at once."
ABSENCE = 1.0  # seconds without anybody who listens after which a call that runs is stopped: a page may close one stream and open another
PERIOD = 0.01  # seconds
_ANSWER = re.compile(r"/gradio_api/(queue/data|call/(v2/)?[^/]+/(?P<event>[^/]+))")


class FairQueue(Queue):  # type: ignore[misc]  # gradio is not typed
    """The queue of one page.

    Args:
        blocks: the page.
        overtaking: whether a second call may start while one runs, to go between its steps.
    """

    def __init__(self, blocks: ServedBlocks, overtaking: bool) -> None:
        super().__init__(True, blocks.max_threads, 1, WAITING, blocks)
        self.ANALYTICS_MAX_EVENTS = 1
        self.turns, self.overtaking = Turns(), overtaking
        self._listeners: Counter[str] = Counter()
        self._running: list[Event] = []
        self._looked = 0.0
        self.pending_event_ids_session = LRUCache(self.pending_messages_per_session.max_size)

    def compute_analytics_summary(self, records: Any) -> dict[str, Any]:  # noqa: ARG002
        """Nothing: it is for /monitoring, which is closed, and would cost a data frame after every call."""
        return {}

    # -- who listens --

    def visit_of(self, event: str | None, scope: Scope) -> str:
        """The visit whose answers a request reads: that of an event, or the one that its query names."""
        if event is None:
            query: str = scope["query_string"].decode("latin-1")
            return parse_qs(query).get("session_hash", [""])[0]
        known: Event | None = self.event_ids_to_events.get(event)
        return str(known.session_hash) if known else event

    @contextmanager
    def listening(self, visit: str) -> Iterator[None]:
        """Somebody reads the answers to a visit's calls."""
        self._listeners[visit] += 1
        try:
            yield
        finally:
            self._listeners[visit] -= 1
            if not self._listeners[visit]:
                del self._listeners[visit]
                self._forget(visit)
                asyncio.get_running_loop().call_later(ABSENCE, self._stop_unheard, visit)

    def _stop_unheard(self, visit: str) -> None:
        """Stop the calls of a visitor who has left."""
        if visit not in self._listeners:
            for event in self._running:
                if event.session_hash == visit:
                    event.turn.stop()

    def _forget(self, visit: str) -> None:
        """Drop answers that wait for a visit that nobody listens to and that has no call left."""
        if visit in self._listeners or any(e.session_hash == visit for e in self.event_ids_to_events.values()):
            return
        self.pending_event_ids_session.pop(visit, None)
        if visit in self.pending_messages_per_session:  # a page may listen before it asks: the visit stays known
            self.pending_messages_per_session[visit] = asyncio.Queue()

    # -- what may wait --

    async def push(self, body: Any, request: Any, username: str | None) -> tuple[bool, Any, Any]:
        """Let a call wait, unless it is one too many: then a sentence says so."""
        client = client_of(request, body.session_hash or "")
        waiting = [event for line in self.event_queue_per_concurrency_id.values() for event in line.queue]
        own = [event for event in waiting if event.client.address == client.address]
        if client.visit and [event.session_hash for event in own].count(client.visit) >= OF_VISIT:
            return False, f"{OF_VISIT} of your calls wait already: wait for one of them.", "queue_full"
        if len(own) >= OF_ADDRESS:
            unheard = next((event for event in own if not self._listeners[event.session_hash]), None)
            if unheard is None:
                return False, f"{OF_ADDRESS} calls from your address wait already: try again later.", "queue_full"
            self._drop(unheard)
        pushed: tuple[bool, Any, Any] = await super().push(body, request, username)
        if pushed[0]:
            event = self.event_ids_to_events[pushed[1]]
            event.client = Client(client.address, event.session_hash)
            event.turn = Turn(partial(self.turns.spend, event.client))
            self._one_in_its_place(event)
            if self._refused(body):
                self._read(event)
        return pushed

    def _refused(self, body: Any) -> bool:
        """Whether the endpoint will refuse what the call gives it."""
        check = self.blocks.checks.get(self.blocks.fns[body.fn_index].api_name)
        try:
            if check is not None:
                check(*body.data)
        except Exception:  # a call that cannot even be checked will be refused
            return True
        return False

    def _read(self, event: Event) -> None:
        """Put a call among those that draw nothing."""
        name = READ["concurrency_id"]
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        event.concurrency_id = name
        line = self.event_queue_per_concurrency_id.setdefault(name, EventQueue(name, READ["concurrency_limit"]))
        line.queue.append(event)

    # -- what is replaced or stopped --

    def _one_in_its_place(self, event: Event) -> None:
        """Of a visit's calls that answer in the same place, let only the newest wait.

        gradio's trigger modes, which its browser code keeps for the calls of one event, hold for all events with the same outputs: those
        that are `always_last` take the place of older ones, and one that is `once` gives way to them.
        """
        others = [
            one
            for one in self._of_visit(event.session_hash)
            if one.fn is not event.fn and one.fn.outputs == event.fn.outputs
        ]
        replaced = {"always_last": others, "once": [event] if others else []}.get(event.fn.trigger_mode, [])
        for one in replaced:
            self._end(one, one.turn.replace)

    def _of_visit(self, visit: str) -> list[Event]:
        """A visit's calls, those that wait and those that run."""
        waiting = [event for line in self.event_queue_per_concurrency_id.values() for event in line.queue]
        return [event for event in [*waiting, *self._running] if event.session_hash == visit]

    def _end(self, event: Event, end: Callable[[], None]) -> None:
        """End a call: what runs ends between two steps, what waits is answered at once."""
        end()
        if event not in self._running:
            self._read(event)

    def stop(self, visit: str, name: str) -> None:
        """Stop a visit's calls of one endpoint.

        Args:
            visit: the session.
            name: of the endpoint; further events with the same handler have a number behind it.
        """
        named = re.compile(rf"{re.escape(name)}(_\d+)?")
        for event in self._of_visit(visit):
            if named.fullmatch(str(event.fn.api_name)):
                self._end(event, event.turn.stop)

    # -- whose turn it is --

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next call of any line, fair to every client; calls that nobody waits for are dropped here."""
        lines = list(self.event_queue_per_concurrency_id.items())
        random.shuffle(lines)
        for name, line in lines:
            self._drop_unheard(line)
            heard = [event for event in line.queue if self._listeners[event.session_hash]]
            if heard and (event := self._next(line, heard)):
                line.queue.remove(event)
                return [event], False, name
        return None

    def _next(self, line: EventQueue, heard: list[Event]) -> Event | None:
        """The call to start now; None if it has to wait for another one's end."""
        limit = line.concurrency_limit
        free = limit is None or line.current_concurrency < limit
        running = [event for event in self._running if event.concurrency_id == line.concurrency_id]
        overtaking = self.overtaking and line.concurrency_id == DRAW["concurrency_id"] and len(running) == 1
        if not free and not (overtaking and self._look()):
            return None
        event = self.turns.order(heard, attrgetter("client"))[0]
        return event if free or self.turns.ahead(event.client, running[-1].client) else None

    def _look(self) -> bool:
        """Whether it is time to look for somebody to let in: gradio asks a thousand times a second."""
        now = time.monotonic()
        if now - self._looked < PERIOD:
            return False
        self._looked = now
        return True

    def _drop_unheard(self, line: EventQueue) -> None:
        late = time.monotonic() - PATIENCE
        for event in [e for e in line.queue if e.enqueue_time < late and not self._listeners[e.session_hash]]:
            self._drop(event)

    def _drop(self, event: Event) -> None:
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        self._forget(event.session_hash)
        if event.session_hash in self.pending_messages_per_session:  # for who listens too late
            self.pending_event_ids_session.setdefault(event.session_hash, set()).add(event._id)
            self.send_message(event, ProcessCompletedMessage(output={"error": UNHEARD}, success=False))

    async def process_events(self, events: list[Event], *more: Any) -> None:
        """Run a call, and charge its client what it computes."""
        (event,), client = events, events[0].client
        self._running.append(event)
        self.turns.begin(client)
        TURN.set(events[0].turn)
        try:
            await super().process_events(events, *more)
        finally:
            self._running.remove(event)
            self._forget(event.session_hash)


class Listeners:
    """Middleware that lets the queue know who reads the answers to which visit's calls."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        asked = _ANSWER.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        queue = scope["app"].get_blocks()._queue if asked else None
        if asked is None or not isinstance(queue, FairQueue):
            await self.app(scope, receive, send)
            return
        with queue.listening(queue.visit_of(asked["event"], scope)):
            await self.app(scope, receive, send)
