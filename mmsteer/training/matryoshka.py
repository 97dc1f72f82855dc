"""Levels of dictionaries as they are written, `LATENTS:K,LATENTS:K`, and which are taken where none are."""

import argparse
from typing import TYPE_CHECKING

from mmsteer.errors import SteerError

if TYPE_CHECKING:
    from mmsteer.training.trainer import Level


def read_levels(text: str) -> "tuple[Level, ...]":
    """Levels as they are written; SteerError for what cannot be read or be."""
    from mmsteer.training.trainer import Level, TrainConfig

    try:
        levels = tuple(Level(*(int(n) for n in part.split(":"))) for part in text.split(","))
    except (ValueError, TypeError):
        raise SteerError(
            f"cannot read the levels {text!r}: write LATENTS:K,LATENTS:K, for example 24:5,128:3"
        ) from None
    return TrainConfig(levels).levels


def write_levels(levels: "tuple[Level, ...]") -> str:
    """The other way round."""
    return ",".join(f"{level.latents}:{level.k}" for level in levels)


def chosen_levels(args: argparse.Namespace, width: int, pairs: int, known: bool) -> tuple[str, str]:
    """Levels of both dictionaries: as asked for, else those of the world where factors are `known`, else by width and pairs."""
    from mmsteer.training.objectives import Size

    size = Size()
    image, text = (write_levels(size.image), write_levels(size.text)) if known else default_levels(width, pairs)
    return args.image or image, args.text or text


def default_levels(width: int, pairs: int) -> tuple[str, str]:
    """Levels of both dictionaries where nothing is known of the pairs: 8 latents for each coordinate, 32 of them at once, fewer
    where pairs are few. A sixteenth of them is the coarse level.
    """
    latents = max(16, min(8 * width, pairs // 8))
    coarse = max(4, latents // 16)
    levels = f"{coarse}:{min(8, max(1, coarse // 2))},{latents - coarse}:{min(24, latents // 8)}"
    return levels, levels
