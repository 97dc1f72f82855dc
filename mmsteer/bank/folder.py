"""The folder of a bank: bank.json, read and written whole or not at all, and room for a bank beside the one it replaces.

bank.json holds `meta` (schema, sources, digests, figures of the dictionaries) and `features`, one line a feature, so that a
person can read it and a change of one feature is a change of one line.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmsteer.bank.feature import Feature
from mmsteer.errors import SteerError

SCHEMA = 5
"""5 has the field names of `Feature`; 4 differs in three of them and in `meta`, and is still read."""
_READABLE = (4, 5)
_OLD_META = {"bridge": "text_to_joint"}
CURE = "Restore the bank (for the embedded one: git checkout assets/banks) or build it again with `python -m mmsteer bank build`"


def read_index(folder: Path) -> tuple[dict[str, Any], list[Feature]]:
    """`meta` and the features of a folder's bank.json; SteerError names what is missing, damaged or of another schema."""
    path = folder / "bank.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        meta = {_OLD_META.get(key, key): value for key, value in data["meta"].items()}
        schema = meta["schema"]
        if schema not in _READABLE:
            cure = "update mmsteer" if schema > SCHEMA else "build the bank again"
            raise SteerError(f"{path} has schema {schema}; this mmsteer reads schema {SCHEMA}: {cure}")
        return meta, [Feature.from_record(record) for record in data["features"]]
    except SteerError:
        raise
    except FileNotFoundError:
        raise SteerError(f"there is no bank in {folder}: {path} does not exist. {CURE}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SteerError(f"{path} is damaged ({type(error).__name__}: {error}). {CURE}") from None


def write_index(meta: Mapping[str, Any], features: list[Feature], folder: Path) -> None:
    """Write bank.json: under another name first, then in its place."""
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
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise SteerError(f"cannot write to {folder.parent} ({error.strerror}): give a folder somewhere else") from error
    return partial
