"""Checkpoints of a training run, in safetensors: a run that is killed at any moment loses about a minute.

A checkpoint is written beside its place, then renamed.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from mmsteer.errors import SteerError, first_line


class Progress(NamedTuple):
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    """Seconds of training, over all resumptions."""


def save(
    path: Path, progress: Progress, model: nn.Module, optimizers: list[Any], average: dict[str, torch.Tensor]
) -> None:
    """Write a checkpoint in place of the last one.

    Args:
        path: Its file.
        progress: How far the run is.
        model: The model in training.
        optimizers: What trains it.
        average: Running averages of its weights, by name.
    """
    from safetensors.torch import save_file

    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in average.items()}
    for n, optimizer in enumerate(optimizers):
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{n}.{i}.{key}": torch.as_tensor(value) for key, value in state.items()}
    separate = {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
    partial = path.with_suffix(".partial")
    save_file(separate, partial, metadata={"step": str(progress.step), "seconds": repr(progress.seconds)})
    os.replace(partial, path)


def load(path: Path, model: nn.Module, optimizers: list[Any], average: dict[str, torch.Tensor]) -> Progress:
    """Load a checkpoint into model, optimizers and average, in place; without a file do nothing.

    Arguments are those of `save`. SteerError if the checkpoint is damaged or belongs to another model.
    """
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
            f"cannot resume from the checkpoint {path} ({first_line(error)}): remove it to start again, or give --work "
            "another folder"
        ) from error
