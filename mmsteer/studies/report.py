"""How a study reports: a table that a person reads, the same rows as JSON, a sheet of pictures."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.studies.measures.shares import Share

if TYPE_CHECKING:
    import torch

COLOURS = {"vision": "#9a3412", "language": "#5b21b6", "cross": "#0f5f63", "grey": "#9a9a9a"}
"""Of each modality in figures, those of the page; grey is what they are compared with."""


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows with the same keys as aligned text, the keys above."""
    if not rows:
        return "(no rows)"
    cells = [list(rows[0])] + [[_cell(v) for v in row.values()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def _cell(value: Any) -> str:
    return f"{value:z.3f}" if isinstance(value, float) else str(value)


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
            sheet.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (left + side * column, side * row))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=90)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write the figures; a Share becomes an object of its fields. A killed run leaves no half-written file."""
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
