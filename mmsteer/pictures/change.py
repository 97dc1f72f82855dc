"""How much of a picture edits change: one number, the same wherever the page gives one."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

VISIBLE = 16  # of 255: a step that a look at both pictures in turn just shows
MEANING = f"Share of pixels that differ between the two pictures by more than {VISIBLE} of 255 in red, green or blue"


def changed_share(before: "Image.Image", after: "Image.Image") -> float:
    """The share of pixels, 0 to 1, that differ by more than `VISIBLE` in any of red, green and blue.

    Args:
        before: an RGB picture.
        after: another one, of the same size.
    """
    return float(changed(before, after).mean())


def changed(before: "Image.Image", after: "Image.Image") -> "np.ndarray":
    """Which pixels differ by more than `VISIBLE` in any of red, green and blue, `bool [H, W]`."""
    first, second = (np.asarray(picture, dtype=np.int16) for picture in (before, after))
    return np.asarray(np.abs(first - second).max(axis=-1) > VISIBLE)


def mean_difference(first: "Image.Image", second: "Image.Image") -> float:
    """The mean absolute difference over all pixels and channels, 0 to 1: 0 for the same picture, 1 for black beside white.

    It ranks edits that change every pixel, as those of light do: `changed_share` is 1 for most of them.

    Args:
        first: an RGB picture.
        second: another one, of the same size.
    """
    a, b = (np.asarray(picture, dtype=np.int16) for picture in (first, second))
    return float(np.abs(a - b).mean() / 255)


def in_percent(share: float) -> str:
    """A share as people read it: two digits that count, "0.05 %" or "33 %"; less than 0.005 % is "0 %"."""
    percent = 100 * share
    if percent < 0.005:
        return "0 %"
    digits = 0 if percent >= 10 else 1 if percent >= 1 else 2
    return f"{percent:.{digits}f} %"


def changed_text(before: "Image.Image", after: "Image.Image") -> str:
    """The share between two pictures as the page says it: "33 % changed"."""
    return f"{in_percent(changed_share(before, after))} changed"
