"""The steerer, loaded in the background, and errors as one sentence for the visitor: every handler needs both."""

import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mmsteer.errors import SteerError, without_folders
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.progress.turn import TURN, ReplacedError
from mmsteer.ui.quota.refusal import refusal
from mmsteer.ui.server.trace import what
from mmsteer.ui.shared.drawing import Drawing, Watch
from mmsteer.ui.shared.notices import problem

if TYPE_CHECKING:
    from mmsteer.pictures.picture_features import PictureReader
    from mmsteer.steering.steerer import Steerer

T = TypeVar("T")
LONGEST, LONGEST_WORD = 600, 80  # characters of a sentence, and of a word in it: it may repeat what a visitor wrote
_LOG = logging.getLogger(__name__)


class Loading:
    """A steerer that loads in the background. Whoever needs it waits for it."""

    def __init__(self, load: "Callable[[], Steerer]") -> None:
        self._load = load
        self._result: Steerer | None = None
        self._reader: PictureReader | None = None
        self._error: SteerError | None = None
        self._done = threading.Event()
        self._drawing = Drawing()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            from mmsteer.pictures.picture_features import PictureReader

            steerer = self._load()
            if not isinstance(steerer, ZeroGPUSteerer):
                self._drawing.ordinary = 2 * steerer.sampler.steps * (2 if steerer.sampler.guidance > 1 else 1)
                steerer.between_steps = self._drawing.between_steps
            self._reader = PictureReader(steerer)
            self._result = steerer
        except SteerError as error:
            _LOG.error("loading failed: %s", error)  # with its folders: the log is for the owner of the machine
            self._error = error
        except Exception:
            _LOG.exception("loading failed")
            self._error = SteerError("The model could not be loaded; the server's log says why.")
        finally:
            self._done.set()

    @property
    def done(self) -> bool:
        """Whether it has loaded, or failed to."""
        return self._done.is_set()

    def wait(self) -> "Steerer":
        """The steerer; SteerError if it could not be loaded."""
        self._done.wait()
        if self._result is None:
            assert self._error is not None
            raise self._error
        return self._result

    def run(self, do: "Callable[[Steerer], T]") -> T:
        """Call `do` with the steerer. Everything that is computed for a picture goes through here.

        All calls run in one thread (`Drawing`). On ZeroGPU `do` runs in the thread of the request, to which the GPU is lent.

        Raises:
            SteerError: if the steerer could not be loaded, or as `do` raises it.
        """
        return self.begin(do).result()

    def begin(self, do: "Callable[[Steerer], T]", watch: Watch | None = None) -> "Future[T]":
        """As `run`, but the answer or the error comes later; `watch` is called between two steps, though not on ZeroGPU."""
        try:
            TURN.get().check()
            steerer = self.wait()
        except (SteerError, ReplacedError) as error:
            return _done(partial(_raise, error))
        call = partial(do, steerer)
        if isinstance(steerer, ZeroGPUSteerer):
            return _done(lambda: _wanted(call))
        return self._drawing.begin(call, watch)

    def reader(self) -> "PictureReader":
        """The steerer's reader of pictures, one for all visitors."""
        self.wait()
        assert self._reader is not None
        return self._reader


def _wanted(do: Callable[[], T]) -> T:
    """What `do` returns, unless nobody wants it, before or after: nothing reaches the GPU's process in between."""
    turn = TURN.get()
    turn.begin()
    result = do()
    turn.check()
    return result


def _raise(error: Exception) -> Any:
    raise error


def _done(do: Callable[[], T]) -> "Future[T]":
    """What `do` returns or raises, called now."""
    future: Future[T] = Future()
    try:
        future.set_result(do())
    except Exception as error:
        future.set_exception(error)
    return future


def attempt(do: Callable[[], T]) -> tuple[T | None, str]:
    """Call `do` for a visitor.

    Returns:
        What `do` returns and an empty string; or None and one sentence on what went wrong, without folders of this machine.

    Raises:
        ReplacedError: a newer call is answered in its place. `ServedBlocks` then leaves everything as it is.
    """
    try:
        return do(), ""
    except SteerError as error:
        return None, _clipped(without_folders(str(error)))
    except ReplacedError:
        raise
    except Exception as error:
        if said := refusal(str(getattr(error, "title", "")), str(getattr(error, "message", ""))):
            return None, said
        _LOG.error("a request failed: %s", what(error))
        return None, "Something went wrong on the server; its log has the details. Please try again."


def attempt_html(do: Callable[[], T]) -> tuple[T | None, str]:
    """As `attempt`, with the sentence as HTML."""
    result, error = attempt(do)
    return result, problem(error) if error else ""


def _clipped(sentence: str) -> str:
    short = re.sub(rf"\S{{{LONGEST_WORD}}}\S+", lambda word: f"{word[0][:LONGEST_WORD]}…", sentence)
    half = LONGEST // 2
    return short if len(short) <= LONGEST else f"{short[:half]} … {short[-half:]}"
