"""The one kind of error whose message a person may see."""


class SteerError(ValueError):
    """Bad input or a missing part: the message says what was given, what is allowed, and what to do."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, in one line, to be quoted in ours; its kind where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0][:300] if said else type(error).__name__
