"""Times calls against each other on a machine that may be busy."""

import time
from collections.abc import Callable


def in_turn(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Time calls in turn, so that other load on the machine hits all of them alike.

    Args:
        calls: What to time, by name.
        repeats: Rounds; one more before them warms up and is not timed.

    Returns:
        Seconds of each call, `repeats` a name.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if round_:
                times[name].append(time.perf_counter() - start)
    return times
