"""The page in a process of its own, and over HTTP how many pictures a second it draws while a slider is dragged."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmsteer.bench.page_client import Visitor
from mmsteer.bench.pictures import PROMPT
from mmsteer.errors import SteerError

_ROOT = Path(__file__).resolve().parents[2]


def measure(address: str, seconds: float) -> dict[str, Any]:
    """Visit a page.

    Args:
        address: Of a page that is `started`.
        seconds: How long to drag a slider.
    """
    visitor = Visitor(address)
    visitor.draw(PROMPT, 0, rack(0, 1))
    return {"live: pictures per second while a slider is dragged": round(_frames_per_second(visitor, seconds), 1)}


@contextmanager
def started() -> "Iterator[tuple[str, int]]":
    """A page in a process of its own: its address, once it answers, and the process's id; SteerError if it ends instead."""
    port = free_port()
    page = subprocess.Popen(
        [sys.executable, "-W", "ignore", "app.py", "--port", str(port)], cwd=_ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _await(address, page)
        yield address, page.pid
    finally:
        page.terminate()
        page.wait()


def rack(feature: int, strength: float) -> dict[str, Any]:
    """The sliders of a page with one feature."""
    row = {
        "id": feature, "mode": "slide", "strength": strength, "on": True, "locked": False, "words": [], "start": 0, "end": 1,
    }  # fmt: skip
    return {"rows": [row], "silent": []}


def _frames_per_second(visitor: Visitor, seconds: float) -> float:
    """Drag a slider upwards: ask for each frame as soon as the last one has arrived, as the page's script does."""
    start, frames = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        frames += "after" in visitor.frame(rack(0, 0.05 * (1 + frames % 40)))
    return frames / elapsed


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(address: str, page: "subprocess.Popen[bytes]") -> None:
    """Wait until a page that is starting answers."""
    while page.poll() is None:
        try:
            Visitor(address)
            return
        except OSError:
            time.sleep(0.1)
    raise SteerError("the page did not start: run `python app.py` to see why")
