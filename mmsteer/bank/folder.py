"""The folder of a bank: bank.json, read and written whole or not at all, and room for a bank beside the one it replaces.

bank.json holds `meta` (schema, sources, digests, figures of the dictionaries) and `features`, one line a feature, so that a
person can read it and a change of one feature is a change of one line.
"""

import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from mmsteer.bank.feature import Feature, current_fields
from mmsteer.errors import SteerError, first_line, quoted

SCHEMA = 5
"""5 has the field names of `Feature`; 4 differs in three of them and in `meta`, and is still read."""
_READABLE = (4, 5)
_LARGEST = 256_000_000  # bytes of a bank.json: far more than any has, and less than a small machine's memory
_OLD_META = {"bridge": "text_to_joint"}
_OWN = re.compile(
    r"bank\.json|bridge\.safetensors|(image|text|shared)/(cfg\.json|sae_weights\.safetensors)|examples/\d+\.webp"
    r"|pictures/(pictures\.json|(\d-before|\d-after|plain|feature-\d+)\.webp)"
)
"""The files of a bank, by their paths in its folder."""
CURE = "Restore the bank (for the embedded one: git checkout assets/banks) or build it again with `python -m mmsteer bank build`"


def read_index(folder: Path) -> tuple[dict[str, Any], list[Feature]]:
    """`meta` and the features of a folder's bank.json, checked together with the headers of its weights.

    SteerError says what is missing, damaged, of another schema or out of range.
    """
    from mmsteer.bank.schema import check_index, check_sizes

    path = folder / "bank.json"
    try:
        if path.stat().st_size > _LARGEST:
            raise SteerError(
                f"it has {path.stat().st_size / 1e6:,.0f} MB, and at most {_LARGEST / 1e6:.0f} MB are read"
            )
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_key_twice)
        meta = {_OLD_META.get(key, key): value for key, value in data["meta"].items()}
        _check_schema(meta["schema"])
        features = check_index(meta, [current_fields(record) for record in data["features"]])
    except FileNotFoundError:
        raise SteerError(f"there is no bank in {folder}: {path} does not exist. {CURE}") from None
    except SteerError as error:
        raise SteerError(f"{path} cannot be used: {error}. {CURE}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SteerError(f"{path} is damaged ({type(error).__name__}: {first_line(error)[:80]}). {CURE}") from None
    try:
        check_sizes(folder, features, meta["dictionaries"])
    except SteerError as error:
        raise SteerError(f"the bank in {folder} cannot be used: {error}. {CURE}") from None
    return meta, features


def _check_schema(schema: Any) -> None:
    if type(schema) is not int or schema not in _READABLE:
        cure = "update mmsteer" if type(schema) is int and schema > SCHEMA else "build the bank again"
        raise SteerError(f"it has schema {quoted(schema)}; this mmsteer reads schema {SCHEMA}: {cure}")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError if a key is there twice, of which programs read different ones."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)[:40]!r} is there twice")
    return content


def write_index(meta: Mapping[str, Any], features: list[Feature], folder: Path) -> None:
    """Write bank.json: under another name first, then in its place. SteerError for what could not be read again."""
    from mmsteer.bank.schema import check_index

    check_index(meta, [vars(feature) for feature in features])
    path = folder / "bank.json"
    lines = ",\n  ".join(json.dumps(asdict(feature), ensure_ascii=False) for feature in features)
    about = json.dumps({**meta, "schema": SCHEMA}, ensure_ascii=False)
    partial = path.with_suffix(".partial")
    partial.write_text(f'{{\n "meta": {about},\n "features": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
    partial.replace(path)


def make_room(folder: Path) -> Path:
    """An empty folder beside `folder`, where a bank is written before it takes that place.

    SteerError where `folder` holds anything but a bank, and where nothing can be written.
    """
    if not (folder / "bank.json").is_file() and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise SteerError(f"{folder} exists and is no bank: give a folder that does not exist")
    partial = _beside(folder, "partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise SteerError(f"cannot write to {folder.parent} ({error.strerror}): give a folder somewhere else") from error
    return partial


def files_of(folder: Path) -> list[PurePosixPath]:
    """The files in a folder that belong to a bank, by their paths within it."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [PurePosixPath(name) for name in sorted(names) if _OWN.fullmatch(name)]


def put_in_place(partial: Path, folder: Path) -> None:
    """Rename a bank that `make_room` made room for to `folder`. The bank that was there goes; every other file stays."""
    if not folder.exists():
        partial.replace(folder)
        return
    old = _beside(folder, "old")
    folder.replace(old)
    partial.replace(folder)
    own = {old / name for name in files_of(old)}
    for path in sorted(path for path in old.rglob("*") if path.is_symlink() or path.is_file()):
        if path not in own:
            target = folder / path.relative_to(old)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path, suffix: str) -> Path:
    """A name that nothing has beside a folder."""
    return folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.{suffix}")
