"""What the page refuses before it draws anything, how much its answers hold, and what `--mcp` takes."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from mmsteer import Edit, Recipe, Sampler, Steerer, SteerError
from mmsteer.ui.api import MOST_FOUND, Api
from mmsteer.ui.server import launch
from mmsteer.ui.server.files import MINUTES, own_folder
from mmsteer.ui.shared.loading import LONGEST, attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.sweep.panel import Sweeps
from mmsteer.ui.sweep.payloads import Description


@pytest.fixture
def page(tiny: Steerer, monkeypatch: pytest.MonkeyPatch) -> PageState:
    """A page whose model cannot draw."""

    def never(*_: Any) -> None:
        raise AssertionError("it was drawn")

    steerer = Steerer(tiny.backbone, tiny.bank)
    steerer.sampler = Sampler(3, 2.0)
    monkeypatch.setattr(steerer, "_draw", never)
    return PageState(tiny.bank, lambda: steerer)


def described(kind: str, steps: int, *features: str) -> dict[str, str]:
    recipe = Recipe("a cat", 3, Sampler(steps, 2.0))
    return {
        "kind": kind,
        "recipe": recipe.to_json(),
        "swept": replace(recipe, edits=tuple(map(Edit, features))).to_json(),
    }


def test_a_sweep_has_so_many_steps_in_all(page: PageState):
    grid = described("against", 50, "night", "penguin")
    for answer in (Sweeps(page).file({"again": grid, "file": "png"}), Sweeps(page).draw({"again": grid, "cell": 0})):
        assert "25 pictures of 50 steps, 1,250 in all; 500 are allowed" in answer["error"]
    rack = {"rows": [], "silent": []}
    laid = Sweeps(page).lay("a cat", 3, rack, Sampler(50, 2.0), "", None, None, {"kind": "seeds", "features": []})
    assert "12 pictures of 50 steps, 600 in all; 500 are allowed" in laid["error"]
    assert "laid" in Sweeps(page).lay(
        "a cat", 3, rack, Sampler(41, 2.0), "", None, None, {"kind": "seeds", "features": []}
    )


def test_a_grid_in_the_checkpoints_own_steps_is_always_allowed(tiny: Steerer):
    slow = Steerer(tiny.backbone, tiny.bank)
    slow.sampler = Sampler(50, 7.5)
    sweep = Sweeps(PageState(tiny.bank, lambda: slow))._sweep
    assert len(sweep(Description(**described("against", 50, "night", "penguin"))).cells) == 25


def test_an_animation_of_seeds_is_refused_before_its_pictures_are_drawn(page: PageState):
    answer = Sweeps(page).file({"again": described("seeds", 3), "file": "gif"})
    assert "save a grid or several seeds as PNG" in answer["error"]


def test_a_search_finds_so_many(page: PageState, monkeypatch: pytest.MonkeyPatch):
    found = page.bank.search("")
    monkeypatch.setattr(page.bank, "search", lambda *_: found * MOST_FOUND)
    assert len(Api(page).search("")) == MOST_FOUND


def test_an_error_repeats_little_of_what_it_is_about():
    def wrong(text: str) -> None:
        raise SteerError(f"cannot read {text!r}: write something else")

    for text in ("x" * 10**6, "many words " * 10**5):
        _, sentence = attempt(lambda text=text: wrong(text))
        assert len(sentence) <= LONGEST + 3
        assert sentence.endswith("write something else")
    assert "x" * 81 not in attempt(lambda: wrong("x" * 1000))[1]


def test_the_log_says_where_and_not_what(caplog: pytest.LogCaptureFixture):
    def wrong() -> None:
        raise ValueError("a secret prompt")

    assert attempt(wrong)[1].startswith("Something went wrong")
    (record,) = caplog.records
    assert "ValueError at test_page_limits.py:" in record.getMessage()
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_an_upload_tidies_up_what_was_left_behind(address: str, tmp_path: Path):
    left = own_folder() / "tmpbroken"
    left.write_bytes(b"half a file")
    long_ago = time.time() - MINUTES * 60 - 1
    os.utime(left, (long_ago, long_ago))
    Image.new("RGB", (8, 8)).save(tmp_path / "mine.png")
    Client(address, verbose=False).predict(handle_file(tmp_path / "mine.png"), api_name="/features_of_picture")
    assert not left.exists()


@pytest.mark.parametrize(
    ("installed", "problem"), [("1.30.0", ""), ("2.3.0", "and 2.3.0 is installed"), ("0.9", "0.9 is")]
)
def test_mcp_is_offered_only_with_a_version_that_gradio_knows(
    monkeypatch: pytest.MonkeyPatch, installed: str, problem: str
):
    monkeypatch.setattr(launch, "version", lambda _: installed)
    said = launch.mcp_problem()
    assert problem in said
    assert bool(said) is bool(problem)
    assert not said or "pip install 'gradio[mcp]==" in said
