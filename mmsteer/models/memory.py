"""How much memory a checkpoint takes, read off its files; no weight is loaded."""

import json
import math
from pathlib import Path
from typing import NamedTuple

from mmsteer.errors import SteerError, first_line
from mmsteer.models.loading.single_file import shapes_of
from mmsteer.models.loading.weight_files import only_variant, part_folders, weights_of

_LATENTS = 128
"""Latents a side, where a configuration does not say: FLUX.1's, which diffusers takes too."""


class Needed(NamedTuple):
    """What drawing a picture takes, in numbers to be in memory at once: 2 bytes each in half precision, 4 in float32."""

    weights: int
    """Of all parts, as their files have them."""
    drawing: int
    """Of the picture while it is decoded, where it takes most."""
    size: int
    """Pixels a side."""


def memory_needed(folder: Path, size: int | None = None, file: Path | None = None) -> Needed:
    """What a checkpoint takes, by the headers of its safetensors and its configurations.

    The decoder's last block holds tensors of its first two widths at full size; four of them are counted as alive at once.

    Args:
        folder: as diffusers saved it; of a single file, the folder of its configuration.
        size: pixels a side; None takes what the denoiser was configured for.
        file: the one file that holds all weights, if it is one.

    Raises:
        SteerError: a part has no weights, or a file is damaged.
    """
    try:
        index = json.loads((folder / "model_index.json").read_text())
        denoiser = "transformer" if "transformer" in index else "unet"
        vae, drawn = (json.loads((folder / part / "config.json").read_text()) for part in ("vae", denoiser))
        widths = vae.get("decoder_block_out_channels") or vae["block_out_channels"]
        size = size or drawn.get("sample_size", _LATENTS) * 2 ** (len(widths) - 1)
        drawing = 4 * max(widths[:2]) * size**2
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SteerError(f"{folder} is not complete ({first_line(error)}): fetch it again") from None
    if file is not None:
        return Needed(_numbers(file), drawing, size)
    parts = part_folders(folder, index)
    variant = only_variant(parts)
    weights = sum(_numbers(path) for part in parts for path in weights_of(part, variant))
    return Needed(weights, drawing, size)


def _numbers(file: Path) -> int:
    """How many numbers a safetensors file holds."""
    return sum(map(math.prod, shapes_of(file).values()))
