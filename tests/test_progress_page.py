"""On the page: a pair that takes long is seen as it happens, and stopping it brings the old one back."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, recipe_shown, source

from mmsteer import Steerer
from mmsteer.steering.progress.step import Step


class Gate:
    """Lets one step of a drawing pass at a time."""

    def __init__(self, steerer: Steerer) -> None:
        self._on, self._let = steerer.between_steps, threading.Semaphore(0)

    def __call__(self, step: Step) -> None:
        self._let.acquire(timeout=60)
        self._on(step)

    def let(self, steps: int) -> None:
        for _ in range(steps):
            self._let.release()


@pytest.fixture
def gate(page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Set once the first pair has been drawn."""
    made = Gate(steerer)
    monkeypatch.setattr(steerer, "between_steps", made)
    yield made
    made.let(100)


def test_a_pair_is_seen_as_it_is_drawn_and_stopping_it_brings_the_old_one_back(page: Page, gate: Gate):
    before, after = source(page, "before"), source(page, "after")
    bar, status = page.locator(".mm-drawing"), page.locator("#mm-status")
    expect(bar).to_be_hidden()
    assert status.evaluate("node => getComputedStyle(node).opacity") == "1"
    page.locator("#mm-prompt textarea").fill("a cat")
    page.locator("#mm-draw").click()
    expect(bar.get_by_role("status")).to_have_text("Drawing… about 1 s", timeout=WAIT)
    expect(status).to_have_css("opacity", "0.45")
    expect(bar.get_by_role("progressbar")).to_be_visible()
    gate.let(1)
    expect(bar).to_contain_text("left", timeout=WAIT)
    gate.let(1)
    page.wait_for_function(
        "old => document.querySelector('.mm-before').src !== old && document.querySelector('.mm-before').src.includes('image/jpeg')",
        arg=before, timeout=WAIT,
    )  # fmt: skip
    assert source(page, "after") == after  # *before* is drawn first
    page.get_by_role("button", name="Stop").first.click()
    gate.let(1)
    expect(bar.get_by_role("status")).to_have_text("Stopped.", timeout=WAIT)
    expect(status).to_have_css("opacity", "1")
    assert (source(page, "before"), source(page, "after")) == (before, after)
    expect(bar).to_be_hidden(timeout=WAIT)
    gate.let(100)
    page.locator("#mm-draw").click()
    page.wait_for_function("() => document.querySelector('.mm-after').alt.includes('a cat,')", timeout=WAIT)
    assert recipe_shown(page).prompt == "a cat"
    expect(bar).to_be_hidden()
