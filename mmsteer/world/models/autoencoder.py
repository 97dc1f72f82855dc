"""The world's autoencoder: an ordinary AutoencoderTiny, 16 times down, 16 latent channels.

`mmsteer.world.training.tasks.autoencoder` trains it; `growth.py` gives it a larger decoder.
"""

from dataclasses import dataclass
from typing import Any

CHANNELS = 16  # of a latent
CELL = 16  # pixels a side of what one latent stands for


@dataclass(frozen=True)
class Shape:
    """Widths and blocks of encoder and decoder; blocks a level, from full resolution down and from the latents up."""

    encoder_width: int = 40
    encoder_blocks: tuple[int, ...] = (0, 1, 1, 3, 3)
    decoder_width: int = 48
    decoder_blocks: tuple[int, ...] = (8, 10, 2, 0, 0)
    """Most blocks at low resolution, where they are cheap."""


def build_autoencoder(shape: Shape = Shape()) -> Any:  # noqa: B008 (frozen)
    """An untrained AutoencoderTiny of the world's shape."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        latent_channels=CHANNELS,
        encoder_block_out_channels=(shape.encoder_width,) * len(shape.encoder_blocks),
        decoder_block_out_channels=(shape.decoder_width,) * len(shape.decoder_blocks),
        num_encoder_blocks=shape.encoder_blocks,
        num_decoder_blocks=shape.decoder_blocks,
        scaling_factor=1.0,
    )
