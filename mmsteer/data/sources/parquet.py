"""Pairs in parquet files, one a row."""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from PIL import Image

from mmsteer.data.pairs import KINDS, Pairs, Survey, title
from mmsteer.data.sample import Sample, captions_of, decode, inside, read_picture
from mmsteer.data.sources.columns import find_columns, optional
from mmsteer.errors import SteerError, first_line


class Parquet(Pairs):
    """Parquet files: one column has pictures (bytes, a struct with bytes, or a path beside the file), another has captions."""

    kind = "parquet"
    options = ("columns",)

    def __init__(self, files: list[Path], limit: int | None = None, columns: str | None = None) -> None:
        super().__init__(title(files), limit, columns, files[0], files)

    def _open(self, file: Path) -> tuple[Any, str, str]:
        """A file and its two columns."""
        parquet = optional("pyarrow.parquet", "pyarrow")
        try:
            opened = parquet.ParquetFile(file)
        except Exception as error:  # any exception of pyarrow for a damaged file
            raise SteerError(f"cannot read {file} as parquet ({first_line(error)}): fetch it again") from error
        return opened, *find_columns(opened.schema_arrow.names, self.columns, file.name)

    def trouble(self) -> str | None:
        """No columns of pictures and captions, or paths to files that are not there."""
        try:
            opened, picture, _ = self._open(self.files[0])
        except SteerError as error:
            return str(error)
        first = next(opened.iter_batches(100, columns=[picture]), None)
        if first is None:
            return None  # an empty file: others may not be
        names = [name for name in map(_name_in, first.column(0)) if name]
        if not names or any((self.files[0].parent / name).is_file() for name in names):
            return None
        return f"{self.files[0].name} names pictures that are not there, such as {names[0][:80]!r}"

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
                            read = partial(_cell_picture, cell, file.parent), partial(_cell_captions, text)
                            files = (inside(file.parent, _name_in(cell) or "", "a row"),) if self.beside else ()
                            yield number, Sample(f"{file.name} row {number - start}", *read, files=files)
                first += size

    @cached_property
    def beside(self) -> bool:
        """Whether the table names picture files beside it, judged by its first row."""
        opened, picture, _ = self._open(self.files[0])
        first = next(opened.iter_batches(1, columns=[picture]), None)
        return first is not None and _name_in(first.column(0)[0]) is not None

    @cached_property
    def survey(self) -> Survey:
        """As `Pairs.survey`; if the pictures are in the table, its own row counts are enough."""
        if self.beside:
            return super().survey
        digest, count = hashlib.sha256(), 0
        for file in self.files:
            rows, status = self._open(file)[0].metadata.num_rows, file.stat()
            digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
            self._keys += f"{file.name} {status.st_size} {rows}\n"
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


def _cell_captions(cell: Any) -> list[str]:
    return captions_of(cell.as_py())
