"""A whole picture in a recipe: the image embedding that takes the place of the prompt's. Pure data.

It travels as half-precision numbers in base64, of the URL alphabet: 2.7 letters a number, so 1,024 of them are 2,732 letters.
"""

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from mmsteer.errors import SteerError, quoted

_WIDEST = 4096  # numbers: more than any CLIP has


@dataclass(frozen=True)
class Picture:
    """The image embedding of a picture, and how far it takes the place of the prompt's own.

    Raises:
        SteerError: a value is of the wrong type or out of its range, or the embedding is damaged.
    """

    share: float
    """From 0, the prompt's own embedding, to 1, the picture's."""
    embedding: str
    """Of any length but zero: half-precision numbers, little-endian, as base64 of the URL alphabet."""

    def __post_init__(self) -> None:
        number = isinstance(self.share, int | float) and not isinstance(self.share, bool)
        if not number or not math.isfinite(self.share) or not 0 <= self.share <= 1:
            raise SteerError(f"`share` of the picture is {quoted(self.share)}: give a number from 0 to 1")
        vector = self.vector
        if not all(map(math.isfinite, vector)) or not any(vector):
            raise SteerError("`embedding` of the picture is zero or not finite: read the picture again")

    @classmethod
    def of(cls, vector: Sequence[float], share: float = 1.0) -> "Picture":
        """The picture with this embedding; half precision holds it to about three digits."""
        packed = struct.pack(f"<{len(vector)}e", *(float(number) for number in vector))
        return cls(share, base64.urlsafe_b64encode(packed).decode())

    @classmethod
    def parse(cls, text: str) -> "Picture":
        """Read the text form, `SHARE:EMBEDDING`."""
        share, _, embedding = text.partition(":")
        try:
            return cls(float(share), embedding)
        except ValueError:
            raise SteerError(
                f"the picture in the link begins with {quoted(share)}: copy the whole link again"
            ) from None

    def __str__(self) -> str:
        return f"{self.share:g}:{self.embedding}"

    @property
    def vector(self) -> tuple[float, ...]:
        """Its numbers, `d_joint` of them."""
        try:
            packed = base64.b64decode(self.embedding, altchars=b"-_", validate=True)
        except (TypeError, ValueError, binascii.Error):
            packed = b""
        if not packed or len(packed) % 2 or len(packed) > 2 * _WIDEST:
            raise SteerError(
                f"`embedding` of the picture is {quoted(self.embedding)}: give 1 to {_WIDEST:,} half-precision numbers in base64"
            )
        return struct.unpack(f"<{len(packed) // 2}e", packed)
