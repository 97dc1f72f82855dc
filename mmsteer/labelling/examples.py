"""Pictures looked at again, once features are known: what is measured of them, and sheets of those on which each fires most."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mmsteer.data.pairs import Pairs
from mmsteer.labelling.picture_properties import PROPERTIES, SIDE, measure

TILE, TILES = 56, 9
_TOGETHER = 64  # pictures measured at once


def look_again(source: Pairs, numbers: Sequence[int]) -> tuple[np.ndarray, list[Image.Image]]:
    """Of the pictures of some items, in ascending order: their properties `[N, n_properties]`, and small copies.

    One pass over the source; no picture is kept larger than a tile.
    """
    tiles: list[Image.Image] = []
    found, waiting = [torch.zeros(0, len(PROPERTIES))], []
    for _, picture in source.pictures(numbers):
        tiles.append(picture.resize((TILE, TILE), Image.Resampling.LANCZOS))
        whole = picture if picture.size == (SIDE, SIDE) else picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        waiting.append(torch.from_numpy(np.array(whole)).permute(2, 0, 1))
        if len(waiting) == _TOGETHER:
            found.append(measure(torch.stack(waiting)))
            waiting = []
    if waiting:
        found.append(measure(torch.stack(waiting)))
    return torch.cat(found).numpy(), tiles


def write_examples(folder: Path, tiles: Sequence[Image.Image], top: dict[int, list[int]]) -> None:
    """Write `folder/<feature id>.webp`: the tiles of each feature's pairs, strongest first, nine side by side. Sheets of an
    older bank go.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for feature, rows in top.items():
        sheet = Image.new("RGB", (TILE * TILES, TILE))
        for k, row in enumerate(rows[:TILES]):
            sheet.paste(tiles[row], (k * TILE, 0))
        sheet.save(folder / f"{feature}.webp", quality=88)
