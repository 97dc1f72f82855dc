"""One captioned picture, and how a stranger's picture or caption is read: nothing huge is decoded, nothing in it is run.

What reading raises is the item's fault and costs that item alone.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmsteer import image_file
from mmsteer.errors import SteerError

MOST_BYTES = 64 * 2**20
"""Of one encoded picture or caption."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


class Item(NamedTuple):
    """One picture and its caption, neither of them read yet. Reading raises whatever is wrong with it."""

    key: str
    """Where it stands in its source."""
    picture: Callable[[], Image.Image]
    caption: Callable[[], str]
    truth: tuple[np.ndarray, np.ndarray] | None = None
    """Of the world: factors and which of them the caption mentions, both `[n_factors]`."""
    files: tuple[Path, ...] = ()
    """Where picture and caption lie, if in files of their own."""


def decode(data: bytes) -> Image.Image:
    """An encoded picture in RGB, turned as its EXIF says, the first frame of several."""
    check_bytes(len(data))
    try:
        return image_file.decode(io.BytesIO(data), _FORMATS)
    except SteerError as error:  # which would end the whole reading
        raise ValueError(str(error)) from None


def clean(caption: str) -> str:
    """A caption in one line, of what UTF-8 can say."""
    return " ".join(caption.encode("utf-8", "replace").decode().split())


def check_bytes(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size} bytes are more than {MOST_BYTES // 2**20} MB")


def read_picture(path: Path) -> Image.Image:
    check_bytes(path.stat().st_size)
    return decode(path.read_bytes())


def read_text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"no caption: {path.name} is missing")
    check_bytes(path.stat().st_size)
    return path.read_text(encoding="utf-8-sig")


def text_of(value: Any) -> str:
    """A caption as tables have it: a text, or a list of which the first counts."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    if not isinstance(value, str):
        raise ValueError("no caption")
    return value


def fail(message: str) -> Any:
    raise ValueError(message)


def inside(folder: Path, name: str, where: str) -> Path:
    """A path that a table names, relative to the table's folder; SteerError where it leads out of it."""
    path = folder / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise SteerError(
            f"{where} names {name[:80]!r}, which climbs out of {folder.name or 'its folder'}: name files in it or below"
        )
    return path
