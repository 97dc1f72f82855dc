"""Lines that tell how far long work is: rate and time left, at most one line in ten seconds."""

import time

_EVERY = 10.0  # seconds


class Progress:
    """Told once more when all is done."""

    def __init__(self, done_to: str, unit: str, done: int, total: int | None) -> None:
        self._what, self._unit = done_to, unit
        self._done, self._first, self._total = done, done, total
        self._began = self._told = time.monotonic()

    def add(self, count: int) -> None:
        """That many more."""
        self._done += count
        if time.monotonic() - self._told > _EVERY or self._done == self._total:
            self._told = time.monotonic()
            rate = (self._done - self._first) / (self._told - self._began)
            left = "" if self._total is None else f"  {max(0, self._total - self._done) / rate:.0f} s left"
            of = "?" if self._total is None else f"{self._total:,}"
            print(f"{self._what} {self._done:,}/{of}  {rate:.0f} {self._unit}/s{left}", flush=True)
