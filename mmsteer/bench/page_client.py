"""A visitor without a browser: asks a running page for pictures over HTTP, as the page's own script does. For measuring and tests."""

import json
import re
import secrets
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.request import Request, urlopen


class Visitor:
    """One visit to a page, with a session of its own."""

    def __init__(self, address: str) -> None:
        self._api = address.rstrip("/")
        self._session = secrets.token_hex(8)
        config = self._read("/config")
        self._api += config["api_prefix"]
        self._calls = {d["api_name"]: d["id"] for d in config["dependencies"]}
        self._query, self._frames = "", 0

    def draw(self, prompt: str, seed: int, rack: Any, sampler: None = None) -> tuple[Any, str]:
        """Wait for a turn and a picture: the pair as HTML (or what stands for no change), and the status below it."""
        first: list[Any] | None = None  # what comes after it, CLIP's similarities, is told as differences
        for event in self._ask("pair", [prompt, seed, rack, sampler]):
            if event["msg"] == "process_generating" and event["success"]:
                first = first or event["output"]["data"]
        if first is None:
            raise ConnectionError("the page has refused, or closed the connection before there was a picture")
        query = re.search(r'data-query="([^"]*)"', str(first[0]))
        self._query = unescape(query[1]) if query else self._query
        return first[0], first[1]

    def frame(self, rack: Any) -> dict[str, Any]:
        """Wait for a turn and for the last pair's *after* with another rack, as a slider that moves asks for it: {number, after,
        ood, seconds}, or {number} alone where it cannot be drawn.
        """
        self._frames += 1
        for event in self._ask("frame", [{"number": self._frames, "query": self._query, "rack": rack}]):
            if event["msg"] == "process_completed" and event["success"]:
                answer: dict[str, Any] = event["output"]["data"][0]["frame"]
                return answer
        raise ConnectionError("the page has refused, or closed the connection before there was a frame")

    def _ask(self, name: str, data: list[Any]) -> Iterator[dict[str, Any]]:
        """What the page's queue tells of a call, event by event, to its end."""
        join = {"data": data, "fn_index": self._calls[name], "session_hash": self._session}
        self._read("/queue/join", json.dumps(join).encode())
        with urlopen(f"{self._api}/queue/data?session_hash={self._session}") as events:
            for line in events:
                event = json.loads(line[5:]) if line.startswith(b"data:") else {"msg": ""}
                yield event
                if event["msg"] == "process_completed":
                    return

    def _read(self, path: str, body: bytes | None = None) -> Any:
        request = Request(self._api + path, body, {"content-type": "application/json"})
        with urlopen(request) as answer:
            return json.loads(answer.read())
