"""Whose turn it is: fair shares of the drawing time between addresses, and between the visits of one address.

Start-time fair queueing (Goyal, Vin and Cheng 1996), at two levels. Pure; knows nothing of gradio.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import NamedTuple, TypeVar

from mmsteer.steering.cache import Cache

J = TypeVar("J")
_REMEMBERED = 2000  # addresses and visits: who is forgotten starts as one who has just come


class Client(NamedTuple):
    """Who asks."""

    address: str
    visit: str


class Turns:
    """Seconds that each client has used, and who comes next."""

    def __init__(self) -> None:
        self._used: Cache[tuple[str, ...], float] = Cache(_REMEMBERED)
        self._now: Cache[tuple[str, ...], float] = Cache(_REMEMBERED)

    def order(self, jobs: Sequence[J], client: Callable[[J], Client], level: int = 1) -> list[J]:
        """Jobs in the order in which they are to run: round by round, who has used the least first."""
        if level > len(Client._fields):
            return list(jobs)
        groups: dict[tuple[str, ...], list[J]] = {}
        for job in jobs:
            groups.setdefault(client(job)[:level], []).append(job)
        rounds = zip_longest(*(self.order(groups[who], client, level + 1) for who in sorted(groups, key=self._time)))
        return [job for one in rounds for job in one if job is not None]

    def begin(self, client: Client) -> None:
        """A client's job starts: who comes later starts from its time, so that no one saves up turns."""
        for level in (1, 2):
            who = client[:level]
            time = self._time(who)
            self._used.put(who, time)
            self._now.put(who[:-1], time)

    def spend(self, client: Client, seconds: float) -> None:
        """A client's job has computed for some seconds."""
        for level in (1, 2):
            self._used.put(client[:level], self._time(client[:level]) + seconds)

    def ahead(self, client: Client, running: Client) -> bool:
        """Whether a client has used less than the one whose job runs, and may go between its steps."""
        level = 1 if client.address != running.address else 2
        return self._time(client[:level]) < self._time(running[:level])

    def _time(self, who: tuple[str, ...]) -> float:
        return max(self._used.get(who) or 0.0, self._now.get(who[:-1]) or 0.0)
