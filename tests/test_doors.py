"""What a request may reach, and how large it may be: the page's middleware, on the real server."""

import http.client
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from served import served

from mmsteer import Steerer
from mmsteer.ui.server.body import LARGEST_CALL, LARGEST_UPLOAD
from mmsteer.ui.server.files import MINUTES, own_folder, tidy

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=edge"}


def ask(
    address: str, path: str, body: Any = None, headers: dict[str, str] | None = None, method: str = ""
) -> http.client.HTTPResponse:
    """The answer to a request that is sent as it stands; a body that is an iterator goes in chunks."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
    return connection.getresponse()


def detail(response: http.client.HTTPResponse) -> str:
    return str(json.loads(response.read())["detail"])


def call(session: str = "s", **more: Any) -> bytes:
    return json.dumps({"data": [], "fn_index": 0, "session_hash": session} | more).encode()


def form(*files: bytes) -> bytes:
    """A form of several files."""
    name = 'Content-Disposition: form-data; name="files"; filename="a.png"'
    parts = b"".join(b"--edge\r\n" + name.encode() + b"\r\n\r\n" + file + b"\r\n" for file in files)
    return parts + b"--edge--\r\n"


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring", "/monitoring/", "/monitoring/summary", "/monitoring/guess", "/gradio_api/proxy=https://a.hf.space/",
        "/gradio_api/stream/s/r/1/playlist-file", "/gradio_api/custom_component/a/client/b/c", "/gradio_api/deep_link",
        "/gradio_api/dev/reload", "/gradio_api/token", "/gradio_api/runs", "/login", "/pwa_icon/9",
        "/gradio_api/file=https://example.org/a.png", "/gradio_api/file=HTTP://example.org", "/gradio_api/file=%20https://a.org",
        "/gradio_api/file/https://example.org/a.png",
    ],
)  # fmt: skip
def test_what_the_page_does_not_use_is_closed(address: str, path: str):
    assert ask(address, path).status == 404


@pytest.mark.parametrize("path", ["process_recording", "vibe-edit/", "api/predict", "stream/x", "login"])
def test_nothing_can_be_posted_to_what_is_closed(address: str, path: str):
    assert ask(address, f"/gradio_api/{path}", call(), JSON).status == 404


def test_whatever_draws_takes_a_turn_in_the_queue(address: str):
    """Straight calls reach only what the page itself calls so, which draws nothing."""
    for name in ("steer", "sweep", "search", "features_of_prompt", "features_of_picture", "pair", "frame"):
        body = json.dumps({"data": ["a cat", [], 0, 2, 1.0]}).encode()
        refused = ask(address, f"/gradio_api/run/{name}", body, JSON)
        assert refused.status == 404
        assert "join the queue" in detail(refused)
    config = json.loads(ask(address, "/config").read())
    straight = {d["id"] for d in config["dependencies"] if not d["queue"]}
    for function in {d["id"] for d in config["dependencies"]} - straight:
        assert ask(address, "/gradio_api/run/predict", call(fn_index=function), JSON).status == 404


# -- whose page it is --


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example", ""]
)
@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/mcp/", "/gradio_api/info"])
def test_a_name_that_is_not_this_machines_reaches_nothing(address: str, path: str, host: str):
    assert ask(address, path, headers={"host": host}).status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7860", "LOCALHOST", "127.0.0.1", "[::1]:7860", "192.168.1.5:80"]
)
def test_this_machines_names_and_every_address_do(address: str, host: str):
    assert ask(address, "/config", headers={"host": host}).status == 200


def test_a_name_can_be_allowed(steerer: Steerer, tiny_bank: Path):
    with served(steerer, tiny_bank, names=["page.example"]) as address:
        assert ask(address, "/config", headers={"host": "page.example"}).status == 200
        assert ask(address, "/config", headers={"host": "other.example"}).status == 403


def test_another_site_can_post_nothing_to_a_local_page(address: str):
    here = urlsplit(address).netloc
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", f"https://{here}.evil.example"):
        for path in ("upload", "queue/join", "run/predict", "call/search", "component_server", "mcp/", "cancel"):
            assert ask(address, f"/gradio_api/{path}", form(b"x"), FORM | {"origin": origin}).status == 403
    assert ask(address, "/gradio_api/upload", form(b"x"), FORM | {"origin": address}).status == 200


# -- how large a request may be --


def chunks(total: int, head: bytes = b"", size: int = 2**16) -> Iterator[bytes]:
    yield head
    for _ in range(0, total, size):
        yield bytes(size)


@pytest.mark.parametrize("path", ["queue/join", "call/search", "run/predict", "component_server", "cancel", "reset"])
def test_a_call_is_small(address: str, path: str):
    large = json.dumps({"data": ["x" * LARGEST_CALL]}).encode()
    refused = ask(address, f"/gradio_api/{path}", large, JSON)
    assert refused.status == 413
    assert "262,144 bytes" in detail(refused)
    assert ask(address, f"/gradio_api/{path}", chunks(LARGEST_CALL + 1), JSON).status == 413


@pytest.mark.parametrize("field", ['name="files"; filename="a"', 'name="endless"'])
def test_an_upload_ends_at_its_limit_in_chunks_and_in_form_fields_too(address: str, field: str):
    before = set(own_folder().rglob("*"))
    head = f"--edge\r\nContent-Disposition: form-data; {field}\r\n\r\n".encode()
    refused = ask(address, "/gradio_api/upload", chunks(LARGEST_UPLOAD, head), FORM)
    assert refused.status == 413
    left = set(own_folder().rglob("*")) - before
    assert sum(path.stat().st_size for path in left) <= LARGEST_UPLOAD


def test_a_request_uploads_one_file(address: str):
    sent = ask(address, "/gradio_api/upload", form(b"one\r\n--edg two"), FORM)
    assert sent.status == 200
    assert len(json.loads(sent.read())) == 1
    body = form(b"one", b"two")
    for pieces in (
        [body],
        [body[k : k + 1] for k in range(len(body))],
        [body[k : k + 7] for k in range(0, len(body), 7)],
    ):
        refused = ask(address, "/gradio_api/upload", iter(pieces), FORM)
        assert refused.status == 413
        assert "one by one" in detail(refused)


def test_files_go_after_a_while_and_the_oldest_first_when_there_are_many(tmp_path: Path):
    now = time.time()
    for name, age in (("old", MINUTES * 60 + 5), ("older", MINUTES * 60 + 9), ("a", 30), ("b", 20), ("c", 10)):
        path = tmp_path / name / "file"
        path.parent.mkdir()
        path.write_bytes(bytes(100))
        os.utime(path, (now - age, now - age))
    tidy(tmp_path, most=250)
    assert {path.parent.name for path in tmp_path.rglob("file")} == {"b", "c"}


# -- headers and the log --


def test_answers_say_what_a_browser_may_do_with_them(address: str):
    for path in ("/", "/config", "/theme.css", "/gradio_api/info", "/nothing"):
        answer = ask(address, path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy


def test_pictures_of_visitors_are_stored_nowhere(address: str):
    (path,) = json.loads(ask(address, "/gradio_api/upload", form(b"mine"), FORM).read())
    fetched = ask(address, f"/gradio_api/file={path}")
    assert fetched.read() == b"mine"
    assert fetched.headers["cache-control"] == "private, no-store"


MALFORMED: list[tuple[str, Any]] = [
    ("queue/join", {"data": [], "fn_index": 9999, "session_hash": "m"}),
    ("queue/join", {"data": [], "fn_index": -1, "session_hash": "m"}),
    ("run/predict", {"data": ["secret prompt"] * 99, "fn_index": 9999}),
    ("call/nothing", {"data": ["secret prompt"]}),
    ("call/v2/nothing", {"text": "secret prompt"}),
    ("component_server", {"data": "secret prompt", "component_id": 9999, "session_hash": "m", "fn_name": "card"}),
    ("component_server", {"data": [], "component_id": [], "session_hash": "m", "fn_name": "card"}),
    ("component_server", []),
]


@pytest.mark.parametrize(("path", "body"), MALFORMED)
def test_a_malformed_call_costs_the_log_one_line_without_its_text(
    address: str, path: str, body: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    with caplog.at_level(logging.INFO):
        answer = ask(address, f"/gradio_api/{path}", json.dumps(body).encode(), JSON)
        assert answer.status >= 400
        text = answer.read().decode()
    log = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(log) <= 1
    everything = "\n".join([*log, *capfd.readouterr(), text])
    assert "secret prompt" not in everything
    assert "Traceback" not in everything
    assert not re.search(r"0x[0-9a-f]{6,}", everything)


def test_a_file_on_another_host_is_not_fetched(address: str, monkeypatch: pytest.MonkeyPatch):
    def fetched(*_: Any) -> None:
        raise AssertionError("it was fetched")

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetched)
    picture = {"path": "https://example.org/a.png", "meta": {"_type": "gradio.FileData"}}
    call = ask(address, "/gradio_api/call/features_of_picture", json.dumps({"data": [picture]}).encode(), JSON)
    event = json.loads(call.read())["event_id"]
    assert "upload it first" in ask(address, f"/gradio_api/call/features_of_picture/{event}").read().decode()
