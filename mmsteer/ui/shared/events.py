"""Settings of gradio's events, named by what they do. Whatever draws a picture shares the queue "draw": one picture at a time."""

from typing import Any

Settings = dict[str, Any]

DRAW: Settings = {"concurrency_id": "draw", "concurrency_limit": 1}
PRIVATE: Settings = {"api_visibility": "private"}
"""Not one of the endpoints for other programs."""
READ: Settings = {"concurrency_id": "read", "concurrency_limit": 2}
"""For what is computed and draws nothing: it does not stand in the line of those who draw."""
SILENT: Settings = {"show_progress": "hidden"} | PRIVATE
AT_ONCE: Settings = {"queue": False} | SILENT
"""For what draws nothing."""
DRAW_NEWEST: Settings = DRAW | SILENT | {"trigger_mode": "always_last"}
"""Of the requests that wait, only the newest is drawn: nothing piles up behind a slider."""
READ_NEWEST: Settings = READ | SILENT | {"trigger_mode": "always_last"}
DRAW_EVERY: Settings = DRAW | SILENT | {"trigger_mode": "multiple"}
