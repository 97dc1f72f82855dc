"""What every handler of the page needs: the steerer, loaded in the background, and errors told as one sentence."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mmsteer.errors import SteerError
from mmsteer.ui.compare import problem

if TYPE_CHECKING:
    from mmsteer.picture import PictureReader
    from mmsteer.steer import Steerer

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class Loading:
    """The steerer, loaded in the background; whoever needs it waits for it."""

    def __init__(self, load: "Callable[[], Steerer]") -> None:
        self._load = load
        self._result: Steerer | None = None
        self._reader: PictureReader | None = None
        self._error: SteerError | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            from mmsteer.picture import PictureReader

            self._result = self._load()
            self._reader = PictureReader(self._result)
        except SteerError as error:
            self._error = error
        except Exception:
            _LOG.exception("loading failed")
            self._error = SteerError("The model could not be loaded; the server's log says why.")
        finally:
            self._done.set()

    def wait(self) -> "Steerer":
        """The steerer; SteerError if it could not be loaded."""
        self._done.wait()
        if self._result is None:
            assert self._error is not None
            raise self._error
        return self._result

    def reader(self) -> "PictureReader":
        """What reads pictures for it, one for all who ask."""
        self.wait()
        assert self._reader is not None
        return self._reader


def attempt(do: Callable[[], T]) -> tuple[T | None, str]:
    """What `do` returns and an empty string; or None and what went wrong, as HTML that a visitor may see."""
    result, wrong = plainly(do)
    return result, problem(wrong) if wrong else ""


def plainly(do: Callable[[], T]) -> tuple[T | None, str]:
    """As `attempt`, but what went wrong as a plain sentence."""
    try:
        return do(), ""
    except SteerError as error:
        return None, str(error)
    except Exception:
        _LOG.exception("a request failed")
        return None, "Something went wrong; the server's log says what. Please try again."
