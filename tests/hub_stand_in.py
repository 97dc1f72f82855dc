"""A stand-in for the Hugging Face hub: repositories in folders, served as the hub serves them, with faults on demand."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image


class StandIn:
    """What is on the hub, and what goes wrong with it."""

    def __init__(self) -> None:
        self.repositories: dict[str, tuple[str, Path]] = {}
        """`models/OWNER/NAME` or `datasets/OWNER/NAME` -> its only commit, and the folder of its files."""
        self.cut: dict[str, int] = {}
        """File name -> after how many bytes the connection breaks, once."""
        self.gated: set[str] = set()
        """Repositories that this account may not read."""
        self.gone: set[str] = set()
        """Names of files that are listed, and refused."""
        self.asked: list[str] = []
        """Method, path and range of every request."""
        self.tokens: set[str | None] = set()
        """Of whoever asked for a repository."""
        self.address = ""

    def add(self, kind: str, id_: str, commit: str, folder: Path) -> None:
        self.repositories[f"{kind}s/{id_}"] = commit, folder

    def fetched(self) -> list[str]:
        """The files that were sent, as often as they were."""
        sent = [line for line in self.asked if line.startswith("GET") and "/resolve/" in line]
        return [line.split("/resolve/")[1].split("/", 1)[1].split()[0] for line in sent]


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve one on a port of its own."""
    hub = StandIn()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub})) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()


def go_online(hub: StandIn, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process use a stand-in, as HF_ENDPOINT and HF_HUB_CACHE would have done when it started."""
    from huggingface_hub import constants, hf_api

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hf_api.api, "endpoint", hub.address)


def write_tar(file: Path, first: int, count: int, caption: Callable[[int], str] = "picture {}".format) -> None:
    """Plain pictures with a caption each, by their numbers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for number in range(first, first + count):
            picture = io.BytesIO()
            Image.new("RGB", (32, 32), (number % 256, number * 7 % 256, 90)).save(picture, "PNG")
            for suffix, data in (("png", picture.getvalue()), ("txt", caption(number).encode())):
                member = tarfile.TarInfo(f"{number:06d}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802  the name the library gives it
        self._answer(body=True)

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer(body=False)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        api = path.startswith("api/")
        path = path.removeprefix("api/")
        if not path.startswith(("models/", "datasets/")):
            path = f"models/{path}"
        repository = next((name for name in self.hub.repositories if path == name or path.startswith(f"{name}/")), None)
        if repository is None:
            self._refuse(401, "RepoNotFound")
            return
        self.hub.tokens.add(self.headers.get("Authorization"))
        commit, folder = self.hub.repositories[repository]
        rest = path.removeprefix(repository).strip("/")
        if not api:
            if repository in self.hub.gated:
                self._refuse(403, "GatedRepo")
                return
            self._send_file(commit, folder, rest.split("/", 2)[2], body)
            return
        if rest == "auth-check" and repository in self.hub.gated:
            self._refuse(403, "GatedRepo")
            return
        if rest.startswith("revision/") and rest.split("/")[1] not in (commit, "main"):
            self._refuse(404, "RevisionNotFound")
            return
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if rest.startswith("tree/"):
            self._send_json([
                {"type": "file", "path": file.relative_to(folder).as_posix(), "size": file.stat().st_size, "oid": _etag(file)}
                for file in files
            ])  # fmt: skip
            return
        siblings = [{"rfilename": file.relative_to(folder).as_posix(), "size": file.stat().st_size} for file in files]
        gated = "manual" if repository in self.hub.gated else False
        card = {"license": "openrail++"}
        self._send_json(
            {"id": repository.split("/", 1)[1], "sha": commit, "siblings": siblings, "gated": gated, "cardData": card}
        )

    def _send_file(self, commit: str, folder: Path, name: str, body: bool) -> None:
        file = folder / name
        if not file.is_file() or file.name in self.hub.gone:
            self._refuse(404, "EntryNotFound")
            return
        data = file.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(file)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            stop = self.hub.cut.pop(file.name, None)
            self.wfile.write(data[start:stop])
            self.close_connection = stop is not None

    def _send_json(self, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
