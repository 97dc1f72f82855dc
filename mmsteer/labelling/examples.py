"""Pictures of the scoring pairs, read once more: their measured properties, and example sheets for each feature."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mmsteer.data.pairs import Pairs
from mmsteer.labelling.naming.picture_properties import PROPERTIES, SIDE, measure
from mmsteer.pixels import to_pixels

THUMBNAIL = 56  # pixels a side
EXAMPLES = 9  # on one sheet
_BATCH = 64  # pictures measured at once


def read_pictures(source: Pairs, numbers: Sequence[int]) -> tuple[np.ndarray, list[Image.Image]]:
    """Measure pictures in one pass over their source, and make thumbnails; no larger picture stays in memory.

    Args:
        source: where the pictures are.
        numbers: which ones, ascending; one comes again for each further caption.

    Returns:
        Properties `[N, n_properties]`, and N thumbnails.
    """
    thumbnails: list[Image.Image] = []
    _, where = np.unique(np.asarray(numbers, np.int64), return_inverse=True)
    properties, waiting = [torch.zeros(0, len(PROPERTIES))], []
    for _, picture in source.pictures(numbers):
        thumbnails.append(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS))
        if picture.size != (SIDE, SIDE):
            picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        waiting.append(to_pixels(picture))
        if len(waiting) == _BATCH:
            properties.append(measure(torch.stack(waiting)))
            waiting = []
    if waiting:
        properties.append(measure(torch.stack(waiting)))
    return torch.cat(properties).numpy()[where], [thumbnails[k] for k in where]


def write_examples(folder: Path, thumbnails: Sequence[Image.Image], top_pairs: dict[int, list[int]]) -> None:
    """Write an example sheet for each feature: the pictures on which it fires most, strongest first, side by side.

    Args:
        folder: gets `<feature id>.webp` for each feature. Sheets already in it are deleted.
        thumbnails: of all pairs.
        top_pairs: for each feature id, rows of `thumbnails`.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for feature, rows in top_pairs.items():
        sheet = Image.new("RGB", (THUMBNAIL * EXAMPLES, THUMBNAIL))
        for k, row in enumerate(rows[:EXAMPLES]):
            sheet.paste(thumbnails[row], (k * THUMBNAIL, 0))
        sheet.save(partial / f"{feature}.webp", quality=88)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
