"""Pairs in webdataset tars of a hub repository, fetched one tar at a time, and no more of them than are read."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from mmsteer.data.pairs import Pairs, Survey
from mmsteer.data.sample import Sample
from mmsteer.data.sources.hub import Hub
from mmsteer.data.sources.webdataset import Tars
from mmsteer.hub.repository import Repository, look_up


class HubTars(Pairs):
    """Webdataset tars of a data set at one commit. The hub's cache keeps them, so the next run fetches none of them again.

    Args:
        repository: the data set.
        tars: which of its files, in order.
        limit: as for every source; the number of pairs is not known before the tars are read.
        columns: as for `Tars`.
        encoding: as for `Tars`.
    """

    kind = "hub"
    options = ("columns", "encoding")

    def __init__(
        self, repository: Repository, tars: Sequence[str], limit: int | None = None, columns: str | None = None,
        encoding: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"hub:{repository.name}", limit, columns, encoding=encoding)
        self.address += " ".join(tars)
        self.repository, self.tars = repository, tars

    def stream(self) -> Iterator[Sample]:
        """All pairs of all tars; a tar is fetched when the one before it was read to the end."""
        for tar in self.tars:
            fetched = Tars([self.repository.fetch([tar]) / tar], None, self.columns, self.encoding)
            fetched.passed_over = self.passed_over
            yield from fetched.stream()

    @cached_property
    def survey(self) -> Survey:
        """At most `limit` pairs, and the commit as digest; nothing is fetched for it."""
        return Survey(self.kind, self.name, self.limit, self.repository.commit)


def open_hub(name: str, limit: int | None = None, columns: str | None = None, encoding: str | None = None) -> Pairs:
    """Open a data set of the hub: its tars, where it consists of tars, else the stream of the package `datasets`.

    Args:
        name: `OWNER/NAME[@REVISION][:SPLIT]`.
        limit: only the first so many samples.
        columns: `PICTURE,CAPTION`, if a table has unusual names for them.
        encoding: of texts in tars, if it is not UTF-8.

    Raises:
        SteerError: the name cannot be read, or as `look_up`.
    """
    streamed = Hub(name, limit, columns)  # checks the name
    address, _, split = name.partition(":")
    repository = look_up(address, "dataset")
    tars = tars_of(repository, split or "train")
    return HubTars(repository, tars, limit, columns, encoding) if tars else streamed


def tars_of(repository: Repository, split: str) -> list[str]:
    """The tars of a split: those with its name in their path; all tars, where no path names a split."""
    tars = sorted(file for file in repository.sizes if file.endswith(".tar"))
    named = {tar: set(re.split(r"[^a-z0-9]+", tar.lower())) for tar in tars}
    if any(words & {split, "train", "validation", "valid", "val", "test"} for words in named.values()):
        return [tar for tar in tars if split.lower() in named[tar]]
    return tars
