"""Which safetensors files of a folder are its weights: unmarked ones, or those of a variant (`model.fp16.safetensors`). Pure: reads
names alone.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError

_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:-\d+-of-\d+)?(?:\.(?P<variant>\w+))?(?:-\d+-of-\d+)?\.safetensors"
)
_MOST_NAMES = 8  # of files, in a message


def by_variant(folder: Path) -> dict[str | None, list[Path]]:
    """The weights in a folder, in order, each under the variant in its name ("fp16"), or under None."""
    found: dict[str | None, list[Path]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        if name := _WEIGHTS.fullmatch(path.name):
            found.setdefault(name["variant"], []).append(path)
    return found


def part_folders(folder: Path, index: Mapping[str, Any]) -> list[Path]:
    """The folders of a pipeline's parts that have weights, by model_index.json, in order."""
    named = (path.parent for path in sorted(folder.glob("*/config.json")))
    return [part for part in named if index.get(part.name, [None])[0] is not None]


def only_variant(folders: Iterable[Path]) -> str | None:
    """What to load the parts of a checkpoint as: None where each has weights without a variant, else the variant that all others have.

    Args:
        folders: one a part.

    Raises:
        SteerError: a part holds no safetensors weights, or parts lack weights without having a variant in common.
    """
    parts = {folder: by_variant(folder) for folder in folders}
    for folder, found in parts.items():
        if not found:
            raise SteerError(f"{folder} holds {contents(folder)}, and no safetensors weights: {cure_of(folder)}")
    marked = {folder: {name for name in found if name} for folder, found in parts.items() if None not in found}
    if not marked:
        return None
    common = set.intersection(*marked.values())
    if not common:
        each = "; ".join(f"{folder.name}: {', '.join(sorted(names))}" for folder, names in marked.items())
        raise SteerError(f"parts of a checkpoint hold weights of different variants alone ({each}): fetch one variant")
    return min(common)


def weights_of(folder: Path, variant: str | None) -> list[Path]:
    """The weights of a part that is loaded as a variant: a part without it has them unmarked."""
    found = by_variant(folder)
    return found.get(variant) or found[None]


def contents(folder: Path) -> str:
    """What a folder holds, in words."""
    names = sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir()) if folder.is_dir() else []
    more = len(names) - _MOST_NAMES
    return (", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")) or "nothing"


def cure_of(folder: Path) -> str:
    """What to do for a folder without safetensors weights."""
    if folder.is_dir() and any(path.suffix in (".bin", ".ckpt", ".pt", ".pth") for path in folder.iterdir()):
        return (
            "a .bin is a pickle, which could hold code, and mmsteer does not read it; fetch the same model with .safetensors, or convert "
            "it where you trust it: load it, then `save_pretrained(folder, safe_serialization=True)`"
        )
    return "fetch it again"
