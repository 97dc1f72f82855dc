"""What is known of a drawing between two of its steps, for whoever shows it, stops it or draws something else in between."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.steering.progress.estimate import clean
from mmsteer.steering.progress.linear_decoder import decoder_of

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmsteer.models.backbone import Backbone


class Step(NamedTuple):
    """A step that a drawing has done."""

    work: int
    """What it has drawn: pictures, guided ones twice."""
    fraction: float
    """Of the run that is done, up to 1."""
    preview: "Callable[[], Image.Image | None]"
    """The first picture that was asked for, as far as it is drawn, at a quarter of its size; None where that cannot be known."""


class Steps:
    """Tells a listener of every step of one run."""

    def __init__(self, backbone: "Backbone", work: int, first: int, listener: Callable[[Step], None]) -> None:
        """`work` as in `Step`; `first` is the number of the first picture that was asked for; the listener may draw other pictures, and
        ends the run by raising an error.
        """
        self._backbone, self._work, self._listener = backbone, work, listener
        self._shown = slice(first, first + 1)
        self._before: torch.Tensor | None = None

    def done(self, run: Any, call: int, latents: "torch.Tensor") -> None:
        """A call of the denoiser is done.

        Args:
            run: the pipeline that draws, with its own scheduler.
            call: its number, from 0.
            latents: [B, …], as that call has left them.
        """
        import torch

        every, before = run.scheduler.timesteps, self._before
        # a run that starts from a picture has the last of them
        times = every[-getattr(run, "num_timesteps", len(every)) :]
        self._before = latents

        def preview() -> "Image.Image | None":
            if call + 1 >= len(times):
                return None
            scheduler = copy.copy(run.scheduler)  # that knows no step, so that it looks times up
            scheduler._step_index = scheduler._begin_index = None
            with torch.no_grad():
                pair = None if before is None else before[self._shown].float()
                found = clean(scheduler, times[call : call + 2], pair, latents[self._shown].float())
                return None if found is None else decoder_of(self._backbone).picture(self._unpacked(run, found))

        with torch.enable_grad():  # whoever draws in between starts as anywhere else
            self._listener(Step(self._work, (call + 1) / len(times), preview))

    def _unpacked(self, run: Any, latents: "torch.Tensor") -> "torch.Tensor":
        return self._backbone.family.unpacked(run, latents, self._backbone.side)
