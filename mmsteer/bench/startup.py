"""How long a fresh process takes to serve a picture drawn ahead, to import the page, and to draw its first picture."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from mmsteer.bench.page import free_port
from mmsteer.errors import SteerError

_ROOT = Path(__file__).resolve().parents[2]
_FIRST_PICTURE = "from mmsteer import Edit, Steerer; Steerer.load('mini').steer('a cat', [], 0)"


def measure() -> dict[str, Any]:
    """Seconds from the start of a process."""
    return {
        "start-up: picture drawn ahead served, s": _first_answer(),
        "start-up: page imported, s": _seconds("import mmsteer.ui.page"),
        "start-up: first picture, s": _seconds(_FIRST_PICTURE),
    }


def _first_answer() -> float:
    """Until the page's address answers with the pictures of the first example."""
    port = free_port()
    start = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "app.py", "--port", str(port)]
    page = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while "data:image/webp" not in _answer(port):
            if page.poll() is not None:
                raise SteerError("the page did not start: run `python app.py` to see why")
            time.sleep(0.02)
        return round(time.perf_counter() - start, 2)
    finally:
        page.terminate()
        page.wait()


def _answer(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5) as answer:
            content: bytes = answer.read()
    except urllib.error.HTTPError as early:
        content = early.read()
    except OSError:
        return ""
    return content.decode()


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
    return round(time.perf_counter() - start, 2)
