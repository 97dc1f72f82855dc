"""A recipe's start: a picture of one's own, drawn again from some way along the sampling run in place of from noise alone. Pure data.

The picture travels in the recipe, as WebP in base64 of the URL alphabet: whoever opens the recipe starts from the same pixels.
"""

import base64
import binascii
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.errors import SteerError, quoted
from mmsteer.image_file import decode, header, upright_rgb
from mmsteer.models.sampler import MOST_STEPS

if TYPE_CHECKING:
    from PIL import Image

FREEDOM = 0.8
"""The freedom to begin with."""
LEAST = 0.05
"""The least freedom: below it no edit shows."""
LONGEST = 48_000
"""Characters of the picture in base64."""
_LARGEST = 2048  # pixels a side
_QUALITIES = (90, 80, 70, 60, 50)  # of WebP; where even the last is too long, the picture is stored smaller
_CLOSE = 0.025  # how far from the freedom the part of the run that is drawn may be: half a step of the page's slider
_ROUNDING = 1e-9


class Run(NamedTuple):
    """A part of a sampling run: its last steps."""

    drawn: int
    """Steps that are drawn."""
    of: int
    """Steps of the whole run; the others would have led from noise to where it starts."""


@dataclass(frozen=True)
class Start:
    """A picture to draw from, and how far from it the drawing may go.

    Raises:
        SteerError: the freedom is out of range, or the picture damaged or too large.

    Example:
        >>> from PIL import Image
        >>> from mmsteer import Start
        >>> start = Start.of(Image.new("RGB", (400, 300), "orange"), 256, freedom=0.6)
        >>> start.image(256).size, start.run(25)
        ((256, 256), Run(drawn=15, of=25))
    """

    freedom: float
    """From `LEAST`, which keeps nearly all of the picture, to 1, where only noise is left of it: the share of the sampling run that is
    drawn."""
    picture: str
    """A WebP file as base64 of the URL alphabet, at most `LONGEST` characters."""

    def __post_init__(self) -> None:
        check_freedom(self.freedom)
        with header(BytesIO(self._file), ("WEBP",)) as picture:
            if max(picture.size) > _LARGEST:
                width, height = picture.size
                raise SteerError(
                    f"the picture to start from has {width}x{height} pixels; {_LARGEST} a side are allowed"
                )

    @classmethod
    def of(cls, picture: "Image.Image", side: int, freedom: float = FREEDOM) -> "Start":
        """The start from a picture, cut to a square around its middle.

        Args:
            picture: any Pillow picture.
            side: pixels a side to store it with: `Backbone.side` is what is drawn.
            freedom: how far the drawing may go from it.
        """
        square = _square(upright_rgb(picture), min(side, _LARGEST))
        texts = (_text(square, quality) for quality in _QUALITIES)
        text = next((text for text in texts if len(text) <= LONGEST), "")
        while not text:
            square = _square(square, square.width * 4 // 5)
            smaller = _text(square, _QUALITIES[-1])
            text = smaller if len(smaller) <= LONGEST else ""
        return cls(freedom, text)

    @classmethod
    def parse(cls, text: str) -> "Start":
        """Read the text form, `FREEDOM:PICTURE`."""
        freedom, _, picture = text.partition(":")
        try:
            return cls(float(freedom), picture)
        except ValueError as error:
            if isinstance(error, SteerError):
                raise
            raise SteerError(
                f"the picture to start from begins with {quoted(freedom)} in the link: copy the whole link again"
            ) from None

    def __str__(self) -> str:
        return f"{self.freedom:g}:{self.picture}"

    @property
    def _file(self) -> bytes:
        """The WebP file; SteerError where it is none, or too long."""
        try:
            if len(self.picture) <= LONGEST:
                return base64.b64decode(self.picture, altchars=b"-_", validate=True)
        except (TypeError, ValueError, binascii.Error):
            pass
        raise SteerError(
            f"`picture` of the start is {quoted(self.picture)}: give a WebP file in base64, at most {LONGEST:,} characters"
        )

    def image(self, side: int) -> "Image.Image":
        """The picture in RGB, `side` pixels a side; SteerError where it cannot be read to its end."""
        return _square(decode(BytesIO(self._file), ("WEBP",)), side)

    def run(self, steps: int) -> Run:
        """The part of the run that is drawn: as many steps as its share of a whole run has, or a few more where that run has too few to
        come within `_CLOSE` of the freedom.

        Args:
            steps: of a whole run, 1 or more.
        """
        drawn = max(1, round(steps * self.freedom))
        while True:
            whole = min(round(drawn / self.freedom), MOST_STEPS)
            for of in sorted((whole - 1, whole, whole + 1), key=lambda of: abs(drawn / of - self.freedom) if of else 1):
                near = drawn <= of <= MOST_STEPS and abs(drawn / of - self.freedom) <= _CLOSE + _ROUNDING
                if near and of * (drawn / of) == drawn:  # pipelines round this product, some up and some down
                    return Run(drawn, of)
            drawn += 1


def check_freedom(freedom: object) -> None:
    """SteerError for what is no freedom."""
    number = isinstance(freedom, int | float) and not isinstance(freedom, bool)
    if not number or not LEAST <= freedom <= 1:  # type: ignore[operator]  # nor NaN
        raise SteerError(f"`freedom` is {quoted(freedom)}: give a number from {LEAST:g}, which keeps the picture, to 1")


def _square(picture: "Image.Image", side: int) -> "Image.Image":
    """A picture's middle, `side` pixels a side; the very same where it is that already."""
    from PIL import Image, ImageOps

    if picture.size == (side, side):
        return picture
    return ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)


def _text(picture: "Image.Image", quality: int) -> str:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=quality)
    return base64.urlsafe_b64encode(buffer.getvalue()).decode()
