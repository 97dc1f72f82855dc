"""A visitor's turn at computing: who pays for its seconds, and whether they still want what it computes."""

from collections.abc import Callable
from contextvars import ContextVar

from mmsteer.errors import SteerError


class StoppedError(SteerError):
    """The visitor has stopped the call, or has left."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


class ReplacedError(Exception):
    """A newer call of the same visitor is answered in the place of this one, which therefore answers nothing."""


class Turn:
    """The turn of one call. Any thread may use it."""

    def __init__(self, spend: Callable[[float], None]) -> None:
        """`spend` charges the visitor seconds."""
        self.spend = spend
        self._begun = False
        self._ended: type[Exception] | None = None

    def begin(self) -> None:
        """It computes from now on; as `check`."""
        self._begun = True
        self.check()

    def check(self) -> None:
        """StoppedError or ReplacedError if nobody wants the answer any more."""
        if self._ended is not None:
            raise self._ended

    def stop(self) -> None:
        """Nobody wants the rest."""
        self._ended = self._ended or StoppedError

    def replace(self) -> None:
        """A newer call takes its place, unless it has begun to compute: then it comes to its end."""
        if not self._begun:
            self._ended = self._ended or ReplacedError


TURN: ContextVar[Turn] = ContextVar("TURN", default=Turn(lambda _: None))  # noqa: B039  nobody ends that one
"""The turn of the call that is being answered, set by the queue; what no visitor has called for costs nobody anything."""
