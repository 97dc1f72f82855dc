"""A visitor's turn at computing: who pays for its seconds, and whether they still want what it computes."""

from collections.abc import Callable
from contextvars import ContextVar
from threading import Event

from mmsteer.errors import SteerError


class StoppedError(SteerError):
    """The visitor has stopped the call, or has left."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


class Turn:
    """The turn of one call."""

    def __init__(self, spend: Callable[[float], None]) -> None:
        """`spend` charges the visitor seconds."""
        self.spend = spend
        self._stopped = Event()

    def stop(self) -> None:
        """Nobody wants the rest. Any thread may call it."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it has been stopped."""
        return self._stopped.is_set()


TURN: ContextVar[Turn | None] = ContextVar("TURN", default=None)
"""The turn of the call that is being answered; set by the queue."""


def check(turn: Turn | None) -> None:
    """StoppedError if a turn has been stopped; calls that no visitor has made, which have none, never are."""
    if turn is not None and turn.stopped:
        raise StoppedError
