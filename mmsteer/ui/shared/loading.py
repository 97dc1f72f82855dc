"""The steerer, loaded in the background, and errors as one sentence for the visitor: every handler needs both."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from mmsteer.errors import SteerError, without_folders
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.shared.notices import problem

if TYPE_CHECKING:
    from mmsteer.steering.picture_features import PictureReader
    from mmsteer.steering.steerer import Steerer

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class Loading:
    """A steerer that loads in the background. Whoever needs it waits for it."""

    def __init__(self, load: "Callable[[], Steerer]") -> None:
        self._load = load
        self._result: Steerer | None = None
        self._reader: PictureReader | None = None
        self._error: SteerError | None = None
        self._done = threading.Event()
        self._thread = ThreadPoolExecutor(1, "drawing")
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            from mmsteer.steering.picture_features import PictureReader

            self._result = self._load()
            self._reader = PictureReader(self._result)
        except SteerError as error:
            _LOG.error("loading failed: %s", error)  # with its folders: the log is for the owner of the machine
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

    def run(self, do: "Callable[[Steerer], T]") -> T:
        """Call `do` with the steerer. Everything that is computed for a picture goes through here.

        All calls run in one thread: on a CPU, OpenMP keeps a team of threads for every thread that calls it, and teams with
        more members than there are cores sleep while they wait for each other (0.26 s a picture instead of 0.19 s). On
        ZeroGPU `do` runs in the thread of the request, to which the GPU is lent.

        Raises:
            SteerError: if the steerer could not be loaded, or as `do` raises it.
        """
        steerer = self.wait()
        return do(steerer) if isinstance(steerer, ZeroGPUSteerer) else self._thread.submit(do, steerer).result()

    def reader(self) -> "PictureReader":
        """The steerer's reader of pictures, one for all visitors."""
        self.wait()
        assert self._reader is not None
        return self._reader


def attempt(do: Callable[[], T]) -> tuple[T | None, str]:
    """Call `do` for a visitor.

    Returns:
        What `do` returns and an empty string; or None and one sentence on what went wrong, without folders of this machine.
    """
    try:
        return do(), ""
    except SteerError as error:
        return None, without_folders(str(error))
    except Exception:
        _LOG.exception("a request failed")
        return None, "Something went wrong on the server; its log has the details. Please try again."


def attempt_html(do: Callable[[], T]) -> tuple[T | None, str]:
    """As `attempt`, with the sentence as HTML."""
    result, error = attempt(do)
    return result, problem(error) if error else ""
