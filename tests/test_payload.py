"""What a browser sends: the sentence says what is wrong where, what is allowed, and what to do."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gradio as gr
import pytest

from mmsteer import FeatureBank, Steerer, SteerError
from mmsteer.ui import page
from mmsteer.ui.shared.payload import whole_seed
from mmsteer.ui.steer.rack import read_rack

ROW = {"id": 1, "mode": "slide", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}


def rack(**more: Any) -> dict[str, Any]:
    return {"rows": [ROW | more], "silent": []}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "it is None; it should be an object"),
        ({"rows": []}, "`silent` is missing"),
        (rack(evil=1), "`rows.0.evil` is not known"),
        (rack(strength="NaN"), "`rows.0.strength` is 'NaN'; it should be a valid number"),
        (rack(strength=float("inf")), "`rows.0.strength` is inf; it should be a finite number"),
        (rack(id=True), "`rows.0.id.int` is True; it should be a valid integer"),
        (rack(mode="remove"), "`rows.0.mode` is 'remove'; it should be 'slide', 'add' or 'set'"),
        ({"rows": [ROW] * 17, "silent": []}, "list should have at most 16 items"),
    ],
)
def test_the_sentence_about_a_rack(value: Any, reason: str):
    with pytest.raises(SteerError, match=re.escape("the rack cannot be read: load the page again (")) as error:
        read_rack(value)
    assert reason in str(error.value)
    assert len(str(error.value)) < 250
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("seed", "reason"), [(None, "is empty"), (1.5, "is 1.5"), (float("nan"), "is nan")])
def test_a_seed_is_a_whole_number(seed: float | None, reason: str):
    with pytest.raises(SteerError, match=f"{reason}.*: type a whole number from 0 to 4294967295"):
        whole_seed(seed)
    assert whole_seed(3.0) == 3


def test_a_tab_is_a_folder_and_a_line(tiny: Steerer, tiny_bank: Path, monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("mmsteer.ui.throwaway.tab")
    module.TITLE = "Thrown away"  # type: ignore[attr-defined]
    module.build = lambda state, tab: gr.HTML(f"{len(state.bank.features)} features", elem_id="mm-throwaway")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(page, "TABS", (*page.TABS, "throwaway"))
    blocks = page.build_demo(FeatureBank.load(tiny_bank), lambda: tiny).blocks.values()
    assert [block.label for block in blocks if isinstance(block, gr.Tab)][-1] == "Thrown away"
    assert [block.value for block in blocks if getattr(block, "elem_id", None) == "mm-throwaway"] == ["12 features"]
