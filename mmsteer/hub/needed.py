"""Which files of a repository are read when a pipeline or a CLIP is loaded: configuration, vocabulary and one set of weights."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from mmsteer.models.clip import NEEDED

_SMALL = (".json", ".txt", ".model")
_WEIGHTS = re.compile(r"(diffusion_pytorch_)?model(\.fp16)?(-\d+-of-\d+)?(\.fp16)?\.safetensors")


def checkpoint_files(names: Iterable[str], index: Mapping[str, Any], half: bool) -> list[str]:
    """The files of a diffusers pipeline.

    Args:
        names: all files of its repository.
        index: its model_index.json, which names its parts.
        half: whether weights in half precision are read, of the parts that have them.
    """
    names, files = list(names), ["model_index.json"]
    for part in (part for part, kind in index.items() if isinstance(kind, list) and kind[0]):
        paths = [
            PurePosixPath(name) for name in names if PurePosixPath(name).parent.name == part and name.count("/") == 1
        ]
        weights = [path for path in paths if _WEIGHTS.fullmatch(path.name)]
        halves = [path for path in weights if ".fp16" in path.name]
        wholes = [path for path in weights if path not in halves]
        chosen = (halves or wholes) if half else (wholes or halves)
        files += sorted(str(path) for path in [*chosen, *(path for path in paths if path.suffix in _SMALL)])
    return files


def clip_files(names: Iterable[str]) -> list[str]:
    """The files of a CLIP with both towers, as `mmsteer.models.clip` reads them."""
    return [name for name in names if any(fnmatch(name, pattern) for pattern in NEEDED)]
