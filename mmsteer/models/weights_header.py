"""The shapes of the tensors in a safetensors file, from its header alone. Needs neither torch nor numpy, and allocates no weights."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError

Shapes = dict[str, tuple[int, ...]]
"""The shape of each tensor of a file, by name."""
_LONGEST = 100_000_000  # bytes of a header, as the library itself allows
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def shapes_in(path: Path) -> Shapes:
    """The shape of each tensor.

    Raises:
        SteerError: The file is missing, is no safetensors file, has other than floating-point numbers, or is shorter than its
            header says.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LONGEST:
                raise ValueError(f"a header of {length:,} bytes")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        shapes = {name: _shape(entry) for name, entry in header.items()}
        needed = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if path.stat().st_size != needed:
            raise ValueError(f"{path.stat().st_size:,} bytes, and its header speaks of {needed:,}")
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SteerError(f"{path} is no whole safetensors file ({type(error).__name__}: {str(error)[:80]})") from None
    return shapes


def check_shapes(path: Path, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """SteerError for the first tensor of a file that is missing or has not the shape that it should."""
    for name, shape in wanted.items():
        if name not in found:
            raise SteerError(f"{path} lacks {name} {list(shape)}; it has {', '.join(sorted(found))[:200] or 'nothing'}")
        if found[name] != shape:
            raise SteerError(f"{path}: {name} is {list(found[name])}, not {list(shape)}")


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape in a tensor's entry; ValueError, TypeError or KeyError for one that contradicts itself."""
    shape, (start, stop) = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("a shape that is none")
    if type(start) is not int or stop - start != math.prod(shape) * _BYTES[str(entry["dtype"])]:
        raise ValueError("a tensor that is shorter or longer than its shape")
    return tuple(shape)
