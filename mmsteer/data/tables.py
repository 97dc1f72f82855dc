"""Pairs in the rows of a table: metadata.csv or metadata.jsonl beside pictures, parquet files, a data set of the hub."""

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
from mmsteer.data.sample import MOST_BYTES, Sample, decode, fail, inside, read_picture, text_of
from mmsteer.errors import SteerError, first_line

PICTURES = ("image", "jpg", "jpeg", "png", "webp", "picture", "img", "file_name", "image_path", "path")
"""Usual names of columns with pictures or their paths."""


class Listed(Pairs):
    """Pictures named in a table beside them, metadata.csv or metadata.jsonl: one a row."""

    kind = "metadata"

    def __init__(self, table: Path, limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(f"{table.resolve().parent.name}/{table.name}", limit, columns, table, [table])
        self._table = table

    def stream(self) -> Iterator[Sample]:
        """All rows; one that is no record is a sample that cannot be read."""
        picture = caption = ""
        for number, row in enumerate(self._rows(), 1):
            if isinstance(row, Exception):
                broken = partial(fail, str(row))
                yield Sample(f"row {number}", broken, broken)
                continue
            if not picture:
                picture, caption = _columns(row, self.columns, self._table.name)
            name = str(row.get(picture) or "")
            path = inside(self._table.parent, name, f"row {number} of {self._table.name}")
            yield Sample(name, partial(read_picture, path), partial(text_of, row.get(caption)), files=(path,))

    def _rows(self) -> Iterator[dict[str, Any] | Exception]:
        """Rows as records. A row that is none is an exception in its place, so that one broken line does not end the run."""
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
    """Parquet files: one column has pictures (bytes, a struct with bytes, or a path beside the file), another has captions."""

    kind = "parquet"

    def __init__(self, files: list[Path], limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(title(files), limit, columns, files[0], files)

    def _open(self, file: Path) -> tuple[Any, str, str]:
        """A file and its two columns."""
        parquet = _optional("pyarrow.parquet", "pyarrow")
        try:
            opened = parquet.ParquetFile(file)
        except Exception as error:  # any exception of pyarrow for a damaged file
            raise SteerError(f"cannot read {file} as parquet ({first_line(error)}): fetch it again") from error
        return opened, *_columns(opened.schema_arrow.names, self.columns, file.name)

    def samples(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Sample]]:
        """The rows whose numbers are wanted; row groups without any are not read."""
        first = 0
        for file in self.files:
            opened, picture, caption = self._open(file)
            start = first  # number of the file's first row
            for group in range(opened.num_row_groups):
                size = opened.metadata.row_group(group).num_rows
                stop = first + size if self.limit is None else min(first + size, self.limit)
                if any(wanted(number) for number in range(first, stop)):
                    rows = _rows(opened, group, picture, caption)
                    for number, (cell, text) in zip(range(first, stop), rows, strict=False):
                        if wanted(number):
                            read = partial(_cell_picture, cell, file.parent), partial(_cell_caption, text)
                            files = (inside(file.parent, _name_in(cell) or "", "a row"),) if self._beside else ()
                            yield number, Sample(f"{file.name} row {number - start}", *read, files=files)
                first += size

    @cached_property
    def _beside(self) -> bool:
        """Whether the table names picture files beside it, judged by its first row."""
        opened, picture, _ = self._open(self.files[0])
        first = next(opened.iter_batches(1, columns=[picture]), None)
        return first is not None and _name_in(first.column(0)[0]) is not None

    @cached_property
    def survey(self) -> Survey:
        """As `Pairs.survey`; if the pictures are in the table, its own row counts are enough."""
        if self._beside:
            return super().survey
        digest, count = hashlib.sha256(), 0
        for file in self.files:
            rows, status = self._open(file)[0].metadata.num_rows, file.stat()
            digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
            count += rows
        count = count if self.limit is None else min(count, self.limit)
        if not count:
            raise SteerError(f"there is no row in {self.name}: {KINDS}")
        return Survey(self.kind, self.name, count, digest.hexdigest()[:16])


def _rows(opened: Any, group: int, picture: str, caption: str) -> Iterator[tuple[Any, Any]]:
    """The two cells of each row of a row group, a few rows in memory at a time."""
    for batch in opened.iter_batches(64, row_groups=[group], columns=list(dict.fromkeys((picture, caption)))):
        yield from zip(batch.column(picture), batch.column(caption), strict=True)


def _name_in(cell: Any) -> str | None:
    """The path in a cell that does not contain the picture itself."""
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
    """A data set of the Hugging Face hub, streamed: `OWNER/NAME[@REVISION][:SPLIT]`; the default split is `train`."""

    kind = "hub"

    def __init__(self, name: str, limit: int | None = None, columns: str | None = None) -> None:
        parts = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::(\w+))?", name)
        if not parts:
            raise SteerError(
                f"cannot read 'hub:{name}': write hub:OWNER/NAME, hub:OWNER/NAME@COMMIT or hub:OWNER/NAME:SPLIT"
            )
        super().__init__(f"hub:{name}", limit, columns)
        self._id, self._revision, self._split = parts[1], parts[2], parts[3] or "train"

    @cached_property
    def _commit(self) -> str:
        """The commit that the revision names now, so that the data set cannot change while it is read."""
        from huggingface_hub import HfApi

        try:
            return str(HfApi().dataset_info(self._id, revision=self._revision).sha)
        except Exception as error:  # offline, gated, deleted or misspelt: the library's message says which
            raise self._unreachable(error) from error

    def _open(self) -> Any:
        datasets = _optional("datasets", "datasets")
        try:
            return datasets.load_dataset(self._id, revision=self._commit, split=self._split, streaming=True)
        except SteerError:
            raise
        except Exception as error:  # no such split, a script, files of an unknown kind
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> SteerError:
        return SteerError(
            f"cannot open the data set {self._id} ({first_line(error)}): check its name, split and revision, the network and, "
            "if it is gated, `hf auth login`"
        )

    def stream(self) -> Iterator[Sample]:
        """All rows of the split."""
        return _examples(self._open(), self.columns, self.name)

    @cached_property
    def survey(self) -> Survey:
        """The number of rows that the hub states, if it does, and the commit as digest."""
        splits = self._open().info.splits or {}
        known = splits[self._split].num_examples or None if self._split in splits else None
        items = known if known is None or self.limit is None else min(known, self.limit)
        return Survey(self.kind, self.name, items, self._commit)


