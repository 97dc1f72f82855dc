"""A dictionary as another library saved it: settings in JSON, and tensors by name. No code in a file is ever run."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmsteer.errors import SteerError, first_line, quoted

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A dictionary's settings and tensors."""

    folder: Path
    settings: dict[str, Any]
    tensors: Tensors

    @classmethod
    def load(cls, folder: Path, settings: str, weights: str) -> "Checkpoint":
        """Read two files of a folder; SteerError if one is damaged or contains anything but settings or weights."""
        return cls(folder, _read_json(folder / settings), as_tensors(read_weights(folder / weights), folder / weights))

    def get(self, *names: str) -> list[torch.Tensor]:
        """Tensors by name, as float32; SteerError lists the missing ones."""
        missing = [name for name in names if name not in self.tensors]
        if missing:
            present = ", ".join(sorted(self.tensors)) or "nothing"
            raise SteerError(f"{self.folder}: the weights lack {', '.join(missing)}; they contain {present[:300]}")
        return [self.tensors[name].float() for name in names]

    def section(self, name: str) -> dict[str, Any]:
        """The settings under a key; none where there is nothing, or null."""
        value = self.settings.get(name)
        if value is not None and not isinstance(value, dict):
            raise SteerError(f"{self.folder}: the setting {name} is {quoted(value)}, not an object")
        return value or {}

    def integer(self, name: str, value: Any) -> int:
        """A setting's value, which must be an integer."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise SteerError(f"{self.folder}: the setting {name} is {quoted(value)}, not an integer")
        return value

    def unsupported(self, what: str, supported: str) -> SteerError:
        """The error for a kind of dictionary that has no normal form here."""
        return SteerError(f"{self.folder} {what}, which mmsteer cannot read: it reads {supported}")

    def signed(self, what: str) -> SteerError:
        """The error for a dictionary whose latents can be negative."""
        return SteerError(
            f"{self.folder} {what}: its codes can be negative, and the Modality Dominance Score compares how strongly "
            "pictures and captions fire, which needs codes that are not. Give a dictionary with a ReLU"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SteerError(f"cannot read {path}: {first_line(error)}. Fetch the folder again") from None
    if not isinstance(settings, dict):
        raise SteerError(f"{path} contains no settings but {type(settings).__name__}: fetch the folder again")
    return settings


def read_weights(path: Path) -> Any:
    """The content of a weights file, safetensors or what `torch.save` wrote; SteerError for anything but weights and numbers.

    Of a pickle only weights are read, and floating-point numbers of numpy, by stand-ins for its classes: no code in it runs.
    """
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file makes a library raise
        raise SteerError(
            f"cannot read {path}: {first_line(error)[:200]}. It must contain only weights; fetch it again"
        ) from None


def as_tensors(content: Any, path: Path) -> Tensors:
    """What a file contains, as tensors by name; SteerError if it is anything else, or a tensor that lies about its size."""
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise SteerError(f"{path} does not contain weights by name: give the file that its library saved")
    for name, value in content.items():
        plain = value.layout == torch.strided and not value.is_quantized and not value.is_complex()
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise SteerError(
                f"{path}: {name} is no plain tensor with all of its {value.numel():,} values: fetch it again"
            )
    return content


class _Ignored:
    """Stands for `numpy.dtype` in a pickle."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _number(dtype: Any, data: bytes) -> float:
    """Stands for `numpy.core.multiarray.scalar` in a pickle: a number of eight bytes."""
    return float(struct.unpack("<d", data)[0])


_STAND_INS: list[Any] = [
    (_Ignored, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
]
