"""Which columns of a table, or keys of a record, are the picture and its captions."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from mmsteer.errors import SteerError

PICTURES = (
    "image", "jpg", "jpeg", "png", "webp", "picture", "img", "file_name", "filename", "image_path", "image_name", "filepath",
    "path",
)  # fmt: skip
"""Usual names of columns with pictures or their paths."""
CAPTIONS = ("caption", "text", "captions", "txt", "alt_text", "description", "prompt", "comment", "title")
"""Usual names of captions in tables and JSON."""


def parse_columns(asked: str | None) -> tuple[str, str]:
    """The two names in `PICTURE,CAPTION`; an empty one stands for the usual names."""
    picture, comma, caption = (asked or ",").partition(",")
    if not comma:
        raise SteerError(f"--columns {asked!r}: give two names, PICTURE,CAPTION, or ,CAPTION alone")
    return picture.strip(), caption.strip()


def find_columns(names: Iterable[str], asked: str | None, where: str) -> tuple[str, str]:
    """The columns of picture and caption: as asked, or by their usual names. SteerError if there are none."""
    present = list(names)
    small = {name.lower(): name for name in reversed(present)}
    chosen, wanted = [], []
    for given, usual, what in zip(parse_columns(asked), (PICTURES, CAPTIONS), ("pictures", "captions"), strict=True):
        name = given or next((small[name] for name in usual if name in small), "")
        chosen.append(name)
        wanted.append(repr(given) if given else f"of {what}")
    if all(name in present for name in chosen):
        return chosen[0], chosen[1]
    raise SteerError(
        f"{where} has no columns {' and '.join(wanted)}, but {', '.join(present[:20])}: give --columns PICTURE,CAPTION"
    )


def optional(module: str, package: str) -> Any:
    """A module that only some sources need; SteerError if it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise SteerError(f"this source needs {package}, which is not installed: pip install {package}") from None
