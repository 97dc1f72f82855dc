"""What the page keeps: resident memory of its process before and after many different pairs, asked for as its own script does."""

from typing import Any

from mmsteer.bench.page import rack
from mmsteer.bench.page_client import Visitor

_THINGS = ("fox", "penguin", "strawberry", "frog", "cat", "sailboat", "doctor", "robot")
_PLACES = ("in a meadow", "in the snow", "at sunset", "on the beach", "in the ocean", "in the forest", "in the desert")
_FEATURES = 40  # of the bank, one a pair
_SLOW = 20  # each so many pairs one takes so long that it is shown while it is drawn
_USUAL, _LONG = 4, 24  # steps


def measure(address: str, process: int, pairs: int) -> dict[str, Any]:
    """Draw pairs that differ in prompt, seed, feature and strength, with all that the page computes and keeps beside them. Every other one
    has the *before* of the one before it.

    Args:
        address: Of a page that nobody has visited.
        process: Its id.
        pairs: How many.
    """
    import psutil

    memory = psutil.Process(process).memory_info
    visitor = Visitor(address)
    visitor.call("loaded", [""])
    idle = memory().rss
    for k in range(pairs):
        if k % _SLOW in (0, 1):  # the long one, and the first after it
            visitor.open(f"prompt=a&guidance=1&steps={_USUAL if k % _SLOW else _LONG}")
        visitor.draw(_prompt(k // 2), k // 2, rack(k % _FEATURES, 0.5 + 0.05 * (k % 30)))
    after = memory().rss
    return {
        "memory of the page, idle, MB": round(idle / 2**20),
        f"memory of the page after {pairs:,} different pairs, MB": round(after / 2**20),
        "memory of the page after them over idle, MB": round((after - idle) / 2**20),
    }


def _prompt(k: int) -> str:
    return f"a {('small', 'big')[k % 2]} {_THINGS[k % len(_THINGS)]} {_PLACES[k % len(_PLACES)]}"
