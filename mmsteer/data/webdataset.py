"""Pairs in webdataset tars, read in place: never unpacked."""

import json
import re
import tarfile
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath

from PIL import Image

from mmsteer.data.pairs import CAPTIONS, Pairs, title
from mmsteer.data.sample import SUFFIXES, Sample, check_bytes, decode, text_of
from mmsteer.errors import SteerError, first_line


class Tars(Pairs):
    """Webdataset tars: members with one name are one pair, `000.jpg` with `000.txt` or `000.json`."""

    kind = "webdataset"

    def __init__(self, files: list[Path], limit: int | None = None) -> None:
        super().__init__(title(files), limit, place=files[0], files=files)

    def stream(self) -> Iterator[Sample]:
        """All pairs of all tars, in their order."""
        for file in self.files:
            for key, members in groupby(_members(file), key=lambda member: member[0]):
                parts = {suffix: place for _, suffix, place in members}
                picture = next((place for suffix, place in parts.items() if f".{suffix}" in SUFFIXES), None)
                if picture or "txt" in parts or "json" in parts:
                    read = partial(_tar_picture, file, picture), partial(_tar_caption, file, parts)
                    yield Sample(f"{file.name}/{key}", *read)


_Place = tuple[int, int]  # offset and number of a member's bytes


def _members(file: Path) -> Iterator[tuple[str, str, _Place]]:
    """Name without ending, ending in lower case, and place of each file in a tar. Only headers are read."""
    try:
        with tarfile.open(file, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would collect every header
                if ".." in PurePosixPath(member.name).parts or member.name.startswith("/") or "\\" in member.name:
                    raise SteerError(
                        f"{file} contains the path {member.name[:80]!r}, which climbs out of its folder: use only tars that you "
                        "trust, or pack it again"
                    )
                name = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", member.name)
                if member.isfile() and name:
                    yield name[1], name[2].lower(), (member.offset_data, member.size)
    except (tarfile.TarError, OSError) as error:
        raise SteerError(
            f"cannot read {file} as a tar ({first_line(error)}): it is cut off, compressed or no tar; fetch it again, or pack it "
            "without compression"
        ) from error


def _tar_bytes(file: Path, place: _Place) -> bytes:
    start, size = place
    check_bytes(size)
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
    return text_of(next((record[name] for name in CAPTIONS if record.get(name)), None))
