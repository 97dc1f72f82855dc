"""Why no GPU was lent, in a sentence of the page: what happened, when to try again, and where to look meanwhile.

Titles and messages are those that the package `spaces` raises (its zero/client.py and zero/wrappers.py, 0.51.3). A refusal is also where
the hub tells how many seconds the visitor has left.
"""

import os
import re

_STATIC = "MMSTEER_STATIC"
_QUOTA = re.compile(
    r"(?P<needed>\d+)s requested vs\. (?P<left>-?\d+)s left.*?in (?:(?P<days>\d+) days?, )?(?P<hours>\d+):(?P<minutes>\d\d):"
)
_SIGNED_IN = ("free ZeroGPU", "Pro ZeroGPU")


def static_edition() -> str:
    """The address of this Space's static edition, where its owner has set one; else an empty string."""
    address = os.environ.get(_STATIC, "").strip()
    return address if re.fullmatch(r"https?://[^\s\"'<>]+", address) else ""


def refusal(title: str, message: str) -> str:
    """The sentences for an error of ZeroGPU; empty for any other error."""
    if not title.startswith("ZeroGPU"):
        return ""
    said = _said(title, message)
    address = static_edition()
    return f"{said} Meanwhile, pictures drawn ahead are here: {address}" if address else said


def _said(title: str, message: str) -> str:
    if found := _QUOTA.search(message):
        more = (
            ""
            if any(kind in message for kind in _SIGNED_IN)
            else " Visitors who are signed in to Hugging Face have more."
        )
        left = max(0, int(found["left"]))
        return (
            f"Your GPU time for today is used up: {left} s are left, and this takes {found['needed']} s. Try again in {_wait(found)}."
            f"{more}"
        )
    if "No GPU was available" in message:  # under several titles
        return "No GPU is free: all are at work for others. Try again in a few minutes."
    if "duration" in title:
        return "This takes longer than a GPU is lent for: draw fewer pictures at once, or fewer steps."
    if "runs limit" in message or "quota" in title or "credits" in title:
        return "Your GPU runs for now are used up, or too many of them are still at work. Try again in a few minutes."
    if "token" in message:
        return "The page has been open for too long for the hub to know you: load it again."
    return "The GPU was taken back before the picture was done. Try again."


def _wait(found: "re.Match[str]") -> str:
    """The time to wait, rounded up to minutes."""
    hours = 24 * int(found["days"] or 0) + int(found["hours"])
    minutes = int(found["minutes"]) + 1
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
