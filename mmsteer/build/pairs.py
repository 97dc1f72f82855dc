"""Captioned pictures of anyone, as ordered streams: the embedded world, folders, parquet, webdataset tars, the hub.

Each source gives the same items in the same order every time, and gives them unread: what is skipped costs a name, not a
decoded picture. Sources are data: nothing in them is run, and what climbs out of its folder is refused.
"""

import csv
import glob
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property, partial
from importlib import import_module
from itertools import groupby, islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from mmsteer.errors import SteerError, first_line
from mmsteer.world.pairs import WorldPairs, digest

MOST_PIXELS = 16_000_000
"""A picture of more is not decoded: 20 kB of PNG can hold 170 megapixels."""
_MOST_BYTES = 64 * 2**20  # of one encoded picture
_LONGEST = 32  # times as long as wide: resized by its short side, one of 1x16,000,000 pixels would fill any memory
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_PICTURE = ("image", "jpg", "jpeg", "png", "webp", "picture", "img", "file_name", "image_path", "path")
_CAPTION = ("caption", "text", "captions", "txt", "alt_text", "description", "prompt")
_WORLD_BLOCK = 64  # the world draws as many scenes at once
WORLD_COUNT = 30_000


class Item(NamedTuple):
    """One picture and its caption, neither of them read yet. Reading raises whatever is wrong with it."""

    key: str
    """Where it stands in its source."""
    picture: Callable[[], Image.Image]
    caption: Callable[[], str]
    truth: tuple[np.ndarray, np.ndarray] | None = None
    """Of the world: factors and which of them the caption mentions, both `[n_factors]`."""


class Survey(NamedTuple):
    """What a source holds, without having read it."""

    kind: str
    name: str
    items: int | None
    """None where only reading to the end would tell."""
    digest: str
    """Of the items' keys: another one means that items were added, taken away or renamed."""


class Pairs:
    """A source of captioned pictures; of its items the first `limit`, or all."""

    kind = ""

    def __init__(self, name: str, limit: int | None = None) -> None:
        self.name, self.limit = name, limit

    def stream(self) -> Iterator[Item]:
        """All items in their order."""
        raise NotImplementedError

    def items(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Item]]:
        """The items whose numbers are wanted, each with its number."""
        for number, item in enumerate(islice(self.stream(), self.limit)):
            if wanted(number):
                yield number, item

    @cached_property
    def survey(self) -> Survey:
        """Counts the items, once. SteerError where there are none, or where the source cannot be read or climbs out of its folder."""
        keys, count = hashlib.sha256(), 0
        for item in islice(self.stream(), self.limit):
            keys.update(item.key.encode("utf-8", "surrogatepass") + b"\n")
            count += 1
        if not count:
            raise SteerError(f"there is no captioned picture in {self.name}: {_KINDS}")
        return Survey(self.kind, self.name, count, keys.hexdigest()[:16])

    def pictures(self, numbers: Collection[int]) -> Iterator[tuple[int, Image.Image]]:
        """The pictures of some items, in the source's order. SteerError for one that cannot be read (any more)."""
        wanted = set(numbers)
        for number, item in islice(self.items(wanted.__contains__), len(wanted)):
            try:
                yield number, item.picture()
            except Exception as error:  # whatever decoders raise
                raise SteerError(
                    f"{item.key} could be read when it was embedded and cannot now ({first_line(error)}): put it back"
                ) from error


_KINDS = (
    "give a folder of pictures with captions (cat.jpg and cat.txt, or metadata.csv or metadata.jsonl with file_name and "
    "caption), parquet files, webdataset tars (several by a pattern in quotes), hub:OWNER/NAME, or world:SEED"
)


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
        raise SteerError(f"there are no pairs at {source!r}: {_KINDS}")
    raise SteerError(f"{source!r} is of {', '.join(sorted(suffixes)) or 'no'} files: {_KINDS}")


class World(Pairs):
    """Scenes of the embedded world, drawn as they are read."""

    kind = "world"

    def __init__(self, seed: int, count: int) -> None:
        super().__init__(f"world:{seed}", count)
        self._world = WorldPairs(seed, count)

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

    @cached_property
    def survey(self) -> Survey:
        return Survey(self.kind, self.name, len(self._world), digest(self._world.seed))


