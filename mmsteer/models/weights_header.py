"""The header of a safetensors file: which tensors are in it, and where. Needs neither torch nor numpy, and allocates no weights.

The only reader of headers of files that strangers made; everything that asks for shapes before it loads asks here.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmsteer.errors import SteerError

Shapes = dict[str, tuple[int, ...]]
"""The shape of each tensor of a file, by name."""
_LONGEST = 100_000_000  # bytes of a header, as the library itself allows
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


class Tensor(NamedTuple):
    """What a header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    """Of its bytes, counted from the end of the header."""
    stop: int


class Header(NamedTuple):
    """What a file says of its tensors."""

    text: bytes
    """As it stands in the file: JSON."""
    tensors: dict[str, Tensor]
    """By name, in the order of the header."""

    @property
    def end(self) -> int:
        """Where the header ends, and the tensors' bytes begin."""
        return 8 + len(self.text)

    @property
    def shapes(self) -> Shapes:
        """The shape of each tensor."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}


def read_header(path: Path) -> Header:
    """The header of a whole file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no safetensors file, or shorter or longer than its header says; the message says what is wrong.
    """
    with path.open("rb") as file:
        length, size = int.from_bytes(file.read(8), "little"), path.stat().st_size
        if length > min(_LONGEST, size):
            raise ValueError(f"a header of {length:,} bytes")
        text = file.read(length)
    try:
        entries = json.loads(text)
        entries.pop("__metadata__", None)
        header = Header(text, {name: _tensor(entry) for name, entry in entries.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {str(error)[:80]}") from None
    needed = header.end + max((tensor.stop for tensor in header.tensors.values()), default=0)
    if size != needed:
        raise ValueError(f"{size:,} bytes, and its header speaks of {needed:,}")
    return header


def shapes_in(path: Path) -> Shapes:
    """The shape of each tensor in a file of floating-point numbers.

    Raises:
        SteerError: The file is missing, is no whole safetensors file, or has other than floating-point numbers.
    """
    try:
        header = read_header(path)
        for name, tensor in header.tensors.items():
            if tensor.dtype not in _BYTES:
                raise ValueError(f"{name[:80]} is of {tensor.dtype[:80]}, not of floating-point numbers")
            if tensor.stop - tensor.start != math.prod(tensor.shape) * _BYTES[tensor.dtype]:
                raise ValueError("a tensor that is shorter or longer than its shape")
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise SteerError(f"{path} is no whole safetensors file ({error})") from None
    return header.shapes


def check_shapes(path: Path, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """SteerError for the first tensor of a file that is missing or has not the shape that it should."""
    for name, shape in wanted.items():
        if name not in found:
            raise SteerError(f"{path} lacks {name} {list(shape)}; it has {', '.join(sorted(found))[:200] or 'nothing'}")
        if found[name] != shape:
            raise SteerError(f"{path}: {name} is {list(found[name])}, not {list(shape)}")


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    """A tensor's entry; ValueError, TypeError or KeyError for one that makes no sense."""
    shape, (start, stop) = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("a shape that is none")
    if type(start) is not int or type(stop) is not int or not 0 <= start <= stop:
        raise ValueError("a tensor that is nowhere")
    return Tensor(str(entry["dtype"]), tuple(shape), start, stop)
