"""The source that a text names. What a folder is, is decided by what can be read in it, nearest first."""

import glob
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast

from mmsteer.data.pairs import KINDS, Pairs
from mmsteer.data.sample import SUFFIXES, leads_out
from mmsteer.data.sources.columns import parse_columns
from mmsteer.data.sources.folder import Folder
from mmsteer.data.sources.hub_tars import open_hub
from mmsteer.data.sources.listed import Coco, Listed
from mmsteer.data.sources.parquet import Parquet
from mmsteer.data.sources.rows import DELIMITED
from mmsteer.data.sources.webdataset import Tars
from mmsteer.data.text_file import check_encoding
from mmsteer.errors import SteerError

_SYNTHETIC = {"world": "mmsteer.world.source"}
"""Sources made from a seed, `NAME[:SEED]`: name -> module with `open_pairs(seed, limit)`, imported when it is asked for."""
_METADATA = ("metadata.jsonl", "metadata.csv")  # as the image folders of `datasets`
_COCO = "captions_*.json"


class _Candidate(NamedTuple):
    """A way to read some of the files that are there."""

    files: list[Path]
    open: Callable[[], Pairs]


class _Trouble(NamedTuple):
    """Why some files cannot be read."""

    files: list[Path]
    reason: str


class _Options(NamedTuple):
    limit: int | None
    columns: str | None
    encoding: str | None


def open_pairs(source: str, limit: int | None = None, columns: str | None = None, encoding: str | None = None) -> Pairs:
    """Open a source; only beginnings of files are read yet.

    Args:
        source: A folder, a file, a pattern of files, `hub:OWNER/NAME[@REVISION][:SPLIT]` or `world[:SEED]`.
        limit: Only the first so many samples.
        columns: `PICTURE,CAPTION`, if a table has unusual names for them: columns, or endings and JSON keys in tars.
        encoding: Of text files, if it is not UTF-8 and no byte-order mark states it.

    Raises:
        SteerError: If nothing is there, it is of a kind that cannot be read, or an option means nothing for it.
    """
    parse_columns(columns)
    if encoding:
        check_encoding(encoding)
    pairs = _open(source, _Options(limit, columns, encoding))
    for option, given in (("columns", columns), ("encoding", encoding)):
        if given and option not in pairs.options:
            raise SteerError(
                f"--{option} {given}: {pairs.name} is a source of the kind {pairs.kind}, which has no {option} to choose; leave it out"
            )
    return pairs


def _open(source: str, options: _Options) -> Pairs:
    kind, _, rest = source.partition(":")
    if kind in _SYNTHETIC and (not rest or rest.isdecimal()):
        return cast(Pairs, import_module(_SYNTHETIC[kind]).open_pairs(int(rest or 0), options.limit))
    if kind == "hub":
        return open_hub(rest, *options)
    path = Path(source)
    if path.is_dir():
        return _open_folder(path, options)
    files = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(source, recursive=True))]
    if not files:
        raise SteerError(f"there are no pairs at {source!r}: {KINDS}")
    pairs, troubles = _choose([file for file in files if file.is_file()], options)
    if pairs is None:
        raise SteerError(
            "; ".join(trouble.reason for trouble in troubles)
            if troubles
            else f"cannot read pairs from files such as {files[0]}: {KINDS}"
        )
    return pairs


def _open_folder(folder: Path, options: _Options) -> Pairs:
    """The nearest source in a folder: its tables and shards, captions beside pictures, or the same one level down."""
    files, links = _files_of(folder)
    pairs, troubles = _choose(files, options)
    if pairs is None:
        pairs = Folder(folder, options.limit, options.encoding)
        reason = pairs.trouble()
        below = _one_level_down(folder, options) if reason else []
        if len(below) > 1:
            names = ", ".join(str(folder / name) for name, _ in below)
            raise SteerError(f"{folder} has pairs in several of its folders: give one of them, {names}")
        if below:
            pairs = below[0][1]
        elif reason:
            why = "; ".join([*(trouble.reason for trouble in troubles), reason])
            raise SteerError(f"there is no captioned picture in {folder.resolve().name} ({why}): {KINDS}")
    for trouble in troubles:
        name = trouble.files[0].name
        pairs.passed_over.add(name, trouble.reason.removeprefix(f"{name} "), len(trouble.files))
    for link in links if not isinstance(pairs, Folder) else ():  # which names them itself
        pairs.passed_over.add(link.name, "a link that leads out of the folder")
    return pairs


def _files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """Regular files, by name, and links that lead out of the folder."""
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    links = [path for path in entries if path.is_symlink() and leads_out(path, folder)]
    return [path for path in entries if path.is_file() and path not in links], links


def _one_level_down(folder: Path, options: _Options) -> list[tuple[str, Pairs]]:
    """Tables and shards in the subfolders."""
    below = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            pairs, _ = _choose(_files_of(path)[0], options)
            if pairs is not None:
                below.append((path.name, pairs))
    return below


def _choose(files: list[Path], options: _Options) -> tuple[Pairs | None, list[_Trouble]]:
    """The first source that can be read from files, and why those before it cannot."""
    troubles: list[_Trouble] = []
    for candidate in _candidates(files, options):
        pairs = candidate.open()
        if (trouble := pairs.trouble()) is None:
            tried = [file for trouble in troubles for file in trouble.files]
            _name_others(pairs, [file for file in files if file not in tried], candidate.files)
            return pairs, troubles
        troubles.append(_Trouble(candidate.files, trouble))
    return None, troubles


def _candidates(files: list[Path], options: _Options) -> Iterator[_Candidate]:
    """Ways to read files, in the order in which they are tried."""
    limit, columns, encoding = options
    tables = [file for name in _METADATA for file in files if file.name == name]
    others = [file for file in files if _is_table(file, len(files) == 1) and file not in tables]
    for table in tables:
        yield _Candidate([table], partial(Listed, table, limit, columns, encoding))
    if parquet := [file for file in files if file.suffix == ".parquet"]:
        yield _Candidate(parquet, partial(Parquet, parquet, limit, columns))
    if tars := [file for file in files if file.suffix == ".tar"]:
        yield _Candidate(tars, partial(Tars, tars, limit, columns, encoding))
    for table in others:
        yield _Candidate([table], partial(Listed, table, limit, columns, encoding))
    folder = files[0].parent if files else Path()
    below = sorted((folder / "annotations").glob(_COCO)) if len(files) != 1 else []
    for table in [file for file in files if file.match(_COCO) or (len(files) == 1 and file.suffix == ".json")] + below:
        yield _Candidate([table], partial(Coco, table, limit))


def _is_table(file: Path, alone: bool) -> bool:
    """Whether a file may be a table. One that ends in .txt usually is a caption, unless it is given alone or called captions."""
    if file.suffix.lower() == ".txt":
        return alone or file.name.lower().startswith("captions")
    return file.suffix.lower() in (*DELIMITED, ".jsonl")


def _name_others(pairs: Pairs, files: list[Path], read: list[Path]) -> None:
    """Add to `passed_over` what lies beside a source's own files."""
    beside = isinstance(pairs, Listed) or (isinstance(pairs, Parquet) and pairs.beside)
    for file in files:
        if file not in read and not (beside and file.suffix.lower() in SUFFIXES):
            suffix = file.suffix.lower() or "no ending"
            pairs.passed_over.add(file.name, f"not read ({suffix}), as {read[0].name} is")
