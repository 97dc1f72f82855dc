"""The page, served in this process on a free port, for tests that look inside."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mmsteer import FeatureBank, Steerer
from mmsteer.ahead.drawn import DrawnAhead
from mmsteer.models.backbone import Backbone
from mmsteer.models.registry import Spec
from mmsteer.ui.page import build_demo
from mmsteer.ui.server.launch import launch
from mmsteer.ui.steer import live


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def whole_words(folder: Path, bank: Path, steps: int = 3) -> Steerer:
    """The tiny backbone under the name `whole`, drawn in a few steps, whose known words are one token each."""
    spec = Spec(folder, steps=steps, whole_words=True)
    return Steerer(Backbone.load("whole", spec=spec), FeatureBank.load(bank))


@contextmanager
def served(
    steerer: Steerer, bank: Path, ready: Event | None = None, ahead: DrawnAhead | None = None, **more: Any
) -> Iterator[str]:
    """The address of a page on this steerer, which has loaded once `ready` is set. `more` goes to `launch`."""

    def load() -> Steerer:
        if ready is not None:
            ready.wait()
        return steerer

    port = free_port()
    demo = build_demo(FeatureBank.load(bank), load, ahead)
    launch(demo, port=port, prevent_thread_lock=True, quiet=True, **more)
    yield f"http://127.0.0.1:{port}"
    demo.close()


@contextmanager
def served_live(steerer: Steerer, bank: Path) -> Iterator[str]:
    """The same on a machine that is always fast enough for live frames, whatever else this one does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "LIVE", 1e6)
        with served(steerer, bank) as url:
            yield url
