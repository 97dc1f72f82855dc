"""The one kind of error whose message a person may see."""

import re

# "/home/ann/sd" and "C:\ann\sd" up to the last separator, spaces within names included; not the slashes of a web address
_FOLDERS = re.compile(r"""(?<![\w:/\\.~])(?:[A-Za-z]:|~|\.{1,2})?[/\\](?:[^/\\\n:'"]*[/\\])+""")


class SteerError(ValueError):
    """Bad input or a missing part: the message says what was given, what is allowed, and what to do."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, in one line, to be quoted in ours; its kind where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0][:300] if said else type(error).__name__


def without_folders(told: str) -> str:
    """A message for visitors: of every path in it only the last part, as they are not to learn where things lie."""
    return _FOLDERS.sub("", told)
