"""A call that draws pictures one after the other, and how far it is.

Whoever asks for reports sets the pace: previews are made for those that are read, so that a drawing that is done at once makes none.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mmsteer.recipes.data_url import picture_url
from mmsteer.ui.progress.turn import StoppedError

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.models.sampler import Sampler
    from mmsteer.steering.progress.step import Step
    from mmsteer.steering.steerer import Steerer
    from mmsteer.ui.shared.loading import Loading

T = TypeVar("T")
FIRST = 0.3
"""Seconds after which a drawing is reported: what is done sooner needs no report."""
PERIOD = 0.5
"""Seconds between two reports. Each takes 7 ms of a core, most of it gradio's, which a drawing on all cores has to wait for."""
LONG = 1.0
"""Seconds of a drawing from which there are previews."""


class Pace:
    """How long drawing took last, on this machine."""

    def __init__(self) -> None:
        self._second = 0.0  # of work

    def measured(self, sampler: "Sampler", seconds: float | None) -> None:
        """A picture took so many seconds; None if it was not measured."""
        if seconds is not None:
            self._second = seconds / _work(sampler)

    def of(self, sampler: "Sampler") -> float:
        """Seconds that a picture is going to take; 0 if nothing has been drawn yet."""
        return self._second * _work(sampler)


class Followed(Generic[T]):
    """One call."""

    def __init__(self, loading: "Loading", do: "Callable[[Steerer, Followed[T]], T]") -> None:
        """Begin to call `do` with the steerer and this, whose `expect` it calls before it draws."""
        self._pictures: tuple[str, ...] = ("",)
        self._about = 0.0
        self._number, self._fraction, self._seconds = 0, 0.0, 0.0
        self._preview: Image.Image | None = None
        self._wanted = False
        self._future: Future[T] = loading.begin(lambda steerer: do(steerer, self), self._watch)

    def expect(self, pictures: tuple[str, ...], seconds: float) -> None:
        """Say what is going to be drawn, in order, and how long each of it may take; 0 if that is not known."""
        self._pictures, self._about = pictures or ("",), seconds

    def result(self) -> T:
        """What the call returns; or raises what it raises."""
        return self._future.result()

    @property
    def stopped(self) -> bool:
        """Whether it has ended because its visitor stopped it."""
        return self._future.done() and isinstance(self._future.exception(), StoppedError)

    def reports(self) -> Iterator[dict[str, Any]]:
        """How far it is, for as long as it is drawn.

        Yields:
            Where something is new since the last time, `fraction` of all that is done; `left`, the seconds that it may still take,
            0 if not known; `which` picture is drawn; and `preview`, a data URL, from `LONG` on.
        """
        pause, said = FIRST, None
        while not wait([self._future], pause).done:
            report, preview, pause = self._report(), self._shown(), PERIOD
            if preview or report != said:
                said = report
                yield report | preview

    def _report(self) -> dict[str, Any]:
        fraction = min(1.0, (self._number + self._fraction) / len(self._pictures))
        whole = self._seconds / fraction if fraction else self._about * len(self._pictures)
        self._wanted = whole >= LONG
        return {"fraction": round(fraction, 3), "left": round(whole * (1 - fraction), 2), "which": self._which()}

    def _shown(self) -> dict[str, str]:
        preview, self._preview = self._preview, None
        return {"preview": picture_url(preview, "JPEG", quality=80)} if preview else {}

    def _which(self) -> str:
        return self._pictures[min(self._number, len(self._pictures) - 1)]

    def _watch(self, step: "Step", seconds: float) -> None:
        """In the thread that draws."""
        if step.fraction <= self._fraction:  # of the next picture
            self._number, self._preview = self._number + 1, None
        self._fraction, self._seconds = step.fraction, seconds
        if self._wanted:
            self._wanted, self._preview = False, step.preview()


def _work(sampler: "Sampler") -> int:
    return sampler.steps * (2 if sampler.guidance > 1 else 1)
