"""How long a fresh process takes to import the page, and to draw its first picture."""

import subprocess
import sys
import time
from typing import Any

_FIRST_PICTURE = "from mmsteer import Edit, Steerer; Steerer.load('mini').steer('a cat', [], 0)"


def measure() -> dict[str, Any]:
    """Seconds from the start of a process."""
    return {
        "start-up: page imported, s": _seconds("import mmsteer.ui.page"),
        "start-up: first picture, s": _seconds(_FIRST_PICTURE),
    }


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
    return round(time.perf_counter() - start, 2)