def _examples(stream: Any, columns: str | None, name: str) -> Iterator[Sample]:
    """Samples of a `datasets` stream; pictures stay encoded."""
    datasets = _optional("datasets", "datasets")
    features = stream.features or next(iter(stream.take(1)))
    picture, caption = _columns(features, columns, name)
    if isinstance((stream.features or {}).get(picture), datasets.Image):
        stream = stream.cast_column(picture, datasets.Image(decode=False))
    for number, row in enumerate(stream.select_columns(list(dict.fromkeys((picture, caption))))):
        yield Sample(f"{name} row {number}", partial(_streamed, row[picture]), partial(text_of, row[caption]))


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
    """The columns of picture and caption: as asked, or by their usual names."""
    present = list(names)
    if asked is not None:
        picture, _, caption = asked.partition(",")
        if picture in present and caption in present:
            return picture, caption
        wanted = f"columns {picture!r} and {caption!r}"
    else:
        small = {name.lower(): name for name in reversed(present)}
        usual = [next((small[name] for name in names if name in small), None) for names in (PICTURES, CAPTIONS)]
        if usual[0] is not None and usual[1] is not None:
            return usual[0], usual[1]
        wanted = "columns of pictures and of captions"
    raise SteerError(f"{where} has no {wanted}, but {', '.join(present[:20])}: give --columns PICTURE,CAPTION")


def _optional(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise SteerError(f"this source needs {package}, which is not installed: pip install {package}") from None
