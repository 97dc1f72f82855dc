"""Captioned pictures of anyone, as ordered streams: what every source of them is.

Each source gives the same items in the same order every time, and gives them unread: what is skipped costs a name, not a
decoded picture. Sources are data: nothing in them is run, and what climbs out of its folder is refused.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from mmsteer.data.sample import Item
from mmsteer.errors import SteerError, first_line

CAPTIONS = ("caption", "text", "captions", "txt", "alt_text", "description", "prompt")
"""What a caption is usually called."""
KINDS = (
    "give a folder of pictures with captions (cat.jpg and cat.txt, or metadata.csv or metadata.jsonl with file_name and "
    "caption), parquet files, webdataset tars (several by a pattern in quotes), hub:OWNER/NAME, or world:SEED"
)


class Survey(NamedTuple):
    """What a source holds, without having read it."""

    kind: str
    name: str
    items: int | None
    """None where only reading to the end would tell."""
    digest: str
    """Of the items' keys, and of the size and time of change of all files: another one means that items were added, taken
    away, renamed or rewritten."""


class Pairs:
    """A source of captioned pictures; of its items the first `limit`, or all."""

    kind = ""

    def __init__(
        self,
        name: str,
        limit: int | None = None,
        columns: str | None = None,
        place: Path | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        self.name, self.limit, self.columns, self.files = name, limit, columns, files
        self.address = f"{place.resolve() if place else name} {columns} {limit}"
        """Which pairs these are, wherever they change: sources of one name lie in different places. Kept to oneself."""

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
        seen, count = hashlib.sha256(), 0
        seen.update(_state(self.files))
        for _, item in self.items():
            seen.update(item.key.encode("utf-8", "surrogatepass") + b"\n" + _state(item.files))
            count += 1
        if not count:
            raise SteerError(f"there is no captioned picture in {self.name}: {KINDS}")
        return Survey(self.kind, self.name, count, seen.hexdigest()[:16])

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


def title(files: list[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} … {files[-1].name} ({len(files)} files)"


def _state(files: Sequence[Path]) -> bytes:
    """Size and time of change of each file: what a rewritten one cannot keep, and telling costs no reading."""
    found = b""
    for file in files:
        try:
            told = os.stat(file)
            found += f"{told.st_size} {told.st_mtime_ns}\n".encode()
        except OSError:
            found += b"missing\n"
    return found
