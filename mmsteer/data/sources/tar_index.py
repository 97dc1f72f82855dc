"""What lies where in a tar: only headers are read, and a hostile or damaged one is refused in one sentence."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mmsteer.data.sample import check_bytes
from mmsteer.errors import SteerError, first_line


class Member(NamedTuple):
    """A file in a tar. As webdataset splits it, the name ends at the first dot of its last part."""

    name: str
    ending: str
    """All that follows that dot, in lower case: `jpg`, or `input.jpg`."""
    start: int
    size: int


def read_members(file: Path) -> Iterator[Member | str]:
    """The regular files in a tar, in their order; the name of anything else, or of a file without an ending.

    Raises:
        SteerError: If the tar is damaged, compressed, or names a file outside its folder.
    """
    end = file.stat().st_size
    try:
        with tarfile.open(file, "r:") as tar:
            before = -1
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would collect every header
                _check(file, member, tar.offset, before, end)
                before = tar.offset
                split = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", member.name)
                if member.isdir():
                    continue
                if split and member.isreg() and member.sparse is None:
                    yield Member(split[1], split[2].lower(), member.offset_data, member.size)
                else:
                    yield member.name
            _check_end(file, tar.offset)
    except SteerError:
        raise
    except Exception as error:  # tarfile raises many kinds for headers that are damaged on purpose
        raise _damaged(file, first_line(error)) from error


def read_member(file: Path, member: Member) -> bytes:
    """The bytes of a file in a tar."""
    check_bytes(member.size)
    with file.open("rb") as opened:
        opened.seek(member.start)
        return opened.read(member.size)


def _check(file: Path, member: tarfile.TarInfo, offset: int, before: int, end: int) -> None:
    """SteerError for a member that lies outside the folder or the tar, or from which no way leads on."""
    if ".." in PurePosixPath(member.name).parts or member.name.startswith("/") or "\\" in member.name:
        raise SteerError(
            f"{file} contains the path {member.name[:80]!r}, which climbs out of its folder: use only tars that you trust, or pack "
            "it again"
        )
    if member.size < 0 or offset <= before:
        raise _damaged(file, f"the size of {member.name[:80]!r} is {member.size}")
    if member.isreg() and member.sparse is None and member.offset_data + member.size > end:
        raise _damaged(file, f"{member.name[:80]!r} ends behind the end of the file")


def _check_end(file: Path, offset: int) -> None:
    """SteerError if what follows the last member is not the zeros that end a tar: tarfile would stop there in silence."""
    with file.open("rb") as opened:
        opened.seek(offset)
        if opened.read(512).strip(b"\0"):
            raise _damaged(file, f"no header at byte {offset}")


def _damaged(file: Path, why: str) -> SteerError:
    return SteerError(
        f"cannot read {file} as a tar ({why}): it is cut off, damaged, compressed or no tar; fetch it again, or pack it without "
        "compression"
    )
