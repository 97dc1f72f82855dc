"""Numbers, intervals and tables as Markdown. Knows nothing of what was measured."""

from collections.abc import Iterable, Sequence
from typing import Any

from mmsteer.studies.measures.shares import decimal

Figures = dict[str, Any]
"""What a study wrote as JSON, or a part of it. A share is an object with `value`, `low`, `high` and `trials`."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in (head, *rows)]).replace(
        "\n", "\n|" + "---|" * len(head) + "\n", 1
    )


def paragraphs(*parts: str) -> str:
    """Paragraphs, tables and headings with an empty line between them; empty ones are left out."""
    return "\n\n".join(part for part in parts if part)


def interval(share: Figures | None, digits: int = 2) -> str:
    """A value with its interval in brackets; a dash where nothing was measured."""
    if not share:
        return "-"
    value, low, high = (decimal(share[key], digits) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def bold_if(missed: bool, text: str) -> str:
    """Bold for what misses its target."""
    return f"**{text}**" if missed else text


def missed(share: Figures, target: float | None, at_most: bool = False) -> bool:
    """Whether a value is below its target, or with `at_most` above it."""
    if target is None:
        return False
    return bool(share["value"] > target if at_most else share["value"] < target)


def figure(study: str, alt: str) -> str:
    """A study's figure, light or dark as the reader's browser asks for it. `alt` says what is drawn; it has no quotation marks."""
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{study}-dark.png">'
        f'<img src="{study}.png" alt="{alt}"></picture>'
    )


def duration(seconds: float) -> str:
    """Seconds below two minutes, else minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def span(numbers: Iterable[float], digits: int = 2) -> str:
    """The lowest and the highest number; one of them where both read the same."""
    every = list(numbers)
    ends = [decimal(end, digits) for end in (min(every), max(every))]
    return " to ".join(dict.fromkeys(ends))


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def quoted(names: Sequence[str]) -> str:
    """Names as a list in a sentence, each in quotation marks."""
    return listed([f'"{name}"' for name in names])


def command(figures: Figures, sizes: str, options: str = "") -> str:
    """The command that wrote a study's figures, its sizes and how long it took."""
    call = f"python -m mmsteer study {figures['study']} --seed {figures['seed']}{options}"
    return f"`{call}` ({sizes}; {duration(figures['seconds'])})."
