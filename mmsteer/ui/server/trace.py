"""An error in one line of the log."""

import traceback
from pathlib import Path

_DEEPEST = 4  # places in the code that a line names


def what(error: BaseException) -> str:
    """The class of an error and where it was raised, the innermost place first. Its text may repeat what a visitor wrote."""
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[-_DEEPEST:]]
    return f"{type(error).__name__} at {', '.join(reversed(places)) or 'an unknown place'}"
