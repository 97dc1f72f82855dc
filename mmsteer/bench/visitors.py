"""What visitors of one page wait for: many at once, and some beside one who sends all that the page lets them."""

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from mmsteer.bench.page_client import Visitor
from mmsteer.bench.pictures import PROMPT

MANY, EACH = 20, 3
FLOODS = 8  # calls that one client keeps waiting
PAUSE = 1.0  # seconds that an ordinary visitor looks at a picture
_FLOOD = [PROMPT, [], 0, 50, 7.5]  # the longest drawing that the API takes


def measure(address: str, rack: Any, pictures: int) -> dict[str, Any]:
    """Visit a page.

    Args:
        address: of a running page whose model has loaded.
        rack: the sliders of every visitor.
        pictures: that the ordinary visitor draws, each from another seed.
    """
    together = _together(address, rack)
    idle = _waits(address, rack, pictures, "203.0.113.1")
    with _flood(address), ThreadPoolExecutor(2) as pool:
        others = [pool.submit(_waits, address, rack, pictures, f"203.0.113.{k}") for k in (2, 3)]
        beside = _waits(address, rack, pictures, "203.0.113.1")
        for other in others:
            other.result()
    usual = statistics.median(idle)
    return {
        f"{MANY} visitors at once, {EACH} pairs each, s": round(together, 2),
        "a pair, alone on the page, ms": round(usual * 1000),
        "beside one who floods and two others, times as long: median": round(statistics.median(beside) / usual, 2),
        "beside one who floods and two others, times as long: longest": round(max(beside) / usual, 2),
    }


def _together(address: str, rack: Any) -> float:
    """Seconds until many visitors who come at once have drawn all their pairs."""
    visitors = [Visitor(address) for _ in range(MANY)]

    def visit(k: int) -> None:
        for pair in range(EACH):
            visitors[k].draw(PROMPT, 1000 + 10 * k + pair, rack)

    start = time.perf_counter()
    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(visit, range(MANY)))
    return time.perf_counter() - start


def _waits(address: str, rack: Any, pictures: int, home: str) -> list[float]:
    """Seconds that a visitor from an address of their own waits for each pair, with a pause after each."""
    visitor, waits = Visitor(address, home), []
    for k in range(pictures):
        start = time.perf_counter()
        visitor.draw(PROMPT, time.time_ns() % 2**32, rack)
        waits.append(time.perf_counter() - start)
        time.sleep(PAUSE + 0.1 * (k % 5))
    return waits


@contextmanager
def _flood(address: str) -> Iterator[None]:
    """One client that keeps several of the longest drawings waiting, each under a session of its own."""
    stop = threading.Event()

    def again() -> None:
        visitor = Visitor(address, "203.0.113.66")
        while not stop.is_set():
            try:
                visitor.call("steer", _FLOOD)
            except OSError:
                time.sleep(0.05)

    threads = [threading.Thread(target=again, daemon=True) for _ in range(FLOODS)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        stop.set()
