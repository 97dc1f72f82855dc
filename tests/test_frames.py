"""Live frames without a browser: what is refused, what is drawn, how long it took, and in which thread."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmsteer import Edit, FeatureBank, Recipe, Steerer
from mmsteer.bench.page_client import Visitor
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.shared.loading import Loading
from mmsteer.ui.steer import live

NIGHT = {"id": 1, "mode": "slide", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}


@pytest.mark.parametrize(
    "asked",
    [
        None, [], "x", 7, {}, {"number": "1"}, {"number": True}, {"number": 1}, {"number": 1, "query": "prompt=a", "evil": 1},
        {"number": 1, "query": None, "rack": {"rows": [], "silent": []}},
        {"number": 1, "query": "prompt=a&seed=-1", "rack": {"rows": [], "silent": []}},
        {"number": 1, "query": ["prompt=a"], "rack": {"rows": [], "silent": []}},
        {"number": 1, "query": "prompt=a", "rack": {"rows": [NIGHT | {"id": float("inf")}], "silent": []}},
        {"number": 1, "query": "prompt=a", "rack": {"rows": [NIGHT | {"strength": float("nan")}], "silent": []}},
        {"number": 1, "query": "prompt=a", "rack": {"rows": [NIGHT] * 17, "silent": []}},
        {"number": 1, "query": "prompt=a", "rack": {"rows": [NIGHT | {"words": ["b"]}], "silent": []}},
        {"number": 1, "query": "prompt=" + "x" * 30_000, "rack": {"rows": [], "silent": []}},
    ],
)  # fmt: skip
def test_a_frame_that_no_page_asks_for_is_refused_silently(steerer: Steerer, tiny_bank: Path, asked: Any, caplog):
    answer = live.frame(FeatureBank.load(tiny_bank), Loading(lambda: steerer), asked)
    assert set(answer["frame"]) == {"number"}
    assert caplog.records == []


def test_a_frame_is_the_picture_of_its_recipe(address: str, steerer: Steerer, capfd):
    visitor = Visitor(address)
    visitor.draw("a cat at night", 9, {"rows": [NIGHT], "silent": []})
    shown = visitor.frame({"rows": [NIGHT | {"strength": 0.5}], "silent": []})
    twin = steerer.steer("a cat at night", [Edit("night", strength=0.5)], 9)
    assert shown["after"] == {"src": live._light(twin.after), "alt": "After: a cat at night, seed 9, night:0.5"}
    assert f"OOD distance {twin.ood_distance:.2f}" in shown["ood"]["innerHTML"]
    assert shown["seconds"] > 0
    for rack in ("x", {"rows": [NIGHT | {"evil": 1}], "silent": []}, {"rows": "x" * 1000, "silent": [{}]}):
        assert set(visitor.frame(rack)) == {"number"}
    assert "Traceback" not in capfd.readouterr().err


def test_the_seconds_of_one_picture(steerer: Steerer):
    fresh = Steerer(steerer.backbone, steerer.bank)
    recipe = Recipe("a cat", 3, fresh.sampler)
    both, each = live.timed(fresh, replace(recipe, edits=(Edit("night"),)))
    assert each == both.seconds / 2
    one, each = live.timed(fresh, replace(recipe, edits=(Edit("night", strength=2),)))
    assert each == one.seconds
    assert live.timed(fresh, recipe)[1] is None  # nothing was drawn


def test_no_gpu_is_borrowed_for_a_frame(steerer: Steerer):
    lent: Any = ZeroGPUSteerer(steerer, lambda duration: lambda task: task)
    assert (
        live.timed(lent, Recipe("a cat", 3, steerer.sampler, (Edit("night"),)))[1] is None
    )  # so that the page asks for none
    unlent: Any = ZeroGPUSteerer(steerer, lambda duration: lambda task: lambda *_: pytest.fail("borrowed"))
    asked = {"number": 1, "query": "prompt=a+cat", "rack": {"rows": [NIGHT], "silent": []}}
    answer = live.frame(steerer.bank, Loading(lambda: unlent), asked)
    assert answer == {"frame": {"number": 1}}


def test_all_pictures_are_computed_in_one_thread(address: str, steerer: Steerer, monkeypatch: pytest.MonkeyPatch):
    threads, draw = set(), steerer._draw
    monkeypatch.setattr(steerer, "_draw", lambda *a: threads.add(threading.get_ident()) or draw(*a))
    visitors = [Visitor(address) for _ in range(3)]
    for k, visitor in enumerate(visitors):
        visitor.draw("a cat in one thread", k, {"rows": [NIGHT], "silent": []})
    for visitor in visitors:
        visitor.frame({"rows": [NIGHT | {"strength": 0.7}], "silent": []})
    assert len(threads) == 1


def test_who_opens_a_recipe_draws_with_its_sampler(address: str):
    visitor = Visitor(address)
    visitor.open("prompt=a+fox&steps=2&guidance=1")
    pair, _ = visitor.draw("a cat", 9, {"rows": [], "silent": []})
    assert "steps=2&amp;guidance=1&amp;" in pair
