"""Text from anybody: its encoding is recognised or stated, and never guessed, so that no character is replaced in silence."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from mmsteer.errors import SteerError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ADVICE = "say its encoding, such as --encoding cp1252 or --encoding utf-16-le"


def check_encoding(name: str) -> None:
    """SteerError if Python knows no text encoding of this name."""
    try:
        b"aa".decode(name, "ignore")
    except LookupError:
        raise SteerError(
            f"--encoding {name}: no such text encoding; give one such as utf-8, cp1252, gbk or shift_jis"
        ) from None


def decode_text(data: bytes, encoding: str | None = None) -> str:
    """A text, by the stated encoding; without one, UTF-8 or what its byte-order mark says. ValueError if it is neither."""
    used = encoding or _encoding_of(data)
    try:
        text = data.decode(used)
    except UnicodeDecodeError as error:
        raise ValueError(f"the text is not {used} at byte {error.start}: {_ADVICE}") from None
    if "\0" in text:  # UTF-16 without a mark is valid UTF-8, full of these
        raise ValueError(f"the text contains NUL characters, so it is not {used}: {_ADVICE}")
    return text


def read_lines(path: Path, encoding: str | None = None) -> Iterator[str]:
    """The lines of a text file with their ends. SteerError, with the line, where it is not in its encoding."""
    with path.open("rb") as file:
        used = encoding or _encoding_of(file.read(4))
    number = 0
    with path.open(encoding=used, newline="") as lines:
        try:
            for line in lines:
                number += 1
                if "\0" in line:  # UTF-16 without a mark
                    raise UnicodeError
                yield line
        except UnicodeError:
            raise SteerError(f"{path.name} is not {used} at or after line {number}: {_ADVICE}") from None


def _encoding_of(start: bytes) -> str:
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8")
