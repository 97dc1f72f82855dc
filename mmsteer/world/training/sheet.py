"""Contact sheets of sample pictures."""

from pathlib import Path

import torch

from mmsteer.world.pairs import to_uint8


def save_sheet(path: Path, pictures: torch.Tensor) -> None:
    """Write pictures `[rows, columns, 3, S, S]` in [-1, 1] as one PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns, _, side, _ = pictures.shape
    pixels = to_uint8(pictures.float().clamp(-1, 1).cpu() / 2 + 0.5).permute(0, 3, 1, 4, 2)
    Image.fromarray(pixels.reshape(rows * side, columns * side, 3).numpy()).save(path)
