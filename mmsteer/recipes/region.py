"""A region of a picture: where its edits act, as cells of a coarse grid. Pure data.

Text form, as links and the command line take it: a box `LEFT,TOP,RIGHT,BOTTOM` in fractions of the picture, or the grid, 171 letters.
"""

import base64
import binascii
from dataclasses import dataclass
from itertools import chain

from mmsteer.errors import SteerError, quoted

SIDE = 32
"""Cells a side of the grid."""
_BYTES = SIDE * SIDE // 8
_LETTERS = 171  # of these bytes in base64, without padding
_ALLOWED = "give a box LEFT,TOP,RIGHT,BOTTOM in fractions of the picture, for example 0.5,0,1,1, or the grid of one that mmsteer wrote"


@dataclass(frozen=True)
class Region:
    """Part of a picture, of any shape.

    Raises:
        SteerError: the grid is damaged, or no cell of it is marked.

    Example:
        >>> from mmsteer import Region
        >>> right = Region.box(0.5, 0, 1, 1)
        >>> right.share, str(right)
        (0.5, '0.5,0,1,1')
        >>> Region.parse("0.5,0,1,1") == right == Region(right.grid)
        True
    """

    grid: str
    """One bit a cell, row by row from the top left, the highest bit of a byte first, as base64 of the URL alphabet without padding."""

    def __post_init__(self) -> None:
        try:
            whole = isinstance(self.grid, str) and len(self.grid) == _LETTERS
            packed = base64.b64decode(f"{self.grid}=", altchars=b"-_", validate=True) if whole else b""
        except (ValueError, binascii.Error):
            packed = b""
        if len(packed) != _BYTES:
            raise SteerError(f"the region is {quoted(self.grid)}: {_ALLOWED}")
        if not any(packed):
            raise SteerError("the region is empty: mark a part of the picture, or leave the region out")
        object.__setattr__(self, "grid", _packed(packed))  # letters that mean the same are written in one way

    @classmethod
    def of(cls, rows: "list[list[bool]] | tuple[tuple[bool, ...], ...]") -> "Region":
        """The region of these cells, `SIDE` rows of `SIDE` each, from the top left."""
        bits = "".join("1" if cell else "0" for cell in chain.from_iterable(rows))
        return cls(_packed(int(bits, 2).to_bytes(_BYTES, "big")))

    @classmethod
    def box(cls, left: float, top: float, right: float, bottom: float) -> "Region":
        """A box, in fractions of the picture from the top left; its sides move to the nearest borders of cells.

        Raises:
            SteerError: not 0 <= left < right <= 1, or likewise top and bottom.
        """
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):  # nor NaN
            raise SteerError(
                f"the region is the box from {left:g},{top:g} to {right:g},{bottom:g}: give fractions of the picture from 0 to 1, left "
                "before right and top before bottom"
            )
        columns, rows = _cells(left, right), _cells(top, bottom)
        return cls.of([[x in columns and y in rows for x in range(SIDE)] for y in range(SIDE)])

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read the text form; SteerError says what the form is."""
        if not isinstance(text, str) or "," not in text:
            return cls(text)
        try:
            left, top, right, bottom = map(float, text.split(","))
        except ValueError:
            raise SteerError(f"the region is {quoted(text)}: {_ALLOWED}") from None
        return cls.box(left, top, right, bottom)

    def __str__(self) -> str:
        rows = self.rows
        columns = [any(column) for column in zip(*rows, strict=True)]
        across, down = _span(columns), _span([any(row) for row in rows])
        if sum(map(sum, rows)) < len(across) * len(down):
            return self.grid
        return ",".join(f"{end / SIDE:g}" for end in (across.start, down.start, across.stop, down.stop))

    @property
    def rows(self) -> tuple[tuple[bool, ...], ...]:
        """Its cells, row by row from the top left."""
        number = int.from_bytes(base64.b64decode(f"{self.grid}=", altchars=b"-_"), "big")
        bits = [bit == "1" for bit in f"{number:0{SIDE * SIDE}b}"]
        return tuple(tuple(bits[start : start + SIDE]) for start in range(0, SIDE * SIDE, SIDE))

    @property
    def share(self) -> float:
        """How much of the picture it is, above 0 and up to 1."""
        return sum(map(sum, self.rows)) / SIDE**2


def _packed(cells: bytes) -> str:
    return base64.urlsafe_b64encode(cells).decode().rstrip("=")


def _cells(low: float, high: float) -> range:
    """The cells nearest to a part of a side, at least one."""
    first = min(round(low * SIDE), SIDE - 1)
    return range(first, max(round(high * SIDE), first + 1))


def _span(marked: list[bool]) -> range:
    """From the first to the last that is marked."""
    return range(marked.index(True), len(marked) - marked[::-1].index(True))
