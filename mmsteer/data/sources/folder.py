"""The simplest source: a folder of pictures with captions beside them."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mmsteer.data.pairs import Pairs
from mmsteer.data.sample import SUFFIXES, Sample, leads_out, read_file, read_picture
from mmsteer.data.text_file import decode_text

_CAPTIONS = (".txt", ".caption")
_OTHER_PICTURES = (".avif", ".heic", ".heif", ".jxl", ".tif", ".tiff", ".svg")


class Folder(Pairs):
    """Pictures with captions side by side, `cat.jpg` with `cat.txt`, `cat.caption` or both, in subfolders too."""

    kind = "folder"
    options = ("encoding",)

    def __init__(self, folder: Path, limit: int | None = None, encoding: str | None = None) -> None:
        super().__init__(folder.resolve().name, limit, place=folder, encoding=encoding)
        self._folder = folder

    def stream(self) -> Iterator[Sample]:
        """All pictures, by name."""
        for path in self._walk(self._folder):
            key = path.relative_to(self._folder).as_posix()
            captions = tuple(path.with_suffix(suffix) for suffix in _CAPTIONS)
            yield Sample(key, partial(read_picture, path), partial(self._read, captions), files=(path, *captions))

    def trouble(self) -> str | None:
        """No picture, or none of them with a caption."""
        count = 0
        for path in self._walk(self._folder, report=False):
            if any(path.with_suffix(suffix).exists() for suffix in _CAPTIONS):
                return None
            count += 1
        return f"{count:,} pictures without a caption beside them" if count else "no picture"

    def _read(self, captions: tuple[Path, ...]) -> list[str]:
        texts = []
        for path in captions:
            if path.is_symlink() and leads_out(path, self._folder):
                raise ValueError(f"{path.name} is a link that leads out of {self.name}")
            if path.exists():
                texts.append(decode_text(read_file(path), self.encoding))
        if not texts:
            raise ValueError(f"no caption: {captions[0].name} is missing")
        return texts

    def _walk(self, folder: Path, report: bool = True) -> Iterator[Path]:
        """Picture files in the order of their names; only the names of one folder at a time are in memory."""
        with os.scandir(folder) as entries:
            visible = sorted(
                (entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name
            )
        stems = {Path(entry.name).stem for entry in visible if entry.name.lower().endswith(SUFFIXES)}
        for entry in visible:
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), report)
            elif (reason := self._reason(entry, stems)) is None:
                yield Path(entry.path)
            elif reason and report:
                self.passed_over.add(entry.name, reason)

    def _reason(self, entry: os.DirEntry[str], stems: set[str]) -> str | None:
        """Why an entry of a folder is passed over: None for a picture to read, "" for a caption of one."""
        path = Path(entry.path)
        suffix = path.suffix.lower()
        if entry.is_dir():
            return "a link to a folder, which is not followed"
        if entry.is_symlink() and leads_out(path, self._folder):
            return "a link that leads out of the folder"
        if not entry.is_file():
            return "no regular file"
        if suffix in SUFFIXES:
            return None
        if path.suffix in _CAPTIONS:
            return "" if path.stem in stems else "a caption without a picture"
        if suffix in _OTHER_PICTURES:
            return f"a picture of the kind {suffix}: convert it to JPEG or PNG"
        return f"neither a picture nor a caption ({suffix or 'no ending'})"
