"""What every handler of the page needs: the steerer, loaded in the background, and errors told as one sentence."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from mmsteer.errors import SteerError, without_folders
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.compare import problem

if TYPE_CHECKING:
    from mmsteer.steering.picture_features import PictureReader
    from mmsteer.steering.steerer import Steerer

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
        self._thread = ThreadPoolExecutor(1, "drawing")
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            from mmsteer.steering.picture_features import PictureReader

            self._result = self._load()
            self._reader = PictureReader(self._result)
        except SteerError as error:
            _LOG.error("loading failed: %s", error)  # with its folders, which only the owner of the machine is told
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
        """What `do` makes of the steerer; SteerError if it could not be loaded. All that is computed for a picture belongs here.

        It runs in one thread, whoever calls: on a CPU, OpenMP keeps a team of threads for every thread that it is called from,
        and members of more teams than there are cores sleep while they wait for each other: 0.26 s a picture in place of
        0.19. On ZeroGPU it runs where it is called, for a GPU is lent to the request at hand.
        """
        steerer = self.wait()
        return do(steerer) if isinstance(steerer, ZeroGPUSteerer) else self._thread.submit(do, steerer).result()

    def reader(self) -> "PictureReader":
        """What reads pictures for it, one for all who ask."""
        self.wait()
        assert self._reader is not None
        return self._reader


def told(do: Callable[[], T]) -> tuple[T | None, str]:
    """What `do` returns and an empty string; or None and what went wrong, in a sentence that a visitor may see."""
    try:
        return do(), ""
    except SteerError as error:
        return None, without_folders(str(error))
    except Exception:
        _LOG.exception("a request failed")
        return None, "Something went wrong; the server's log says what. Please try again."


def attempt(do: Callable[[], T]) -> tuple[T | None, str]:
    """The same, the sentence as HTML."""
    done, wrong = told(do)
    return done, problem(wrong) if wrong else ""
