"""What the page costs and does, over HTTP: memory of its process, pictures a second while a slider is dragged, what visitors wait for."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mmsteer.bench import visitors
from mmsteer.bench.page_client import Visitor
from mmsteer.bench.pictures import PROMPT
from mmsteer.errors import SteerError

_ROOT = Path(__file__).resolve().parents[2]


def measure(pictures: int, seconds: float) -> dict[str, Any]:
    """Start a page and visit it.

    Args:
        pictures: Pictures to draw, two a pair, each pair with another seed; memory is compared after the first pair and
            after the last.
        seconds: How long to drag a slider; also, how many pairs an ordinary visitor draws beside one who floods, at least 5.
    """
    import psutil

    port = free_port()
    page = subprocess.Popen(
        [sys.executable, "-W", "ignore", "app.py", "--port", str(port)], cwd=_ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        visitor = _arrive(address, page)
        idle = 0
        for k in range(1 + pictures // 2):
            visitor.draw(PROMPT, k, _rack(1))
            idle = idle or psutil.Process(page.pid).memory_info().rss
        growth = psutil.Process(page.pid).memory_info().rss - idle
        rate = _frames_per_second(visitor, seconds)
        waits = visitors.measure(address, _rack(1), max(5, round(seconds)))
    finally:
        page.terminate()
        page.wait()
    return {
        f"memory of the page after {pictures:,} pictures over idle, MB": round(growth / 2**20),
        "live: pictures per second while a slider is dragged": round(rate, 1),
    } | waits


def _rack(strength: float) -> dict[str, Any]:
    row = {
        "id": 0, "mode": "slide", "strength": strength, "on": True, "locked": False, "words": [], "start": 0, "end": 1,
    }  # fmt: skip
    return {"rows": [row], "silent": []}


def _frames_per_second(visitor: Visitor, seconds: float) -> float:
    """Drag a slider upwards: ask for each frame as soon as the last one has arrived, as the page's script does."""
    start, frames = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        frames += "after" in visitor.frame(_rack(0.05 * (1 + frames % 40)))
    return frames / elapsed


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _arrive(address: str, page: "subprocess.Popen[bytes]") -> Visitor:
    """A visitor of a page that is starting; SteerError if it ends instead."""
    while page.poll() is None:
        try:
            return Visitor(address)
        except OSError:
            time.sleep(0.1)
    raise SteerError("the page did not start: run `python app.py` to see why")
