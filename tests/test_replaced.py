"""Of what one visitor asks to see in one place only the newest is drawn: while the model loads, and while it draws for others."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from served import served

from mmsteer import Steerer
from mmsteer.bench.page_client import Visitor
from mmsteer.ui.progress.turn import ReplacedError, StoppedError, Turn
from mmsteer.ui.server.blocks import ServedBlocks

RACK: dict[str, Any] = {"rows": [], "silent": []}


class Gate:
    """Holds up pictures until the test lets them pass, and notes the seeds of those that are drawn."""

    def __init__(self, steerer: Steerer) -> None:
        self.seeds: list[int] = []
        self.begun, self.passes = threading.Event(), threading.Event()
        self._draw = steerer._draw

    def __call__(self, schedule: Any, recipe: Any, *more: Any) -> Any:
        self.seeds.append(recipe.seed)
        self.begun.set()
        self.passes.wait(60)
        return self._draw(schedule, recipe, *more)


@pytest.fixture
def gate(steerer: Steerer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(steerer)
    monkeypatch.setattr(steerer, "_draw", gate)
    yield gate
    gate.passes.set()


@contextmanager
def listening(address: str, visitor: Visitor) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of the calls of a visitor who has asked for something."""
    with urlopen(f"{address}/gradio_api/queue/data?session_hash={visitor._session}") as stream:
        yield (json.loads(line[5:]) for line in stream if line.startswith(b"data:"))


def ask(visitor: Visitor, event: str, seed: int) -> str:
    """Ask for a pair by one of the page's events, and do not wait; the id of the call."""
    data = [f"a cat, {seed}", seed, RACK, None, "", None, None, ""]
    body = {"data": data, "fn_index": visitor._calls[event], "session_hash": visitor._session}
    return str(visitor._read("/queue/join", json.dumps(body).encode())["event_id"])


def answers(events: Iterator[dict[str, Any]], *calls: str) -> dict[str, list[Any]]:
    """What the calls were answered, once all of them are: the values of their outputs, one event after the other."""
    said: dict[str, list[Any]] = {call: [] for call in calls}
    left = set(calls)
    while left:
        event = next(events)
        if event["msg"] in ("process_generating", "process_completed"):
            assert event["success"]
            said[event["event_id"]].append(event["output"]["data"])
            left -= {event["event_id"]} if event["msg"] == "process_completed" else set()
    return said


def is_nothing(said: list[Any]) -> bool:
    return not any(word in json.dumps(said) for word in ("mm-compare", "mm-problem", "drawn", "Stopped"))


def once(address: str) -> str:
    """The page's event that draws what stands in the fields once the model has loaded."""
    with urlopen(f"{address}/config") as answer:
        config = json.loads(answer.read())
    (name,) = [
        d["api_name"]
        for d in config["dependencies"]
        if d["api_name"].startswith("pair") and d["trigger_mode"] == "once"
    ]
    return str(name)


def test_of_pairs_asked_for_while_the_model_loads_the_last_one_is_drawn(steerer: Steerer, tiny_bank: Path, gate: Gate):
    ready = threading.Event()
    gate.passes.set()
    with served(steerer, tiny_bank, ready) as address:
        visitor = Visitor(address)
        calls = [ask(visitor, "pair", 1)]
        with listening(address, visitor) as events:
            calls += [ask(visitor, "pair_1", 2), ask(visitor, "pair_2", 3), ask(visitor, once(address), 4)]
            ready.set()
            said = answers(events, *calls)
    assert gate.seeds == [3]
    assert [is_nothing(said[call]) for call in calls] == [True, True, False, True]


def test_a_newer_pair_takes_the_place_of_one_that_waits_and_of_nothing_else(address: str, gate: Gate):
    visitor, other = Visitor(address), Visitor(address)
    first = ask(visitor, "pair", 11)
    with ThreadPoolExecutor(1) as pool, listening(address, visitor) as events:
        assert gate.begun.wait(60)
        others = pool.submit(other.draw, "a fox", 12, RACK)  # of another visitor
        again = ask(visitor, "pair", 13)  # of the same event: the browser sends these one after the other
        second, third = ask(visitor, "pair_1", 14), ask(visitor, "pair_2", 15)
        assert is_nothing(answers(events, again, second)[second])  # although the first one is still drawn
        gate.passes.set()
        said = answers(events, first, third)
        assert "mm-seconds" in others.result(60)[1]
    assert sorted(gate.seeds) == [11, 12, 15]
    assert not is_nothing(said[first])
    assert not is_nothing(said[third])


def test_once_the_model_has_loaded_the_fields_are_drawn_where_nothing_was_asked_for(address: str, gate: Gate):
    visitor = Visitor(address)
    gate.passes.set()
    call = ask(visitor, once(address), 21)
    with listening(address, visitor) as events:
        assert not is_nothing(answers(events, call)[call])
    assert gate.seeds == [21]


def test_a_turn_that_has_begun_is_not_replaced_but_can_be_stopped():
    waits, computes = Turn(lambda _: None), Turn(lambda _: None)
    computes.begin()
    for turn in (waits, computes):
        turn.replace()
    with pytest.raises(ReplacedError):
        waits.begin()
    computes.check()
    computes.stop()
    with pytest.raises(StoppedError):
        computes.check()


def test_a_visit_keeps_nothing_of_the_pairs_it_was_shown():
    with ServedBlocks() as blocks:
        shown, button = gr.HTML(), gr.Button()
        button.click(lambda: None, None, shown)
    function, visit = next(iter(blocks.fns.values())), SessionState(blocks)

    async def show() -> None:
        for value in ("one", gr.skip(), "two", gr.skip(), "three"):
            await blocks.postprocess_data(function, value, visit)

    with ThreadPoolExecutor(1) as elsewhere:  # a browser of another test may have this thread's event loop
        elsewhere.submit(asyncio.run, show()).result()
    assert set(visit.blocks_config.blocks) == set(blocks.default_config.blocks)
    assert visit.config_values[shown._id]["props"]["value"] == "three"
