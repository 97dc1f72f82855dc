"""A drawing as it happens: reports while it is drawn, stopped by its visitor or because they have left, and nobody else is harmed."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, cast
from urllib.request import Request, urlopen

import pytest

from mmsteer import Recipe, Sampler, Steerer
from mmsteer.bench.page_client import Visitor
from mmsteer.steering.progress.step import Step
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.progress import followed
from mmsteer.ui.progress.followed import Pace
from mmsteer.ui.progress.turn import TURN, StoppedError, Turn
from mmsteer.ui.shared.drawing import Drawing
from mmsteer.ui.shared.loading import Loading

RACK: dict[str, Any] = {"rows": [], "silent": []}
NIGHT: dict[str, Any] = {"rows": [{
    "id": 1, "mode": "slide", "strength": 1.0, "on": True, "locked": False, "words": [], "start": 0.0, "end": 1.0,
}], "silent": []}  # fmt: skip


# -- the thread that draws --


def as_visitor(turn: Turn, drawing: Drawing, do: Any) -> Any:
    def run() -> Any:
        TURN.set(turn)
        return drawing.run(do)

    return copy_context().run(run)


def test_a_call_that_is_stopped_ends_between_two_steps_and_the_one_around_it_goes_on():
    drawing, turn, done = Drawing(), Turn(lambda _: None), []

    def outer() -> str:
        with ThreadPoolExecutor(1) as pool:
            inner = pool.submit(as_visitor, turn, drawing, lambda: stepping("inner"))
            while not drawing._waiting.qsize():
                time.sleep(0.001)
            drawing.between_steps(Step(1, 0.5, lambda: None))
            with pytest.raises(StoppedError, match="Stopped"):
                inner.result(30)
        return "drawn"

    def stepping(name: str) -> None:
        for step in range(4):
            done.append((name, step))
            if step == 1:
                turn.stop()
            drawing.between_steps(Step(1, (step + 1) / 4, lambda: None))

    assert drawing.run(outer) == "drawn"
    assert done == [("inner", 0), ("inner", 1)]


def test_a_call_that_is_stopped_before_its_turn_is_dropped_at_once():
    drawing, turn, release = Drawing(), Turn(lambda _: None), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(drawing.run, lambda: release.wait(30))
        turn.stop()
        with pytest.raises(StoppedError):  # although the thread is busy
            as_visitor(turn, drawing, lambda: pytest.fail("drawn"))
        release.set()
        assert first.result(30)


def test_on_zero_gpu_a_stopped_call_borrows_nothing_and_one_that_has_the_gpu_is_not_shown(tiny: Steerer):
    turn, lent = Turn(lambda _: None), []
    borrowing = Loading(lambda: cast(Steerer, ZeroGPUSteerer(tiny, lambda duration: lambda task: task)))

    def draw(steerer: Steerer) -> None:
        lent.append(steerer)
        turn.stop()

    def drawn() -> None:
        TURN.set(turn)
        borrowing.run(draw)

    for _ in range(2):
        with pytest.raises(StoppedError):
            copy_context().run(drawn)
    assert len(lent) == 1


def test_the_pace_is_that_of_the_last_picture_by_the_work_that_it_takes():
    pace = Pace()
    assert pace.of(Sampler(4, 1.0)) == 0
    pace.measured(Sampler(10, 7.5), 4.0)  # 20 calls
    pace.measured(Sampler(10, 7.5), None)  # nothing was drawn
    assert pace.of(Sampler(4, 1.0)) == pytest.approx(0.8)


# -- on the server --


class Slow:
    """Holds the drawing thread up after every step until the test lets it go on, once `slow` is set."""

    def __init__(self, steerer: Steerer) -> None:
        self.slow, self.steps, self._on = False, 0, steerer.between_steps
        self.let = threading.Semaphore(0)

    def __call__(self, step: Step) -> None:
        self.steps += 1
        if self.slow:
            self.let.acquire(timeout=30)
        self._on(step)

    def until(self, steps: int) -> None:
        """Wait until so many steps have been drawn."""
        for _ in range(3000):
            if self.steps >= steps:
                return
            time.sleep(0.01)
        raise AssertionError(f"only {self.steps} steps")

    def release(self) -> None:
        """Hold nobody up any more."""
        self.slow = False
        for _ in range(100):
            self.let.release()


@pytest.fixture
def slow(address: str, steerer: Steerer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    Visitor(address).draw("a fox", 1, RACK)
    gate = Slow(steerer)
    monkeypatch.setattr(steerer, "between_steps", gate)
    gate.slow = True
    yield gate
    gate.release()


def messages(visitor: Visitor, prompt: str, seed: int, rack: Any = RACK) -> list[dict[str, Any]]:
    """What the script that shows progress is sent while a pair is drawn."""
    found, value = [], None
    for event in visitor._ask("pair", [prompt, seed, rack, None, "", None, None, ""]):
        if event["msg"] == "process_generating" and event["success"]:
            value = patched(value, event["output"]["data"][3])
            found += [value] if {"progress", "drawn"} & set(value) else []  # after the pair come CLIP's similarities
    return found


def patched(value: Any, change: Any) -> Any:
    """A value with the differences that an event says, by gradio's own client."""
    from gradio_client.utils import apply_diff

    return change if value is None else apply_diff(value, change)


