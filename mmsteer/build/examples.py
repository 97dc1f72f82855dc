"""Example sheets: the pictures on which each feature fires most, nine small ones side by side."""

from pathlib import Path

from PIL import Image

from mmsteer.world.pairs import WorldPairs

TILE, TILES = 56, 9


def write_examples(folder: Path, pairs: WorldPairs, top: dict[int, list[int]]) -> None:
    """Write `folder/<feature id>.webp` for each feature's pairs, strongest first."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = pairs.pictures(sorted({i for rows in top.values() for i in rows}))
    for feature, rows in top.items():
        sheet = Image.new("RGB", (TILE * TILES, TILE))
        for k, i in enumerate(rows[:TILES]):
            sheet.paste(pictures[i].resize((TILE, TILE), Image.Resampling.LANCZOS), (k * TILE, 0))
        sheet.save(folder / f"{feature}.webp", quality=88)
