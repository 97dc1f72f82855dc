"""Matryoshka groups as users write them, `LATENTS:K,LATENTS:K`, and the defaults where they write none."""

import argparse

from mmsteer.errors import SteerError
from mmsteer.training.config import DictionaryConfig, DictionarySizes, MatryoshkaGroup


def parse_groups(text: str) -> tuple[MatryoshkaGroup, ...]:
    """Read groups such as `24:5,128:3`. SteerError if the text is no such list, or a K is not between 1 and its LATENTS."""
    try:
        groups = tuple(MatryoshkaGroup(*(int(n) for n in part.split(":"))) for part in text.split(","))
    except (ValueError, TypeError):
        raise SteerError(
            f"cannot read the Matryoshka groups {text!r}: write LATENTS:K,LATENTS:K, for example 24:5,128:3"
        ) from None
    return DictionaryConfig(groups).groups


def format_groups(groups: tuple[MatryoshkaGroup, ...]) -> str:
    """The inverse of `parse_groups`."""
    return ",".join(f"{group.latents}:{group.k}" for group in groups)


def choose_groups(args: argparse.Namespace, width: int, pairs: int, known: bool) -> tuple[str, str]:
    """Choose the groups of both dictionaries.

    Args:
        args: `args.image` and `args.text` are what the user asked for, or None.
        width: coordinates of the joint space.
        pairs: how many pairs there are to train on.
        known: whether the pairs come with known factors, as those of the embedded world do.

    Returns:
        Groups of the image and of the text dictionary, as text. Where the user asked for none: those of the embedded
        world if factors are known, else `default_groups`.
    """
    sizes = DictionarySizes()
    image, text = (format_groups(sizes.image), format_groups(sizes.text)) if known else default_groups(width, pairs)
    return args.image or image, args.text or text


def default_groups(width: int, pairs: int) -> tuple[str, str]:
    """Groups of both dictionaries for pairs of which nothing is known.

    There are 8 latents for each of `width` coordinates, at most one for 8 `pairs`, and up to 32 fire at once. A sixteenth
    of them is the coarse group.
    """
    latents = max(16, min(8 * width, pairs // 8))
    coarse = max(4, latents // 16)
    groups = f"{coarse}:{min(8, max(1, coarse // 2))},{latents - coarse}:{min(24, latents // 8)}"
    return groups, groups
