"""What every study ends with: a table a person reads, the same rows as JSON, and intervals for proportions."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

COLOURS = {"vision": "#2a78b5", "language": "#e08214", "cross": "#1b9e77", "grey": "#9a9a9a"}
"""Of each modality in figures; grey is what they are compared with."""


class Share(NamedTuple):
    """A figure with its interval: 95 %, of a proportion by Wilson (1927) or by bootstrap; or the range over seeds."""

    value: float
    low: float
    high: float
    trials: int
    """How many it rests on (pairs, features, seeds); with 0 the value is NaN."""

    def __str__(self) -> str:
        return "-" if not self.trials else f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(hits: int, count: int) -> Share:
    """`hits` of `count` as a proportion with its Wilson interval."""
    if not count:
        return Share(math.nan, 0.0, 1.0, 0)
    z, p = 1.96, hits / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return Share(p, max(0.0, middle - half), min(1.0, middle + half), count)


def mean_with_interval(values: Sequence[float], resamples: int = 2000) -> Share:
    """The mean with its 95 % interval by bootstrap over the values; without any, a Share of no trials."""
    import numpy as np

    if not values:
        return share(0, 0)
    some = np.array(values)
    means = some[np.random.default_rng(0).integers(0, len(some), (resamples, len(some)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Share(float(some.mean()), float(low), float(high), len(some))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of the same keys as aligned text."""
    if not rows:
        return "(no rows)"
    cells = [list(rows[0])] + [[_cell(v) for v in row.values()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def save_strips(strips: "Sequence[tuple[str, torch.Tensor]]", path: Path) -> None:
    """Write a sheet: rows of pictures `uint8 [B, 3, S, S]`, each row's title at its left."""
    from PIL import Image, ImageDraw, ImageFont

    count, side = len(strips[0][1]), strips[0][1].shape[-1]
    left = int(0.9 * side)
    sheet = Image.new("RGB", (left + side * count, side * len(strips)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(side / 8)
    for row, (title, strip) in enumerate(strips):
        pen.multiline_text((side // 12, side * row + side // 2), title, "black", font, anchor="lm")
        for column, picture in enumerate(strip):
            sheet.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (left + side * column, side * row))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=90)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write the figures; a Share becomes an object of its fields. Beside the file first, then in its place."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(_plain(figures), indent=1) + "\n")
    os.replace(partial, path)


def _plain(value: Any) -> Any:
    if isinstance(value, Share):
        return value._asdict() if value.trials else None
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
