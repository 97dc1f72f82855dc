"""What every source of captioned pictures is: an ordered stream of samples.

A source yields the same samples in the same order every time, and yields them unread: to skip one costs a name, not a decoded
picture. Sources are data: nothing in them is run, and a path that leads out of its folder is refused.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from mmsteer.data.annotations import AnnotationScheme
from mmsteer.data.passed_over import PassedOver
from mmsteer.data.sample import Sample
from mmsteer.errors import SteerError, first_line

KINDS = (
    "give a folder of pictures with captions (cat.jpg and cat.txt, or metadata.csv or metadata.jsonl with file_name and "
    "caption), a table, COCO's captions_*.json, parquet files, webdataset tars (several by a pattern in quotes), "
    "hub:OWNER/NAME, or world:SEED"
)


class Survey(NamedTuple):
    """What a source contains, known without decoding a picture."""

    kind: str
    name: str
    items: int | None
    """The number of samples, which are pictures; None if only reading to the end would show it."""
    digest: str
    """Of the samples' keys, and of the size and time of change of all files: it changes when samples are added, removed,
    renamed or rewritten."""


class Pairs:
    """A source of captioned pictures.

    Args:
        name: What messages call it.
        limit: Only the first so many samples; None for all.
        columns: `PICTURE,CAPTION`, if a table has unusual names for them.
        encoding: Of its text files, if it is not UTF-8 and no byte-order mark states it.
        place: Its folder or first file.
        files: Files that contain many samples.
    """

    kind = ""
    scheme: AnnotationScheme | None = None
    """The factors that its samples are annotated with; None if it has no annotations."""
    options: tuple[str, ...] = ()
    """Which of `columns` and `encoding` mean something for this kind of source."""

    def __init__(
        self,
        name: str,
        limit: int | None = None,
        columns: str | None = None,
        place: Path | None = None,
        files: Sequence[Path] = (),
        encoding: str | None = None,
    ) -> None:
        self.name, self.limit, self.columns, self.files, self.encoding = name, limit, columns, files, encoding
        self._keys = ""
        self.passed_over = PassedOver()
        """What it contains and does not read; complete once `survey` is known."""
        self.address = f"{place.resolve() if place else name} {columns} {limit}" + (f" {encoding}" if encoding else "")
        """Tells sources of one name in different places apart. Contains local paths, so it is never written out."""

    def stream(self) -> Iterator[Sample]:
        """All samples in order; what it does not read is added to `passed_over`."""
        raise NotImplementedError

    def trouble(self) -> str | None:
        """Why nothing can be read from it, judged by its beginning; None if something can."""
        return None

    def samples(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Sample]]:
        """The samples whose numbers are wanted, each with its number."""
        for number, sample in enumerate(islice(self.stream(), self.limit)):
            if wanted(number):
                yield number, sample

    @cached_property
    def survey(self) -> Survey:
        """Count the samples, once.

        Raises:
            SteerError: If there are none, the source cannot be read, or a path leads out of its folder.
        """
        digest, keys, count = hashlib.sha256(), hashlib.sha256(), 0
        digest.update(_state(self.files))
        for _, sample in self.samples():
            key = sample.key.encode("utf-8", "surrogatepass") + b"\n"
            keys.update(key)
            digest.update(key + _state(sample.files))
            count += 1
        self.passed_over.close()
        self._keys = keys.hexdigest()
        if not count:
            raise SteerError(f"there is no captioned picture in {self.name}: {KINDS}")
        return Survey(self.kind, self.name, count, digest.hexdigest()[:16])

    @property
    def content(self) -> str:
        """What tells these pairs from others wherever their files lie: a copy on another machine has the same."""
        digest = self.survey.digest
        return self._keys or digest

    def pictures(self, numbers: Iterable[int]) -> Iterator[tuple[int, Image.Image]]:
        """The pictures of some samples, in the source's order. SteerError for one that can no longer be read."""
        wanted = set(numbers)
        for number, sample in islice(self.samples(wanted.__contains__), len(wanted)):
            try:
                yield number, sample.picture()
            except Exception as error:  # any exception of a decoder
                raise SteerError(
                    f"{sample.key} could be read when it was embedded and cannot now ({first_line(error)}): put it back"
                ) from error


class SyntheticPairs(Pairs):
    """Pairs made from a seed. More of them cost nothing, so held-out pairs are made instead of set apart."""

    seed: int

    def reseeded(self, seed: int, count: int) -> "SyntheticPairs":
        """`count` pairs of another seed."""
        raise NotImplementedError

    def captions_only(self, count: int) -> list[list[str]]:
        """`count` scenes without a picture, each in several captions: all scenes in equally many."""
        raise NotImplementedError


def title(files: list[Path]) -> str:
    """What messages call a source of one or more files."""
    return files[0].name if len(files) == 1 else f"{files[0].name} … {files[-1].name} ({len(files)} files)"


def _state(files: Sequence[Path]) -> bytes:
    """Size and time of change of each file: one of them changes when a file is rewritten, and neither needs reading."""
    state = b""
    for file in files:
        try:
            status = os.stat(file)
            state += f"{status.st_size} {status.st_mtime_ns}\n".encode()
        except OSError:
            state += b"missing\n"
    return state