class Folder(Pairs):
    """Pictures with captions side by side, `cat.jpg` and `cat.txt`, in subfolders too."""

    kind = "folder"

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        super().__init__(folder.resolve().name, limit)
        self._folder = folder

    def stream(self) -> Iterator[Item]:
        for path in _walk(self._folder):
            key = path.relative_to(self._folder).as_posix()
            yield Item(key, partial(_read_picture, path), partial(_read_text, path.with_suffix(".txt")))


def _walk(folder: Path) -> Iterator[Path]:
    """Picture files in the order of their names; memory holds the names of one folder at a time."""
    with os.scandir(folder) as entries:
        here = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in here:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.name.lower().endswith(_SUFFIXES):
            yield Path(entry.path)


class Listed(Pairs):
    """Pictures named in a table beside them, metadata.csv or metadata.jsonl, a row each."""

    kind = "metadata"

    def __init__(self, table: Path, limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(f"{table.resolve().parent.name}/{table.name}", limit)
        self._table, self._columns = table, columns

    def stream(self) -> Iterator[Item]:
        picture = caption = ""
        for number, row in enumerate(self._rows(), 1):
            if isinstance(row, Exception):
                broken = partial(_fail, str(row))
                yield Item(f"row {number}", broken, broken)
                continue
            if not picture:
                picture, caption = _columns(row, self._columns, self._table.name)
            name = str(row.get(picture) or "")
            path = _inside(self._table.parent, name, f"row {number} of {self._table.name}")
            yield Item(name, partial(_read_picture, path), partial(_text, row.get(caption)))

    def _rows(self) -> Iterator[dict[str, Any] | Exception]:
        """Rows as records; what is no record is an exception in its place, for one broken line is not the end."""
        with self._table.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            if self._table.suffix == ".csv":
                csv.field_size_limit(2**24)
                yield from csv.DictReader(lines)
                return
            for line in lines:
                if line.strip():
                    try:
                        row = json.loads(line)
                        yield row if isinstance(row, dict) else ValueError("no JSON object")
                    except ValueError as error:
                        yield error


class Tars(Pairs):
    """Webdataset tars: members of one name are one pair, `000.jpg` with `000.txt` or `000.json`. Never unpacked."""

    kind = "webdataset"

    def __init__(self, files: list[Path], limit: int | None = None) -> None:
        super().__init__(_title(files), limit)
        self._files = files

    def stream(self) -> Iterator[Item]:
        for file in self._files:
            for key, members in groupby(_members(file), key=lambda member: member[0]):
                parts = {suffix: place for _, suffix, place in members}
                picture = next((place for suffix, place in parts.items() if f".{suffix}" in _SUFFIXES), None)
                if picture or "txt" in parts or "json" in parts:
                    yield Item(
                        f"{file.name}/{key}", partial(_tar_picture, file, picture), partial(_tar_caption, file, parts)
                    )


_Place = tuple[int, int]  # where a member's bytes begin, and how many they are


def _members(file: Path) -> Iterator[tuple[str, str, _Place]]:
    """Name without ending, ending in small letters, and place of each file in a tar; headers alone are read."""
    try:
        with tarfile.open(file, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or it would keep every header
                if ".." in PurePosixPath(member.name).parts or member.name.startswith("/") or "\\" in member.name:
                    raise SteerError(
                        f"{file} holds the path {member.name[:80]!r}, which climbs out of its folder: use no tar that you do "
                        "not trust, or pack it anew"
                    )
                found = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", member.name)
                if member.isfile() and found:
                    yield found[1], found[2].lower(), (member.offset_data, member.size)
    except (tarfile.TarError, OSError) as error:
        raise SteerError(
            f"cannot read {file} as a tar ({first_line(error)}): it is cut off, compressed or no tar; fetch it anew, or pack it "
            "without compression"
        ) from error


def _tar_bytes(file: Path, place: _Place) -> bytes:
    start, size = place
    _check_bytes(size)
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(size)


def _tar_picture(file: Path, place: _Place | None) -> Image.Image:
    if place is None:
        raise ValueError("no picture")
    return decode(_tar_bytes(file, place))


def _tar_caption(file: Path, parts: dict[str, _Place]) -> str:
    if "txt" in parts:
        return _tar_bytes(file, parts["txt"]).decode("utf-8-sig")
    if "json" not in parts:
        raise ValueError("no caption")
    record = json.loads(_tar_bytes(file, parts["json"]))
    return _text(next((record[name] for name in _CAPTION if record.get(name)), None))


class Parquet(Pairs):
    """Parquet files with a column of pictures (bytes, a struct with bytes, or a path beside the file) and one of captions."""

    kind = "parquet"

    def __init__(self, files: list[Path], limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(_title(files), limit)
        self._files, self._columns = files, columns

    def _open(self, file: Path) -> tuple[Any, str, str]:
        """A file and its two columns."""
        parquet = _optional("pyarrow.parquet", "pyarrow")
        try:
            opened = parquet.ParquetFile(file)
        except Exception as error:  # whatever pyarrow raises for a damaged file
            raise SteerError(f"cannot read {file} as parquet ({first_line(error)}): fetch it anew") from error
        return opened, *_columns(opened.schema_arrow.names, self._columns, file.name)

    def items(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Item]]:
        first = 0
        for file in self._files:
            opened, picture, caption = self._open(file)
            first_here = first
            for group in range(opened.num_row_groups):
                size = opened.metadata.row_group(group).num_rows
                stop = first + size if self.limit is None else min(first + size, self.limit)
                if any(wanted(number) for number in range(first, stop)):
                    rows = _rows(opened, group, picture, caption)
                    for number, (seen, said) in zip(range(first, stop), rows, strict=False):
                        if wanted(number):
                            read = partial(_cell_picture, seen, file.parent), partial(_cell_caption, said)
                            yield number, Item(f"{file.name} row {number - first_here}", *read)
                first += size

    @cached_property
    def survey(self) -> Survey:
        seen, count = hashlib.sha256(), 0
        for file in self._files:
            rows = self._open(file)[0].metadata.num_rows
            seen.update(f"{file.name} {file.stat().st_size} {rows}\n".encode())
            count += rows
        count = count if self.limit is None else min(count, self.limit)
        if not count:
            raise SteerError(f"there is no row in {self.name}: {_KINDS}")
        return Survey(self.kind, self.name, count, seen.hexdigest()[:16])


def _rows(opened: Any, group: int, picture: str, caption: str) -> Iterator[tuple[Any, Any]]:
    """The two cells of each row of a row group, a few rows in memory at a time."""
    for batch in opened.iter_batches(64, row_groups=[group], columns=list(dict.fromkeys((picture, caption)))):
        yield from zip(batch.column(picture), batch.column(caption), strict=True)


def _cell_picture(cell: Any, folder: Path) -> Image.Image:
    value = cell.as_py()
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return decode(data)
    name = value.get("path") if isinstance(value, dict) else value
    return _read_picture(_inside(folder, name or "", "a row"))


def _cell_caption(cell: Any) -> str:
    return _text(cell.as_py())


class Hub(Pairs):
    """A data set of the Hugging Face hub, streamed: `OWNER/NAME[@REVISION][:SPLIT]`, the split `train` unless said."""

    kind = "hub"

    def __init__(self, name: str, limit: int | None = None, columns: str | None = None) -> None:
        found = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::(\w+))?", name)
        if not found:
            raise SteerError(
                f"cannot read 'hub:{name}': write hub:OWNER/NAME, hub:OWNER/NAME@COMMIT or hub:OWNER/NAME:SPLIT"
            )
        super().__init__(f"hub:{name}", limit)
        self._id, self._revision, self._split = found[1], found[2], found[3] or "train"
        self._columns = columns

    @cached_property
    def _commit(self) -> str:
        """The commit that the revision stands for now: a data set that changes while it is read would be two."""
        from huggingface_hub import HfApi

        try:
            return str(HfApi().dataset_info(self._id, revision=self._revision).sha)
        except Exception as error:  # offline, gated, gone, misspelt: the library's words say which
            raise self._unreachable(error) from error

    def _open(self) -> Any:
        datasets = _optional("datasets", "datasets")
        try:
            return datasets.load_dataset(self._id, revision=self._commit, split=self._split, streaming=True)
        except SteerError:
            raise
        except Exception as error:  # no such split, a script, files of no known form
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> SteerError:
        return SteerError(
            f"cannot open the data set {self._id} ({first_line(error)}): check its name, split and revision, the network and, "
            "where it is gated, `hf auth login`"
        )

    def stream(self) -> Iterator[Item]:
        return _examples(self._open(), self._columns, self.name)

    @cached_property
    def survey(self) -> Survey:
        splits = self._open().info.splits or {}
        known = splits[self._split].num_examples or None if self._split in splits else None
        items = known if known is None or self.limit is None else min(known, self.limit)
        return Survey(self.kind, self.name, items, self._commit)


def _examples(stream: Any, columns: str | None, name: str) -> Iterator[Item]:
    """Items of a `datasets` stream, pictures left encoded."""
    datasets = _optional("datasets", "datasets")
    features = stream.features or next(iter(stream.take(1)))
    picture, caption = _columns(features, columns, name)
    if isinstance((stream.features or {}).get(picture), datasets.Image):
        stream = stream.cast_column(picture, datasets.Image(decode=False))
    for number, row in enumerate(stream.select_columns(list(dict.fromkeys((picture, caption))))):
        yield Item(f"{name} row {number}", partial(_streamed, row[picture]), partial(_text, row[caption]))


def _streamed(value: Any) -> Image.Image:
    if isinstance(value, Image.Image):
        return value.convert("RGB")
    data = value.get("bytes") if isinstance(value, dict) else value
    if not data and isinstance(value, dict):
        with import_module("fsspec").open(value["path"], "rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    if not isinstance(data, bytes):
        raise ValueError("no picture")
    return decode(data)


# -- reading one item; what these raise is the item's fault and costs that item alone --


def decode(data: bytes) -> Image.Image:
    """An encoded picture in RGB, turned as its EXIF says, the first frame of several. Its header is looked at first."""
    _check_bytes(len(data))
    with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"{width}x{height} pixels are more than {MOST_PIXELS // 10**6} megapixels")
        if max(width, height) > _LONGEST * min(width, height):
            raise ValueError(f"{width}x{height} pixels are more than {_LONGEST} times as long as wide")
        return ImageOps.exif_transpose(picture).convert("RGB")


def clean(caption: str) -> str:
    """A caption in one line, of what UTF-8 can say."""
    return " ".join(caption.encode("utf-8", "replace").decode().split())


def _check_bytes(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f"{size} bytes are more than {_MOST_BYTES // 2**20} MB")


def _read_picture(path: Path) -> Image.Image:
    _check_bytes(path.stat().st_size)
    return decode(path.read_bytes())


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"no caption: {path.name} is missing")
    _check_bytes(path.stat().st_size)
    return path.read_text(encoding="utf-8-sig")


