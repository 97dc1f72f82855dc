"""The one thread that computes. Others are let in between the steps of a long drawing, so that nobody waits for its end."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from mmsteer.steering.progress.step import Step
from mmsteer.ui.progress.turn import TURN

T = TypeVar("T")
Watch = Callable[[Step, float], None]
"""What is called between two steps of a drawing, with the seconds that it has computed so far."""


class _Call:
    """A call, and the seconds that it has computed so far."""

    def __init__(self, do: Callable[[], Any], watch: Watch | None) -> None:
        self.do, self.watch, self.future, self.turn = do, watch, Future[Any](), TURN.get()
        self.work, self.seconds = 0, 0.0

    def resume(self) -> None:
        """Start the clock, for the first time or again."""
        self._since = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock, and charge what it shows."""
        passed = time.perf_counter() - self._since
        self.seconds += passed
        self.turn.spend(passed)

    def answer(self) -> Any:
        """What is called for, unless nobody wants it any more."""
        self.turn.begin()
        return self.do()

    def report(self, step: Step) -> None:
        """Tell who watches."""
        self.work += step.work
        if self.watch is not None:
            self.watch(step, self.seconds + time.perf_counter() - self._since)


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
        """Call `do` when its turn comes; returns or raises what it does, or as `Turn.check` if nobody wants it any more."""
        return self.begin(do).result()

    def begin(self, do: Callable[[], T], watch: Watch | None = None) -> "Future[T]":
        """As `run`, without waiting. `watch` is called in the thread that computes."""
        call = _Call(do, watch)
        try:
            call.turn.check()
        except Exception as error:  # its answer is there at once, although others may wait
            call.future.set_exception(error)
        else:
            self._waiting.put(call)
        return call.future

    def between_steps(self, step: Step) -> None:
        """What a drawing calls between two steps: run whoever waits, once the drawing has done as much as an ordinary one.

        Raises:
            StoppedError: nobody wants the drawing any more. It ends, and nothing else does.
        """
        if threading.current_thread() is not self._thread:
            return
        call = self._running[-1]
        call.report(step)
        if call.work >= self.ordinary:
            self._let_in(call)
        call.turn.check()

    def _let_in(self, call: _Call) -> None:
        """Run whoever waits, inside a call."""
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
            call.future.set_result(call.answer())
        except BaseException as error:
            call.future.set_exception(error)
        finally:
            call.pause()
            self._running.pop()
