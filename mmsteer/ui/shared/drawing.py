"""The one thread that computes. Others are let in between the steps of a long drawing, so that nobody waits for its end."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from mmsteer.steering.progress.step import Step

T = TypeVar("T")
SPEND: ContextVar[Callable[[float], None] | None] = ContextVar("SPEND", default=None)
"""Who pays for the seconds that a call computes: set by the queue for the visitor whose turn it is."""


class _Call:
    """A call, and the seconds that it has computed so far."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self.do, self.future, self.spend = do, Future[Any](), SPEND.get()
        self.work = 0

    def resume(self) -> None:
        """Start the clock, for the first time or again."""
        self._since = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock, and charge what it shows."""
        if self.spend is not None:
            self.spend(time.perf_counter() - self._since)


class Drawing:
    """Runs calls in a thread of its own, in the order in which they come.

    On a CPU, OpenMP keeps a team of threads for every thread that calls it, and teams with more members than there are cores
    sleep while they wait for each other (0.26 s a picture instead of 0.19 s). So calls that are let in run in the same thread,
    inside the call that lets them.
    """

    def __init__(self) -> None:
        self.ordinary = 0
        """Work that a call may do before others are let in, in pictures times steps."""
        self._waiting: SimpleQueue[_Call] = SimpleQueue()
        self._running: list[_Call] = []
        self._thread = threading.Thread(target=self._work, name="drawing", daemon=True)
        self._thread.start()

    def run(self, do: Callable[[], T]) -> T:
        """Call `do` when its turn comes; returns or raises what it does."""
        call = _Call(do)
        self._waiting.put(call)
        result: T = call.future.result()
        return result

    def between_steps(self, step: Step) -> None:
        """What a drawing calls between two steps: run whoever waits, once the drawing has done as much as an ordinary one."""
        if threading.current_thread() is not self._thread:
            return
        call = self._running[-1]
        call.work += step.work
        if call.work < self.ordinary:
            return
        call.pause()
        try:
            while True:
                self._one(self._waiting.get_nowait())
        except Empty:
            call.resume()

    def _work(self) -> None:
        while True:
            self._one(self._waiting.get())

    def _one(self, call: _Call) -> None:
        self._running.append(call)
        call.resume()
        try:
            call.future.set_result(call.do())
        except BaseException as error:
            call.future.set_exception(error)
        finally:
            call.pause()
            self._running.pop()
