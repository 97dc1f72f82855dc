"""A visitor without a browser: asks a running page for pictures over HTTP, as the page's own script does.

For benchmarks and tests; knows the page's endpoints, nothing of models.
"""

import json
import re
import secrets
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.request import Request, urlopen


class Visitor:
    """One visit to a page, with its own session.

    Args:
        address: The page's address, `http://host:port`. OSError if nothing answers.
        home: The visitor's own address, as a proxy on this machine would pass it on; None is this machine's.
    """

    def __init__(self, address: str, home: str | None = None) -> None:
        self._headers = {"content-type": "application/json"} | ({"x-forwarded-for": home} if home else {})
        self._api = address.rstrip("/")
        self._session = secrets.token_hex(8)
        config = self._read("/config")
        self._api += config["api_prefix"]
        self._calls = {d["api_name"]: d["id"] for d in config["dependencies"]}
        self._query, self._frames = "", 0

    def draw(self, prompt: str, seed: int, rack: Any, sampler: None = None) -> tuple[Any, str]:
        """Draw a pair, as the page does when the prompt or the seed changes; waits in the queue like every visitor.

        Args:
            prompt: The prompt.
            seed: The seed.
            rack: The sliders, `{"rows": [...], "silent": [...]}`.
            sampler: None: the backbone's own.

        Returns:
            The pair as HTML, and the status below it.

        Raises:
            ConnectionError: If the page refuses or closes the connection.
        """
        first: list[Any] | None = None  # before it come reports of progress, after it CLIP's similarities
        for event in self._ask("pair", [prompt, seed, rack, sampler, "", None, None, ""]):
            if event["msg"] == "process_generating" and event["success"]:
                first = first or _whole(event["output"]["data"])
        if first is None:
            raise ConnectionError("the page refused the request or closed the connection before a picture came")
        query = re.search(r'data-query="([^"]*)"', str(first[0]))
        self._query = unescape(query[1]) if query else self._query
        return first[0], first[1]

    def open(self, query: str) -> None:
        """Open a recipe by its link, as the page does from the history of a visit: what is drawn next has its sampler.

        Args:
            query: The link's query.
        """
        asked = {"data": [query], "fn_index": self._calls["restore"], "session_hash": self._session}
        self._read("/run/restore", json.dumps(asked).encode())

    def frame(self, rack: Any) -> dict[str, Any]:
        """Draw *after* of the last pair with another rack, as the page does while a slider moves; waits in the queue.

        Args:
            rack: The sliders.

        Returns:
            The frame as the page sends it, with its `number` and `after`; without `after` where it cannot be drawn.

        Raises:
            ConnectionError: If the page refuses or closes the connection.
        """
        self._frames += 1
        for event in self._ask("frame", [{"number": self._frames, "query": self._query, "rack": rack}]):
            if event["msg"] == "process_completed" and event["success"]:
                answer: dict[str, Any] = event["output"]["data"][0]["frame"]
                return answer
        raise ConnectionError("the page refused the request or closed the connection before a frame came")

    def call(self, name: str, data: list[Any]) -> bool:
        """Call an endpoint and wait for its end; whether it succeeded."""
        return bool([event.get("success", False) for event in self._ask(name, data)][-1])

    def _ask(self, name: str, data: list[Any]) -> Iterator[dict[str, Any]]:
        """The events of a call in the page's queue, to its end."""
        join = {"data": data, "fn_index": self._calls[name], "session_hash": self._session}
        self._read("/queue/join", json.dumps(join).encode())
        with urlopen(Request(f"{self._api}/queue/data?session_hash={self._session}", None, self._headers)) as events:
            for line in events:
                event = json.loads(line[5:]) if line.startswith(b"data:") else {"msg": ""}
                yield event
                if event["msg"] == "process_completed":
                    return

    def _read(self, path: str, body: bytes | None = None) -> Any:
        request = Request(self._api + path, body, self._headers)
        with urlopen(request) as answer:
            return json.loads(answer.read())


def _whole(data: list[Any]) -> list[Any] | None:
    """The values of an event that brings a pair; None for another. Later events of a call say what to put in place of earlier values."""
    values = [part[0][2] if isinstance(part, list) and part and part[0][0] == "replace" else part for part in data]
    return values if isinstance(values[1], str) else None
