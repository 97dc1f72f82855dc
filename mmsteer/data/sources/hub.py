"""A data set of the Hugging Face hub, streamed row by row."""

import re
from collections.abc import Iterator
from functools import cached_property, partial
from importlib import import_module
from typing import Any

from PIL import Image

from mmsteer.data.pairs import Pairs, Survey
from mmsteer.data.sample import MOST_BYTES, Sample, captions_of, decode
from mmsteer.data.sources.columns import find_columns, optional
from mmsteer.errors import SteerError, first_line
from mmsteer.image_file import upright_rgb


class Hub(Pairs):
    """A data set of the Hugging Face hub, streamed: `OWNER/NAME[@REVISION][:SPLIT]`; the default split is `train`."""

    kind = "hub"
    options = ("columns",)

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
        datasets = optional("datasets", "datasets")
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
    datasets = optional("datasets", "datasets")
    features = stream.features or next(iter(stream.take(1)))
    picture, caption = find_columns(features, columns, name)
    if isinstance((stream.features or {}).get(picture), datasets.Image):
        stream = stream.cast_column(picture, datasets.Image(decode=False))
    for number, row in enumerate(stream.select_columns(list(dict.fromkeys((picture, caption))))):
        yield Sample(f"{name} row {number}", partial(_streamed, row[picture]), partial(captions_of, row[caption]))


def _streamed(value: Any) -> Image.Image:
    if isinstance(value, Image.Image):
        return upright_rgb(value)
    data = value.get("bytes") if isinstance(value, dict) else value
    if not data and isinstance(value, dict):
        with import_module("fsspec").open(value["path"], "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    if not isinstance(data, bytes):
        raise ValueError("no picture")
    return decode(data)
