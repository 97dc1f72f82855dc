"""What a visitor reads if no GPU is lent: the errors are those of the real package `spaces`, the hub behind it is a stand-in."""

from datetime import timedelta
from typing import Any, cast

import pytest

from mmsteer import Steerer
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.quota.refusal import refusal
from mmsteer.ui.shared.loading import attempt, attempt_html

STATIC = "https://someone.github.io/mmsteer"


class Hub:
    """Answers for one request for a GPU."""

    def __init__(self, answer: Any, **meta: Any) -> None:
        self.answer, self.meta = answer, meta

    def schedule(self, **asked: Any) -> Any:
        from spaces.zero.api import ScheduleMetadata

        return self.answer, ScheduleMetadata(**self.meta)


def refused(monkeypatch: pytest.MonkeyPatch, hub: Hub, token: bool = True) -> str:
    """The sentence for a call that the hub refuses."""
    import gradio as gr
    from spaces.zero import client
    from starlette.requests import Request

    headers = [(b"x-ip-token", b"a.e30.c")] if token else []
    request = cast(gr.Request, Request({"type": "http", "headers": headers}))
    monkeypatch.setattr(client, "api_client", lambda: hub)
    monkeypatch.setattr(client.utils, "self_cgroup_device_path", lambda: "")
    monkeypatch.setattr(client, "_is_api_call", lambda _: False)
    monkeypatch.setattr(client, "info", lambda *_, **__: None)
    monkeypatch.setattr(client.config, "get_config", lambda: {"duration_factor": 1})
    return attempt(lambda: client.schedule(1, request, timedelta(seconds=20)))[1]


def quota(left: int, wait: timedelta) -> Any:
    from spaces.zero.api import QuotaInfos

    return QuotaInfos(left=left, wait=wait)


def test_who_has_used_their_time_up_reads_how_much_is_left_and_when_to_try_again(monkeypatch: pytest.MonkeyPatch):
    hub = Hub(quota(12, timedelta(hours=1, minutes=4, seconds=30)), auth="regular")
    said = refused(monkeypatch, hub)
    assert said == "Your GPU time for today is used up: 12 s are left, and this takes 20 s. Try again in 1 h 5 min."
    anonymous = refused(monkeypatch, Hub(quota(0, timedelta(seconds=10))))
    assert anonymous.endswith("Try again in 1 min. Visitors who are signed in to Hugging Face have more.")
    assert "in 25 h 1 min" in refused(monkeypatch, Hub(quota(0, timedelta(days=1, hours=1)), auth="pro"))


def test_every_other_refusal_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch):
    import httpx
    from spaces.zero.api import QueueEvent

    free = "No GPU is free"
    assert free in refused(monkeypatch, Hub(iter([QueueEvent(event="failed")])))
    assert free in refused(monkeypatch, Hub(iter([QueueEvent(event="failed")])), token=False)
    assert free in refused(monkeypatch, Hub(httpx.codes.SERVICE_UNAVAILABLE))
    assert "load it again" in refused(monkeypatch, Hub(httpx.codes.UNAUTHORIZED))
    assert "fewer steps" in refused(monkeypatch, Hub(quota(0, timedelta(seconds=-1))))
    assert "in a few minutes" in refused(monkeypatch, Hub(quota(0, timedelta(0)), auth="regular"))
    assert "in a few minutes" in refused(monkeypatch, Hub(quota(0, timedelta(0))), token=False)
    pending = Hub(quota(0, timedelta(0)), approve_result="pending-overquota-exceeded")
    assert "in a few minutes" in refused(monkeypatch, pending)
    assert "taken back" in refusal("ZeroGPU worker error", "GPU task aborted")
    assert refusal("Error", "anything else") == refusal("", "") == ""


def test_the_owners_static_edition_is_linked_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch, tiny: Steerer):
    class NoGPUError(Exception):
        title, message = "ZeroGPU queue timeout", "No GPU was available after 60s."

    def lend(duration: Any) -> Any:
        def call(*_: Any) -> Any:
            raise NoGPUError

        return lambda task: call

    steerer = ZeroGPUSteerer(tiny, lend)

    def html() -> str:
        return attempt_html(lambda: steerer.steer("a cat"))[1]

    assert "<a " not in html()
    monkeypatch.setenv("MMSTEER_STATIC", STATIC)
    assert f'<a href="{STATIC}" target="_blank" rel="noopener">{STATIC}</a>' in html()
    for bad in ("javascript:alert(1)", 'https://a.b/"><script>', "not an address"):
        monkeypatch.setenv("MMSTEER_STATIC", bad)
        assert html().endswith("Try again in a few minutes.</div>")
