"""Windows of pictures on the grid of latent cells: where they lie, their pixels, and which of these their latents determine."""

import numpy as np
import torch

from mmsteer.world.factors import INDEX
from mmsteer.world.models.autoencoder import CELL

_BORDER = 24  # pixels along an edge inside the picture that depend on cells beyond the window


def windows(rng: np.random.Generator, values: np.ndarray, cells: int, side: int) -> np.ndarray:
    """Choose windows: two thirds of them around the sprite, the others anywhere.

    Args:
        rng: Draws them.
        values: Factors of the scenes, `int64 [B, n_factors]`.
        cells: Cells a side of a picture.
        side: Cells a side of a window.

    Returns:
        Upper left corners (x, y) in cells, `int64 [2, B]`.
    """
    count, room = len(values), cells - side
    across = 4.5 + 3.5 * values[:, INDEX["position"]]  # middle of the sprite, in cells of a picture 16 wide
    down = 9 - 0.5 * values[:, INDEX["size"]]
    near = np.rint(np.stack([across, down]) * (cells / 16) - side / 2 + rng.integers(-2, 3, (2, count)))
    sprite = rng.random(count) < 2 / 3
    return np.where(sprite, near.clip(0, room), rng.integers(0, room + 1, (2, count))).astype(np.int64)


def cut(pictures: torch.Tensor, corners: torch.Tensor, side: int) -> torch.Tensor:
    """Windows `[B, C, side, side]` of `pictures [B, C, H, W]` with upper left corners (x, y) `int64 [2, B]`."""
    span = torch.arange(side, device=pictures.device)
    x, y = (corners[:, :, None] + span).unbind()
    row = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return pictures.permute(0, 2, 3, 1)[row, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def decodable(corners: torch.Tensor, cells: int, side: int, cell: int = CELL) -> torch.Tensor:
    """Mask of the pixels that a window's own latents determine: all but a border at edges inside the picture.

    Args:
        corners: Upper left corners (x, y) in cells, `int64 [2, B]`.
        cells: Cells a side of a picture.
        side: Cells a side of a window.
        cell: Pixels a side of a cell.

    Returns:
        1 or 0, `float32 [B, 1, side * cell, side * cell]`.
    """
    at = torch.arange(side * cell, device=corners.device)
    before, after = (corners[..., None] > 0), (corners[..., None] + side < cells)
    inside = ~((before & (at < _BORDER)) | (after & (at >= side * cell - _BORDER)))
    across, down = inside.float().unbind()
    return (down[:, :, None] * across[:, None, :])[:, None]
