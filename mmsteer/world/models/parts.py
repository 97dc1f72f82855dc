"""Reads the world's models from folders in stock layouts, in float32 for training; and replaces such folders in one move.

Knows no run and no stage: where a run looks for models is in `mmsteer.world.training.trained`.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from mmsteer.errors import SteerError, first_line

T = TypeVar("T")


def _read(what: str, folder: Path, load: Callable[[], T]) -> T:
    if not folder.is_dir():
        raise SteerError(f"there is no folder {folder} with the {what}: name another, or train it first")
    try:
        return load()
    except Exception as error:
        raise SteerError(
            f"cannot read the {what} in {folder} ({first_line(error)}): restore the folder, or train it again"
        ) from error


def read_clip(folder: Path) -> tuple[Any, Any]:
    """A CLIPModel and its CLIPTokenizer. SteerError if the folder is missing or damaged."""
    from transformers import CLIPModel, CLIPTokenizer

    def load() -> tuple[Any, Any]:
        clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        return clip, CLIPTokenizer.from_pretrained(folder, local_files_only=True)

    return _read("CLIP", folder, load)


def read_autoencoder(folder: Path) -> Any:
    """An AutoencoderTiny. SteerError if the folder is missing or damaged."""
    from diffusers import AutoencoderTiny

    def load() -> Any:
        return AutoencoderTiny.from_pretrained(folder, local_files_only=True, dtype=torch.float32)

    return _read("autoencoder", folder, load)


def read_unet(folder: Path) -> Any:
    """A UNet2DConditionModel, in one file or in shards. SteerError if the folder is missing or damaged."""
    from diffusers import UNet2DConditionModel

    def load() -> Any:
        return UNet2DConditionModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)

    return _read("unet", folder, load)


def replace_folder(folder: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a folder beside `folder`, then move it into the place of `folder`."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