def stop(address: str, visitor: Visitor, name: str = "stop") -> None:
    """What the page's button sends."""
    body = json.dumps({"data": [], "fn_index": visitor._calls[name], "session_hash": visitor._session}).encode()
    urlopen(Request(f"{address}/gradio_api/run/{name}", body, {"content-type": "application/json"})).close()


def test_a_drawing_is_reported_with_what_it_looks_like_so_far_and_only_if_it_takes_long(
    address: str, slow: Slow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(followed, "FIRST", 0.05)
    monkeypatch.setattr(followed, "PERIOD", 0.05)
    monkeypatch.setattr(followed, "LONG", 0.0)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(messages, Visitor(address), "a cat", 5, NIGHT)
        for step in range(1, 7):  # three of *before*, three of *after*
            slow.until(slow.steps if step == 1 else step)
            time.sleep(0.2)
            slow.let.release()
        *reports, last = asked.result(60)
    progress = [report["progress"] for report in reports]
    fractions = [report["fraction"] for report in progress]
    assert fractions == sorted(fractions)
    assert {round(6 * fraction) for fraction in fractions} >= {1, 2, 3, 4, 5}
    assert [report["which"] for report in progress] == sorted((report["which"] for report in progress), reverse=True)
    assert {report["which"] for report in progress if report.get("preview", "").startswith("data:image/jpeg")} == {
        "before",
        "after",
    }
    assert "drawn" in last
    slow.release()
    monkeypatch.setattr(followed, "FIRST", 60.0)
    assert all("progress" not in message for message in messages(Visitor(address), "a cat", 6))


def join(visitor: Visitor, prompt: str, seed: int) -> str:
    """Ask for a pair; the id of the call."""
    asked = {
        "data": [prompt, seed, RACK, None, "", None, None, ""],
        "fn_index": visitor._calls["pair"],
        "session_hash": visitor._session,
    }
    return str(visitor._read("/queue/join", json.dumps(asked).encode())["event_id"])


def test_who_stops_keeps_their_picture_and_everybody_else_gets_theirs(address: str, slow: Slow, steerer: Steerer):
    cached = len(steerer.befores)
    mine, other = Visitor(address, "203.0.113.1"), Visitor(address, "203.0.113.2")
    first = join(mine, "a cat", 71)
    with (
        urlopen(f"{address}/gradio_api/queue/data?session_hash={mine._session}") as stream, ThreadPoolExecutor(1) as pool
    ):  # fmt: skip
        slow.until(1)
        others = pool.submit(other.draw, "a fox", 72, RACK)
        second = join(mine, "a cat", 73)
        time.sleep(0.5)
        stop(address, other, "stop_1")  # of sweeps, of which nobody draws any
        stop(address, mine)
        ended: list[str] = []
        for line in stream:
            event = json.loads(line[5:]) if line.startswith(b"data:") else {"msg": ""}
            if event["msg"] == "process_generating" and '"stopped": true' in json.dumps(event["output"]["data"]):
                ended.append(event["event_id"])
            if ended == [second]:  # although the drawing before it has not ended
                slow.release()
            if event["msg"] == "process_completed" and event["event_id"] == first:
                break
        assert ended == [second, first]
        assert "mm-seconds" in others.result(30)[1]
    assert len(steerer.befores) == cached + 1
    assert "mm-seconds" in mine.draw("a cat", 71, RACK)[1]


def test_who_leaves_stops_their_drawing_and_nobody_elses(address: str, slow: Slow, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mmsteer.ui.server.queue.ABSENCE", 0.05)
    visitor = Visitor(address, "203.0.113.3")
    join(visitor, "a cat", 81)
    stream = urlopen(f"{address}/gradio_api/queue/data?session_hash={visitor._session}")
    slow.until(1)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(Visitor(address, "203.0.113.4").draw, "a fox", 82, RACK)
        stream.close()
        time.sleep(1.0)
        slow.release()
        assert "mm-seconds" in other.result(30)[1]
    assert slow.steps == 1 + 3  # of the picture that nobody waits for the first


def test_a_sweeps_picture_is_stopped_and_can_be_drawn_again(address: str, slow: Slow, steerer: Steerer):
    recipe = Recipe("a cat", 91, steerer.sampler, (), steerer.origin).to_json()
    question = {"again": {"kind": "seeds", "recipe": recipe, "swept": recipe}, "cell": 1, "run": 1}
    visitor = Visitor(address)

    def cell() -> Any:
        return [e["output"]["data"][0] for e in visitor._ask("cell", [question]) if e["msg"] == "process_completed"][0]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cell)
        slow.until(1)
        stop(address, visitor, "stop_1")
        slow.let.release()
        assert first.result(30) == {"error": "Stopped.", "run": 1}
    slow.release()
    assert cell()["drawn"]["cell"] == 1
