"""The world's models read from folders in stock layouts, ready to train on or to be trained on with: in float32."""

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
            f"cannot read the {what} in {folder} ({first_line(error)}): restore the folder, or train it anew"
        ) from error


def read_clip(folder: Path) -> tuple[Any, Any]:
    """A CLIPModel and its tokenizer."""
    from transformers import CLIPModel, CLIPTokenizer

    def load() -> tuple[Any, Any]:
        clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        return clip, CLIPTokenizer.from_pretrained(folder, local_files_only=True)

    return _read("CLIP", folder, load)


def read_autoencoder(folder: Path) -> Any:
    """An AutoencoderTiny."""
    from diffusers import AutoencoderTiny

    def load() -> Any:
        return AutoencoderTiny.from_pretrained(folder, local_files_only=True, dtype=torch.float32)

    return _read("autoencoder", folder, load)


def read_unet(folder: Path) -> Any:
    """A UNet2DConditionModel, in one file or in shards."""
    from diffusers import UNet2DConditionModel

    def load() -> Any:
        return UNet2DConditionModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)

    return _read("unet", folder, load)


class Parts:
    """Where trained models are looked for: what was trained here first, then what a run starts from."""

    def __init__(self, trained: Path, start: Path | None) -> None:
        if start is not None and not start.is_dir():
            raise SteerError(f"--from {start}: there is no such folder; the shipped models are in assets/mini")
        self.trained, self.start = trained, start

    def needed(self, name: str) -> Path:
        """The folder of a model that a stage cannot do without; SteerError names where it is missing."""
        places = [folder / name for folder in (self.trained, self.start) if folder is not None]
        for place in places:
            if place.is_dir():
                return place
        raise SteerError(
            f"there is no {name} in {' or '.join(str(place.parent) for place in places)}: train it first, or name a folder "
            "that has it with --from"
        )

    def begun(self, *names: str) -> Path | None:
        """The folder a stage's own model starts from: the first of `names` there is in `--from`; None without `--from`."""
        if self.start is None:
            return None
        for name in names:
            if (self.start / name).is_dir():
                return self.start / name
        raise SteerError(
            f"--from {self.start} has no {' or '.join(names)}: name a folder that has, for example assets/mini"
        )

    def own(self, name: str) -> Path | None:
        """The folder of a model in `--from`, if there is one: a stage of its own may also start from random weights."""
        return self.start / name if self.start is not None and (self.start / name).is_dir() else None
