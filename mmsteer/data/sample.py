"""One captioned picture, and how an unknown picture or caption is read: nothing huge is decoded, and nothing in it is run.

An error while reading belongs to the sample and costs that sample alone.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from mmsteer import image_file
from mmsteer.data.annotations import Annotation
from mmsteer.errors import SteerError

MOST_BYTES = 64 * 2**20
"""The most that one encoded picture or caption may take."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
"""Endings of picture files."""


class Sample(NamedTuple):
    """One picture and its captions, none of them read yet. Reading raises whatever is wrong with it."""

    key: str
    """Its place in its source."""
    picture: Callable[[], Image.Image]
    captions: Callable[[], list[str]]
    """All captions of the picture, one or more: each makes a pair with it."""
    annotation: Annotation | None = None
    """What the source knows about it, if anything (`Pairs.scheme` describes the factors)."""
    files: tuple[Path, ...] = ()
    """The files of picture and captions, if they are in files of their own."""


def decode(data: bytes) -> Image.Image:
    """An encoded picture in RGB, turned upright by its EXIF; the first frame if there are several."""
    check_bytes(len(data))
    try:
        return image_file.decode(io.BytesIO(data), _FORMATS)
    except SteerError as error:  # a SteerError would end the whole run
        raise ValueError(str(error)) from None


def clean(caption: str) -> str:
    """A caption in one line, with only characters that UTF-8 can encode."""
    return " ".join(caption.encode("utf-8", "replace").decode().split())


def check_bytes(size: int) -> None:
    """ValueError for more than `MOST_BYTES`."""
    if size > MOST_BYTES:
        raise ValueError(f"{size} bytes are more than {MOST_BYTES // 2**20} MB")


def read_file(path: Path) -> bytes:
    """The content of a regular file: ValueError for anything else, such as a named pipe, which could be waited for forever."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing" if not path.exists() else f"{path.name} is no regular file")
    check_bytes(path.stat().st_size)
    return path.read_bytes()


def read_picture(path: Path) -> Image.Image:
    """A picture file, decoded."""
    return decode(read_file(path))


def captions_of(value: Any) -> list[str]:
    """The captions in a table's cell: a string, or all strings of a list."""
    values = value if isinstance(value, (list, tuple)) else [value]
    captions = [text for text in values if isinstance(text, str)]
    if not captions:
        raise ValueError("no caption")
    return captions


def fail(message: str) -> Any:
    """Raise ValueError: the picture and captions of a sample that cannot be read."""
    raise ValueError(message)


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path, or the link that it is, leads out of a folder."""
    return not path.resolve().is_relative_to(folder.resolve())


def inside(folder: Path, name: str, where: str) -> Path:
    """The path of a file that a table names relative to its folder; SteerError if it leads out of that folder."""
    path = folder / name
    if leads_out(path, folder):
        raise SteerError(
            f"{where} names {name[:80]!r}, which climbs out of {folder.name or 'its folder'}: name files in it or below"
        )
    return path
