"""Where links to the page lead."""

import os

_ON_THE_HUB = "https://huggingface.co/spaces/"


def home() -> str:
    """Where a link leads: the hosting page of a Space, else (empty) the address that the visitor sees."""
    space = os.environ.get("SPACE_ID", "")
    return _ON_THE_HUB + space if space else ""
