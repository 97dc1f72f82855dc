"""The one kind of error whose message a person may see."""


class SteerError(ValueError):
    """Bad input or a missing part: the message says what was given, what is allowed, and what to do."""
