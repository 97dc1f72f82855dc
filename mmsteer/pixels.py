"""Pictures between Pillow and torch, smaller, and as small files."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from PIL import Image


def to_picture(pixels: "torch.Tensor") -> "Image.Image":
    """Pixels `uint8 [3, H, W]` as an RGB picture."""
    from PIL import Image

    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def to_pixels(picture: "Image.Image") -> "torch.Tensor":
    """An RGB picture as pixels `uint8 [3, H, W]`."""
    import numpy as np
    import torch

    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def shrunk(picture: "Image.Image", side: int) -> "Image.Image":
    """A picture with at most so many pixels a side, in its own proportions; one that is smaller stays as it is."""
    from PIL import Image

    scale = side / max(picture.size)
    size = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(size, Image.Resampling.LANCZOS) if scale < 1 else picture


def save_webp(picture: "Image.Image", path: Path, quality: int) -> None:
    """Write a WebP file, as small as it gets at a quality of 0 to 100."""
    picture.save(path, "WEBP", quality=quality, method=6)
