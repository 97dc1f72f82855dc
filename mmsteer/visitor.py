"""A visitor without a browser: asks a running page for pictures over HTTP, as the page's own script does. For measuring and tests."""

import json
import secrets
from typing import Any
from urllib.request import Request, urlopen


class Visitor:
    """One visit to a page, with a session of its own."""

    def __init__(self, address: str) -> None:
        self._api = address.rstrip("/")
        self._session = secrets.token_hex(8)
        config = self._read("/config")
        self._api += config["api_prefix"]
        self._call = next(d["id"] for d in config["dependencies"] if d["api_name"] == "pair")

    def draw(self, prompt: str, seed: int, rack: Any, sampler: None = None) -> tuple[Any, str]:
        """Wait for a turn and a picture: the pair as HTML (or what stands for no change), and the status below it."""
        join = {"data": [prompt, seed, rack, sampler], "fn_index": self._call, "session_hash": self._session}
        self._read("/queue/join", json.dumps(join).encode())
        first: list[Any] | None = None  # what comes after it, CLIP's similarities, is told as differences
        with urlopen(f"{self._api}/queue/data?session_hash={self._session}") as events:
            for line in events:
                event = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if event.get("msg") == "process_generating" and event["success"]:
                    first = first or event["output"]["data"]
                if event.get("msg") == "process_completed" and first:
                    return first[0], first[1]
        raise ConnectionError("the page has refused, or closed the connection before there was a picture")

    def _read(self, path: str, body: bytes | None = None) -> Any:
        request = Request(self._api + path, body, {"content-type": "application/json"})
        with urlopen(request) as answer:
            return json.loads(answer.read())
