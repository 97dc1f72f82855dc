"""Pictures that a table beside them names: metadata.csv or .jsonl, Flickr's captions, and COCO's annotations."""

import json
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from mmsteer.data.pairs import Pairs, Survey
from mmsteer.data.sample import Sample, captions_of, fail, inside, read_picture
from mmsteer.data.sources.columns import find_columns
from mmsteer.data.sources.rows import BadRowError, check_rows, read_rows
from mmsteer.errors import SteerError, first_line

_BEGINNING = 100  # rows by which a table is judged
Entry = tuple[str, Any]
"""The name of a picture, and what its captions are read from; no name, and a `BadRowError`."""


class Listed(Pairs):
    """Pictures named in a table: rows in succession that name the same picture are its captions."""

    kind = "metadata"
    options: tuple[str, ...] = ("columns", "encoding")

    def __init__(
        self, table: Path, limit: int | None = None, columns: str | None = None, encoding: str | None = None
    ) -> None:
        name = f"{table.resolve().parent.name}/{table.name}"
        super().__init__(name, limit, columns, table, [table], encoding)
        self._table = table

    def stream(self) -> Iterator[Sample]:
        """All pictures; a row that is no record is a sample that cannot be read."""
        for number, (name, rows) in enumerate(groupby(self._entries(), key=lambda entry: entry[0]), 1):
            cells = [cell for _, cell in rows]
            if not name:
                broken = [partial(fail, str(cell)) for cell in cells]
                yield from (Sample(self._table.name, read, read) for read in broken)
                continue
            path = inside(self.base, name, f"picture {number} of {self._table.name}")
            yield Sample(name, partial(read_picture, path), partial(_all_captions, cells), files=(path,))

    @cached_property
    def survey(self) -> Survey:
        """As `Pairs.survey`. SteerError if many rows of the table are broken."""
        check_rows(self._table, self.encoding)
        return super().survey

    def trouble(self) -> str | None:
        """No columns of pictures and captions, or none of the first pictures is there."""
        try:
            names = [name for name, cell in islice(self._entries(), _BEGINNING) if not isinstance(cell, BadRowError)]
        except SteerError as error:
            return str(error)
        if not names:
            check_rows(self._table, self.encoding)
            return f"{self._table.name} has no rows"
        if any((self.base / name).is_file() for name in names):
            return None
        return f"{self._table.name} names pictures that are not there, such as {names[0][:80]!r}"

    def _entries(self) -> Iterator[Entry]:
        """Picture and captions of each row."""
        columns: tuple[str, str] | None = None
        for row in read_rows(self._table, self.encoding):
            if isinstance(row, BadRowError):
                yield "", row
                continue
            columns = columns or find_columns(row, self.columns, self._table.name)
            name = str(row.get(columns[0]) or "").strip()
            yield name, row.get(columns[1]) if name else BadRowError("a row names no picture")

    @cached_property
    def base(self) -> Path:
        """The folder that names start from: the table's, or else the subfolder that has one of the first pictures."""
        names = [name for name, _ in islice(self._entries(), _BEGINNING) if name]
        for folder in self._folders():
            if any((folder / name).exists() for name in names):
                return folder
        return self._table.parent

    def _folders(self) -> list[Path]:
        """Folders where the pictures may be, nearest first."""
        return [self._table.parent, *_subfolders(self._table.parent)]


class Coco(Listed):
    """COCO's captions: a JSON object with `images` and, usually five for each, `annotations`."""

    kind = "coco"
    options = ()

    def _folders(self) -> list[Path]:
        above = self._table.resolve().parent.parent if self._table.resolve().parent.name == "annotations" else None
        return super()._folders() + ([above, *_subfolders(above)] if above else [])

    def _entries(self) -> Iterator[Entry]:
        captions: dict[Any, list[str]] = {}
        try:
            data = json.loads(self._table.read_bytes())
            names = {image["id"]: image["file_name"] for image in data["images"]}
            for annotation in data["annotations"]:
                captions.setdefault(annotation["image_id"], []).append(annotation["caption"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SteerError(
                f"{self._table.name} is no captions file of COCO ({first_line(error)}): it needs images with id and file_name, and "
                "annotations with image_id and caption"
            ) from None
        for number, texts in captions.items():
            if number in names:
                yield str(names[number]), texts
            else:
                yield "", BadRowError(f"no image has the id {number}")


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _all_captions(cells: list[Any]) -> list[str]:
    captions: list[str] = []
    for cell in cells:
        captions += captions_of(cell)
    return captions
