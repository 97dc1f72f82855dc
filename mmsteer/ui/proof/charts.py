"""Bars in the page's own colours, light and dark, as HTML whose numbers can be read without seeing them."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple


class Bar(NamedTuple):
    """One bar."""

    label: str
    share: dict[str, float]
    """`value`, `low` and `high`, from 0 to 1: a measurement and its 95 % interval."""
    kind: str = "other"
    """A modality, which colours it; `other` is what features are compared with."""


def bars(rows: Sequence[Bar], title: str) -> str:
    """Horizontal bars from 0 to 100 %, each with its interval and its number."""
    return f'<div class="mm-bars" role="table" aria-label="{escape(title)}">{"".join(map(_bar, rows))}</div>'


def percent(share: dict[str, float] | float) -> str:
    """A share in words: 98 %; below one in a hundred with a decimal."""
    value: Any = share["value"] if isinstance(share, dict) else share
    return f"{100 * value:z.1f} %" if 0 < abs(value) < 0.01 else f"{100 * value:.0f} %"


def _bar(row: Bar) -> str:
    low, high = (100 * min(1.0, max(0.0, row.share[end])) for end in ("low", "high"))
    width = 100 * max(0.0, row.share["value"])
    drawn = (
        f'<span class="mm-bar-line" aria-hidden="true"><b class="mm-fill-{row.kind}" style="width:{width:.1f}%"></b>'
        f'<i style="left:{low:.1f}%;width:{high - low:.1f}%"></i></span>'
    )
    interval = f"95 % interval {percent(row.share['low'])} to {percent(row.share['high'])}"
    return (
        f'<div role="row" title="{interval}"><span role="rowheader">{escape(row.label)}</span>'
        f'<span role="cell">{drawn}{percent(row.share)}</span></div>'
    )
