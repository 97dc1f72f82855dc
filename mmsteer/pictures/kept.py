"""How much of a person's own picture is kept: before and after beside the picture that both start from."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmsteer.pictures.change import changed

if TYPE_CHECKING:
    from mmsteer.steering.steered import Steered

MEANING = (
    "Peak signal-to-noise ratio (above 25 dB hard to tell apart, below 15 dB another picture) of "
    "before, and of after outside what the features change"
)
_MOST_CHANGED = 0.9  # share of a picture outside of which too little is left to be measured


class Kept(NamedTuple):
    """How near both pictures are to the one that they start from."""

    before: float
    """Peak signal-to-noise ratio of *before*, in dB: what encoding, noise and drawing again cost without any edit."""
    outside: float | None
    """That of *after*, outside what the edits change; None where they change nearly all, or nothing."""
    changed: float
    """The share of pixels that the edits change (`mmsteer.pictures.change`)."""

    def __str__(self) -> str:
        outside = "" if self.outside is None else f"; after, outside what changed, {self.outside:.1f} dB"
        return f"before {self.before:.1f} dB{outside}"


def kept(steered: "Steered") -> Kept | None:
    """How much is kept of the picture that a pair starts from; None where it starts from noise alone."""
    start = steered.recipe.start
    if start is None:
        return None
    own, before, after = (np.asarray(p) for p in (start.image(steered.before.width), steered.before, steered.after))
    edited = changed(steered.before, steered.after)
    share = float(edited.mean())
    outside = psnr(own[~edited], after[~edited]) if 0 < share < _MOST_CHANGED else None
    return Kept(psnr(own, before), outside, share)


def psnr(first: "np.ndarray", second: "np.ndarray") -> float:
    """The peak signal-to-noise ratio of two arrays of pixels from 0 to 255, in dB; at most 100, for equal ones."""
    error = np.square(first.astype(np.float64) - second).mean()
    return min(100.0, float(10 * np.log10(255**2 / error))) if error else 100.0
