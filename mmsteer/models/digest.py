"""Short digests that differ wherever two checkpoints, or two banks, differ: 16 hexadecimal digits of SHA-256."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.models.weights_header import read_header

if TYPE_CHECKING:
    import torch

_DIGITS = 16
_READ = (".json", ".txt", ".model", ".safetensors")  # of a part: configuration, vocabulary, weights
_BYTES = 4096  # of each tensor of a checkpoint


def of_checkpoint(folder: Path) -> str:
    """The digest of a folder that diffusers saved, whatever it is called and wherever it lies.

    Of its index and of the files of each part that the index names: small files whole; of weights the size, the header, and
    up to 4 kB from the middle of every tensor, since training changes a tensor nearly everywhere. So several GB take
    a fraction of a second.
    """
    index = folder / "model_index.json"
    parts = sorted(folder / part for part in json.loads(index.read_bytes()) if (folder / part).is_dir())
    files = [path for part in parts for path in sorted(part.iterdir()) if path.suffix in _READ]
    return _digest("", {path.relative_to(folder).as_posix(): path for path in [index, *files]})


def of_files(about: str, files: Iterable[Path]) -> str:
    """The digest of a text and of some files, in their order, wherever these lie; of weights as of a checkpoint's."""
    return _digest(about, {f"{place} {path.name}": path for place, path in enumerate(files)})


def of_file(file: Path) -> str:
    """The digest of a checkpoint in one file, whatever it is called and wherever it lies."""
    return _digest("", {"": file})


def _digest(about: str, files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256(about.encode())
    for name, path in files.items():
        digest.update(f"{name} {path.stat().st_size}\n".encode())
        for piece in _samples(path) if path.suffix == ".safetensors" else [path.read_bytes()]:
            digest.update(piece)
    return digest.hexdigest()[:_DIGITS]


def _samples(path: Path) -> Iterator[bytes]:
    """The header of a safetensors file, and bytes from the middle of each tensor; a small tensor whole."""
    header = read_header(path)
    yield header.text
    with path.open("rb") as file:
        for tensor in header.tensors.values():
            file.seek(header.end + max(tensor.start, (tensor.start + tensor.stop - _BYTES) // 2))
            yield file.read(min(_BYTES, tensor.stop - tensor.start))


def of_tensors(about: str, tensors: "Mapping[str, torch.Tensor]") -> str:
    """The digest of a text and of named tensors, in whatever order and on whatever device these come."""
    import torch

    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:_DIGITS]
