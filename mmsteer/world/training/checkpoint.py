"""What a training run keeps on disk, so that a kill at any moment costs a minute at most.

Safetensors and nothing else. Everything is written beside its place first, then renamed.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from mmsteer.errors import SteerError, first_line


class Progress(NamedTuple):
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    """of work, all runs together"""


def save(
    path: Path, progress: Progress, model: nn.Module, optimizers: list[Any], average: dict[str, torch.Tensor]
) -> None:
    """Write one checkpoint in place of the last."""
    from safetensors.torch import save_file

    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in average.items()}
    for n, optimizer in enumerate(optimizers):
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{n}.{i}.{key}": torch.as_tensor(value) for key, value in state.items()}
    alone = {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
    partial = path.with_suffix(".partial")
    save_file(alone, partial, metadata={"step": str(progress.step), "seconds": repr(progress.seconds)})
    os.replace(partial, path)


def load(path: Path, model: nn.Module, optimizers: list[Any], average: dict[str, torch.Tensor]) -> Progress:
    """Put a checkpoint back in place; without one, nothing is done. SteerError if it is damaged or of another model."""
    from safetensors import safe_open

    if not path.is_file():
        return Progress()
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        model.load_state_dict({key[6:]: value for key, value in tensors.items() if key.startswith("model.")})
        for key, value in average.items():
            value.copy_(tensors[f"average.{key}"])
        for n, optimizer in enumerate(optimizers):
            states: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer.{n}."):
                    i, name = key.split(".", 3)[2:]
                    states.setdefault(int(i), {})[name] = value
            optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
        return Progress(int(metadata["step"]), float(metadata["seconds"]))
    except Exception as error:
        raise SteerError(
            f"cannot go on from the checkpoint {path} ({first_line(error)}): remove it to begin again, or give --work "
            "another folder"
        ) from error


def replace_folder(folder: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a folder beside `folder`, then put it in its place."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
