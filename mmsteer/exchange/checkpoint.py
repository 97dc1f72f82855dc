"""A dictionary as another library saved it: settings in JSON, and tensors by name. No code in a file is ever run."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmsteer.errors import SteerError, first_line

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A folder's settings and tensors."""

    folder: Path
    settings: dict[str, Any]
    tensors: Tensors

    @classmethod
    def load(cls, folder: Path, settings: str, weights: str) -> "Checkpoint":
        """Read two files of a folder; SteerError if one is damaged or contains anything but settings or weights."""
        return cls(folder, _read_json(folder / settings), _read_tensors(folder / weights))

    def get(self, *names: str) -> list[torch.Tensor]:
        """Tensors by name, as float32; SteerError lists the missing ones."""
        missing = [name for name in names if name not in self.tensors]
        if missing:
            present = ", ".join(sorted(self.tensors)) or "nothing"
            raise SteerError(f"{self.folder}: the weights lack {', '.join(missing)}; they contain {present}")
        return [self.tensors[name].float() for name in names]

    def integer(self, name: str, value: Any) -> int:
        """A setting's value, which must be an integer."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise SteerError(f"{self.folder}: the setting {name} is {value!r}, not an integer")
        return value

    def unsupported(self, what: str, supported: str) -> SteerError:
        """The error for a kind of dictionary that has no normal form here."""
        return SteerError(f"{self.folder} {what}, which mmsteer cannot read: it reads {supported}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SteerError(f"cannot read {path}: {error}. Fetch the folder again") from None
    if not isinstance(settings, dict):
        raise SteerError(f"{path} contains no settings but {type(settings).__name__}: fetch the folder again")
    return settings


def _read_tensors(path: Path) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # only weights are read from a pickle: no code in it runs
        tensors = torch.load(path, "cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise SteerError(
            f"cannot read {path}: {first_line(error)}. It must contain only weights; fetch it again"
        ) from None
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise SteerError(f"{path} does not contain weights by name: give the file that its library saved")
    return tensors
