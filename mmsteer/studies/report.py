"""How a study reports: a table that a person reads, the same rows as JSON, a sheet of pictures."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.pixels import to_picture
from mmsteer.studies.measures.shares import Share, decimal

if TYPE_CHECKING:
    import torch


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows with the same keys as aligned text, the keys above."""
    if not rows:
        return "(no rows)"
    cells = [list(rows[0])] + [[_cell(v) for v in row.values()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def _cell(value: Any) -> str:
    return decimal(value, 3) if isinstance(value, float) else str(value)


def save_strips(strips: "Sequence[tuple[str, torch.Tensor]]", path: Path) -> None:
    """Write a sheet of pictures.

    Args:
        strips: from top to bottom, the title at the left of a row and its pictures, `uint8 [B, 3, S, S]`.
        path: the file; its suffix decides the format.
    """
    from PIL import Image, ImageDraw, ImageFont

    count, side = len(strips[0][1]), strips[0][1].shape[-1]
    left = int(0.9 * side)
    sheet = Image.new("RGB", (left + side * count, side * len(strips)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(side / 8)
    for row, (title, strip) in enumerate(strips):
        pen.multiline_text((side // 12, side * row + side // 2), title, "black", font, anchor="lm")
        for column, picture in enumerate(strip):
            sheet.paste(to_picture(picture), (left + side * column, side * row))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=90)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write the figures; a Share becomes an object of its fields. A killed run leaves no half-written file."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(plain(figures), indent=1) + "\n")
    os.replace(partial, path)


def plain(value: Any) -> Any:
    """A value as JSON has it: a Share is an object, one of no trials and NaN are null, a tuple is a list."""
    if isinstance(value, Share):
        return value._asdict() if value.trials else None
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
