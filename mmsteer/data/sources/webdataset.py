"""Pairs in webdataset tars, read in place: never unpacked."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from mmsteer.data.pairs import Pairs, title
from mmsteer.data.sample import SUFFIXES, Sample, captions_of, decode
from mmsteer.data.sources.columns import CAPTIONS, parse_columns
from mmsteer.data.sources.tar_index import Member, read_member, read_members
from mmsteer.data.text_file import decode_text

_TEXTS = ("txt", "caption")
Group = dict[str, Member]
"""Members of one name, by their endings."""


class Tars(Pairs):
    """Webdataset tars: members with one name are one picture and its captions, `000.jpg` with `000.txt` or `000.json`.

    As columns, endings of members and keys of their JSON are given: `jpg,txt` or `jpg,re_caption`.
    """

    kind = "webdataset"
    options = ("columns", "encoding")

    def __init__(
        self, files: list[Path], limit: int | None = None, columns: str | None = None, encoding: str | None = None
    ) -> None:
        super().__init__(title(files), limit, columns, files[0], files, encoding)
        self._picture, self._caption = parse_columns(columns)

    def stream(self) -> Iterator[Sample]:
        """All pictures of all tars, in their order."""
        for file in self.files:
            for name, group in self._groups(file):
                yield from self._samples(file, name, group)

    def trouble(self) -> str | None:
        """No member of the first tar is a picture."""
        for member in read_members(self.files[0]):
            if isinstance(member, Member) and self._is_picture(member.ending):
                return None
        return f"{self.files[0].name} contains no picture"

    def _groups(self, file: Path) -> list[tuple[str, Group]]:
        """Members by name, wherever in the tar they are. A name and ending that comes again begins another group."""
        groups: list[tuple[str, Group]] = []
        latest: dict[str, Group] = {}
        for member in read_members(file):
            if isinstance(member, str):
                self.passed_over.add(f"{file.name}/{member}", "no regular file with an ending")
                continue
            group = latest.get(member.name)
            if group is None or member.ending in group:
                group = latest[member.name] = {}
                groups.append((member.name, group))
            group[member.ending] = member
        return groups

    def _samples(self, file: Path, name: str, group: Group) -> Iterator[Sample]:
        """The samples of a group: one, or several if names have dots (`a.1.jpg` with `a.1.txt`, `a.2.jpg` with `a.2.txt`)."""
        pictures = sorted(filter(self._is_picture, group), key=lambda ending: ending.count("."))
        with_own = [ending for ending in pictures if "." in ending and self._texts(group, _stem(ending))]
        used: set[str] = set()
        for ending in with_own or pictures[:1] or [""]:
            stem = _stem(ending) if with_own else ""
            texts = self._texts(group, stem)
            if ending or texts:
                used |= {ending, *(member.ending for member in texts.values())}
                read = partial(_picture, file, group.get(ending)), partial(self._captions, file, texts)
                yield Sample(f"{file.name}/{name}{stem and '.' + stem}", *read)
        for ending in sorted(group.keys() - used):
            kind = ending.rpartition(".")[2]
            self.passed_over.add(f"{file.name}/{name}.{ending}", f"neither the picture nor the caption (.{kind})")

    def _is_picture(self, ending: str) -> bool:
        if self._picture:
            return ending == self._picture or ending.endswith(f".{self._picture}")
        return f".{ending.rpartition('.')[2]}" in SUFFIXES

    def _texts(self, group: Group, stem: str) -> Group:
        """What the captions of the picture with this stem are read from: texts, or else JSON."""
        named = {kind: group.get(f"{stem}.{kind}" if stem else kind) for kind in (*_TEXTS, "json", self._caption)}
        kinds = (
            [self._caption]
            if named[self._caption]
            else []
            if self._caption
            else [kind for kind in _TEXTS if named[kind]]
        )
        return {kind: member for kind in kinds or ["json"] if (member := named[kind])}

    def _captions(self, file: Path, texts: Group) -> list[str]:
        if not texts:
            raise ValueError(f"no caption {self._caption}".rstrip())
        if "json" not in texts:
            return [decode_text(read_member(file, member), self.encoding) for member in texts.values()]
        record: Any = json.loads(read_member(file, texts["json"]))
        if not isinstance(record, dict):
            raise ValueError("the JSON is no object")
        keys = (self._caption,) if self._caption else CAPTIONS
        for key in keys:
            if record.get(key):
                return captions_of(record[key])
        raise ValueError(
            f"its JSON has no {' or '.join(keys)}, but {', '.join(map(str, list(record)[:20]))}: give --columns ,KEY"
        )


def _stem(ending: str) -> str:
    """All of an ending but its last part: what `a.1.jpg` and `a.1.txt` share beside the name `a`."""
    return ending.rpartition(".")[0]


def _picture(file: Path, member: Member | None) -> Image.Image:
    if member is None:
        raise ValueError("no picture")
    return decode(read_member(file, member))