def _text(value: Any) -> str:
    """A caption as tables have it: a text, or a list of which the first counts."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    if not isinstance(value, str):
        raise ValueError("no caption")
    return value


def _fail(message: str) -> Any:
    raise ValueError(message)


# -- names --


def _inside(folder: Path, name: str, where: str) -> Path:
    """A path that a table names, relative to the table's folder; SteerError where it leads out of it."""
    path = folder / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise SteerError(
            f"{where} names {name[:80]!r}, which climbs out of {folder.name or 'its folder'}: name files in it or below"
        )
    return path


def _columns(names: Iterable[str], asked: str | None, where: str) -> tuple[str, str]:
    """Which columns hold picture and caption: as asked, or by their usual names."""
    there = list(names)
    if asked is not None:
        picture, _, caption = asked.partition(",")
        if picture in there and caption in there:
            return picture, caption
        wanted = f"columns {picture!r} and {caption!r}"
    else:
        small = {name.lower(): name for name in reversed(there)}
        found = [next((small[name] for name in usual if name in small), None) for usual in (_PICTURE, _CAPTION)]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
        wanted = "columns of pictures and of captions"
    raise SteerError(f"{where} has no {wanted}, but {', '.join(there[:20])}: say --columns PICTURE,CAPTION")


def _title(files: list[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} … {files[-1].name} ({len(files)} files)"


def _optional(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise SteerError(f"this source takes {package}, which is not installed: pip install {package}") from None
