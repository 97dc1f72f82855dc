"""The one kind of error whose message a person may see."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

# "/home/ann/sd" and "C:\ann\sd" up to the last separator, spaces within names included; not the slashes of a web address
_FOLDERS = re.compile(r"""(?<![\w:/\\.~])(?:[A-Za-z]:|~|\.{1,2})?[/\\](?:[^/\\\n:'"]*[/\\])+""")

_QUOTED = 80  # characters of what was given that a message repeats


class SteerError(ValueError):
    """Bad input or a missing part: the message says what was given, what is allowed, and what to do."""


def quoted(value: object) -> str:
    """What was given, to be quoted in a message: its first 80 characters, as Python writes it."""
    try:
        text = repr(value)
    except ValueError:  # whole numbers of thousands of digits
        return "a number of thousands of digits"
    except RecursionError:
        return "a value nested a thousand deep"
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"


def first_line(error: BaseException) -> str:
    """The first line of a library's error message, to be quoted in ours; the class of the error if there is no message."""
    message = str(error).strip()
    return message.splitlines()[0][:300] if message else type(error).__name__


def without_folders(message: str) -> str:
    """A message for visitors, who must not learn where things lie: of every path only the last part."""
    return _FOLDERS.sub("", message)


def first_complaint(error: "ValidationError") -> str:
    """The first complaint of pydantic, in plain words: which value is wrong, and what it should be."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:80]
    if first["type"] in ("missing", "extra_forbidden"):
        return f"`{place}` is {'missing' if first['type'] == 'missing' else 'not known'}"
    wanted = re.sub(r"^(Input should|Value error,)", "it should", first["msg"])
    if first["type"] == "model_type":
        wanted = "it should be an object"
    return f"{f'`{place}`' if place else 'it'} is {quoted(first['input'])}; {wanted[0].lower()}{wanted[1:]}"
