"""The source that a text names, and the simplest one: a folder of pictures with captions beside them."""

import glob
import os
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import cast

from mmsteer.data.hub_tars import open_hub
from mmsteer.data.pairs import KINDS, Pairs
from mmsteer.data.sample import SUFFIXES, Sample, read_picture, read_text
from mmsteer.data.tables import Listed, Parquet
from mmsteer.data.webdataset import Tars
from mmsteer.errors import SteerError

_SYNTHETIC = {"world": "mmsteer.world.source"}
"""Sources made from a seed, `NAME[:SEED]`: name -> module with `open_pairs(seed, limit)`, imported when it is asked for."""


def open_pairs(source: str, limit: int | None = None, columns: str | None = None) -> Pairs:
    """Open a source; no pair is read yet.

    Args:
        source: A folder, a file, a pattern of files, `hub:OWNER/NAME[@REVISION][:SPLIT]` or `world[:SEED]`.
        limit: Only the first so many samples.
        columns: `PICTURE,CAPTION`, if a table has unusual names for them.

    Raises:
        SteerError: If nothing is there, or it is of a kind that cannot be read.
    """
    kind, _, rest = source.partition(":")
    if kind in _SYNTHETIC and (not rest or rest.isdecimal()):
        return cast(Pairs, import_module(_SYNTHETIC[kind]).open_pairs(int(rest or 0), limit))
    if kind == "hub":
        return open_hub(rest, limit, columns)
    path = Path(source)
    if path.is_dir():
        return _open_folder(path, limit, columns)
    files = [path] if path.is_file() else [Path(name) for name in sorted(glob.glob(source, recursive=True))]
    if not files:
        raise SteerError(f"there are no pairs at {source!r}: {KINDS}")
    return _open_files(files, limit, columns)


def _open_folder(folder: Path, limit: int | None, columns: str | None) -> Pairs:
    for name in ("metadata.jsonl", "metadata.csv"):
        if (folder / name).is_file():
            return Listed(folder / name, limit, columns)
    files = sorted(folder.glob("*.parquet")) or sorted(folder.glob("*.tar"))
    return _open_files(files, limit, columns) if files else Folder(folder, limit)


def _open_files(files: list[Path], limit: int | None, columns: str | None) -> Pairs:
    suffixes = {file.suffix for file in files}
    if suffixes == {".parquet"}:
        return Parquet(files, limit, columns)
    if suffixes == {".tar"}:
        return Tars(files, limit)
    if suffixes <= {".csv", ".jsonl"} and len(files) == 1:
        return Listed(files[0], limit, columns)
    raise SteerError(f"cannot read pairs from files such as {files[0]}: {KINDS}")


class Folder(Pairs):
    """Pictures with captions side by side, `cat.jpg` and `cat.txt`, in subfolders too."""

    kind = "folder"

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        super().__init__(folder.resolve().name, limit, place=folder)
        self._folder = folder

    def stream(self) -> Iterator[Sample]:
        """All pictures, by name."""
        for path in _walk(self._folder):
            key = path.relative_to(self._folder).as_posix()
            caption = path.with_suffix(".txt")
            yield Sample(key, partial(read_picture, path), partial(read_text, caption), files=(path, caption))


def _walk(folder: Path) -> Iterator[Path]:
    """Picture files in the order of their names; only the names of one folder at a time are in memory."""
    with os.scandir(folder) as entries:
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in visible:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path)
