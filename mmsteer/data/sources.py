"""Which source a text names; and the two simplest: the embedded world, and a folder of pictures with captions beside them."""

import glob
import os
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path

from PIL import Image

from mmsteer.data.pairs import KINDS, Pairs, Survey
from mmsteer.data.sample import SUFFIXES, Item, read_picture, read_text
from mmsteer.data.tables import Hub, Listed, Parquet
from mmsteer.data.webdataset import Tars
from mmsteer.errors import SteerError
from mmsteer.world.draws import READ
from mmsteer.world.pairs import WorldPairs, written

WORLD_COUNT = 30_000
_WORLD_BLOCK = 64  # the world draws as many scenes at once


def open_pairs(source: str, limit: int | None = None, columns: str | None = None) -> Pairs:
    """The source that a text names; nothing of it is read yet.

    `columns` says PICTURE,CAPTION where a table calls them otherwise than is usual. SteerError for what is not there.
    """
    kind, _, rest = source.partition(":")
    if kind == "world" and (not rest or rest.isdecimal()):
        return World(int(rest or 0), WORLD_COUNT if limit is None else limit)
    if kind == "hub":
        return Hub(rest, limit, columns)
    path = Path(source)
    if path.is_dir():
        for name in ("metadata.jsonl", "metadata.csv"):
            if (path / name).is_file():
                return Listed(path / name, limit, columns)
        files = sorted(path.glob("*.parquet")) or sorted(path.glob("*.tar"))
        if not files:
            return Folder(path, limit)
    else:
        files = [path] if path.is_file() else [Path(name) for name in sorted(glob.glob(source, recursive=True))]
    suffixes = {file.suffix for file in files}
    if suffixes == {".parquet"}:
        return Parquet(files, limit, columns)
    if suffixes == {".tar"}:
        return Tars(files, limit)
    if suffixes <= {".csv", ".jsonl"} and len(files) == 1:
        return Listed(files[0], limit, columns)
    if not files:
        raise SteerError(f"there are no pairs at {source!r}: {KINDS}")
    raise SteerError(f"{source!r} is of {', '.join(sorted(suffixes)) or 'no'} files: {KINDS}")


class World(Pairs):
    """Scenes of the embedded world, drawn as they are read, at the size that the embedded CLIP reads."""

    kind = "world"

    def __init__(self, seed: int, count: int) -> None:
        super().__init__(f"world:{seed}", count)
        self._world = WorldPairs(seed, count, READ)

    def items(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Item]]:
        for start in range(0, len(self._world), _WORLD_BLOCK):
            numbers = range(start, min(start + _WORLD_BLOCK, len(self._world)))
            if not any(wanted(number) for number in numbers):
                continue
            block = next(self._world.batches(_WORLD_BLOCK, start))
            pictures = block.pictures.permute(0, 2, 3, 1).contiguous().numpy()
            for k, number in enumerate(numbers):
                if wanted(number):
                    picture, caption = partial(Image.fromarray, pictures[k]), partial(str, block.captions[k])
                    yield number, Item(f"scene {number}", picture, caption, (block.factors[k], block.mentioned[k]))

    def written(self, count: int) -> list[list[str]]:
        """Captions of `count` other scenes, which are not drawn: of each, several that differ in what no picture shows."""
        return written(self._world.seed, count)

    @cached_property
    def survey(self) -> Survey:
        return Survey(self.kind, self.name, len(self._world), self._world.digest)


class Folder(Pairs):
    """Pictures with captions side by side, `cat.jpg` and `cat.txt`, in subfolders too."""

    kind = "folder"

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        super().__init__(folder.resolve().name, limit, place=folder)
        self._folder = folder

    def stream(self) -> Iterator[Item]:
        for path in _walk(self._folder):
            key = path.relative_to(self._folder).as_posix()
            told = path.with_suffix(".txt")
            yield Item(key, partial(read_picture, path), partial(read_text, told), files=(path, told))


def _walk(folder: Path) -> Iterator[Path]:
    """Picture files in the order of their names; memory holds the names of one folder at a time."""
    with os.scandir(folder) as entries:
        here = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in here:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path)
