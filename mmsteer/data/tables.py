"""Pairs that stand in the rows of a table: metadata.csv or .jsonl beside pictures, parquet, a data set of the hub."""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from mmsteer.data.pairs import CAPTIONS, KINDS, Pairs, Survey, title
from mmsteer.data.sample import MOST_BYTES, Item, decode, fail, inside, read_picture, text_of
from mmsteer.errors import SteerError, first_line

PICTURES = ("image", "jpg", "jpeg", "png", "webp", "picture", "img", "file_name", "image_path", "path")


class Listed(Pairs):
    """Pictures named in a table beside them, metadata.csv or metadata.jsonl, a row each."""

    kind = "metadata"

    def __init__(self, table: Path, limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(f"{table.resolve().parent.name}/{table.name}", limit, columns, table, [table])
        self._table = table

    def stream(self) -> Iterator[Item]:
        picture = caption = ""
        for number, row in enumerate(self._rows(), 1):
            if isinstance(row, Exception):
                broken = partial(fail, str(row))
                yield Item(f"row {number}", broken, broken)
                continue
            if not picture:
                picture, caption = _columns(row, self.columns, self._table.name)
            name = str(row.get(picture) or "")
            path = inside(self._table.parent, name, f"row {number} of {self._table.name}")
            yield Item(name, partial(read_picture, path), partial(text_of, row.get(caption)), files=(path,))

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


class Parquet(Pairs):
    """Parquet files with a column of pictures (bytes, a struct with bytes, or a path beside the file) and one of captions."""

    kind = "parquet"

    def __init__(self, files: list[Path], limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(title(files), limit, columns, files[0], files)

    def _open(self, file: Path) -> tuple[Any, str, str]:
        """A file and its two columns."""
        parquet = _optional("pyarrow.parquet", "pyarrow")
        try:
            opened = parquet.ParquetFile(file)
        except Exception as error:  # whatever pyarrow raises for a damaged file
            raise SteerError(f"cannot read {file} as parquet ({first_line(error)}): fetch it anew") from error
        return opened, *_columns(opened.schema_arrow.names, self.columns, file.name)

    def items(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Item]]:
        first = 0
        for file in self.files:
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
                            files = (inside(file.parent, _name_in(seen) or "", "a row"),) if self._beside else ()
                            yield number, Item(f"{file.name} row {number - first_here}", *read, files=files)
                first += size

    @cached_property
    def _beside(self) -> bool:
        """Whether pictures lie in files beside the table, which names them: as the first row has it."""
        opened, picture, _ = self._open(self.files[0])
        first = next(opened.iter_batches(1, columns=[picture]), None)
        return first is not None and _name_in(first.column(0)[0]) is not None

    @cached_property
    def survey(self) -> Survey:
        if self._beside:
            return super().survey
        seen, count = hashlib.sha256(), 0
        for file in self.files:
            rows, told = self._open(file)[0].metadata.num_rows, file.stat()
            seen.update(f"{file.name} {told.st_size} {told.st_mtime_ns}\n".encode())
            count += rows
        count = count if self.limit is None else min(count, self.limit)
        if not count:
            raise SteerError(f"there is no row in {self.name}: {KINDS}")
        return Survey(self.kind, self.name, count, seen.hexdigest()[:16])


def _rows(opened: Any, group: int, picture: str, caption: str) -> Iterator[tuple[Any, Any]]:
    """The two cells of each row of a row group, a few rows in memory at a time."""
    for batch in opened.iter_batches(64, row_groups=[group], columns=list(dict.fromkeys((picture, caption)))):
        yield from zip(batch.column(picture), batch.column(caption), strict=True)


def _name_in(cell: Any) -> str | None:
    """The path in a cell that does not hold the picture itself."""
    value = cell.as_py()
    name = value.get("path") if isinstance(value, dict) and not value.get("bytes") else value
    return name if isinstance(name, str) else None


def _cell_picture(cell: Any, folder: Path) -> Image.Image:
    value = cell.as_py()
    data = value.get("bytes") if isinstance(value, dict) else value
    return decode(data) if isinstance(data, bytes) else read_picture(inside(folder, _name_in(cell) or "", "a row"))


def _cell_caption(cell: Any) -> str:
    return text_of(cell.as_py())


class Hub(Pairs):
    """A data set of the Hugging Face hub, streamed: `OWNER/NAME[@REVISION][:SPLIT]`, the split `train` unless said."""

    kind = "hub"

    def __init__(self, name: str, limit: int | None = None, columns: str | None = None) -> None:
        found = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::(\w+))?", name)
        if not found:
            raise SteerError(
                f"cannot read 'hub:{name}': write hub:OWNER/NAME, hub:OWNER/NAME@COMMIT or hub:OWNER/NAME:SPLIT"
            )
        super().__init__(f"hub:{name}", limit, columns)
        self._id, self._revision, self._split = found[1], found[2], found[3] or "train"

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
        return _examples(self._open(), self.columns, self.name)

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
        yield Item(f"{name} row {number}", partial(_streamed, row[picture]), partial(text_of, row[caption]))


def _streamed(value: Any) -> Image.Image:
    if isinstance(value, Image.Image):
        return value.convert("RGB")
    data = value.get("bytes") if isinstance(value, dict) else value
    if not data and isinstance(value, dict):
        with import_module("fsspec").open(value["path"], "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    if not isinstance(data, bytes):
        raise ValueError("no picture")
    return decode(data)


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
        found = [next((small[name] for name in usual if name in small), None) for usual in (PICTURES, CAPTIONS)]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
        wanted = "columns of pictures and of captions"
    raise SteerError(f"{where} has no {wanted}, but {', '.join(there[:20])}: say --columns PICTURE,CAPTION")


def _optional(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise SteerError(f"this source takes {package}, which is not installed: pip install {package}") from None
