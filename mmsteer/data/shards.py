"""A folder of embeddings: shards, each written completely or not at all, and a manifest that names model and source.

Knows files and checksums; nothing about models or pictures.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch

from mmsteer.data.annotations import Annotation
from mmsteer.data.embeddings import Captions, Embedded, Rows
from mmsteer.errors import SteerError, first_line


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of embeddings: model, source, totals and shards."""
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        manifest["model"], manifest["source"], manifest["shards"], manifest["complete"]
    except (ValueError, KeyError, TypeError) as error:
        raise SteerError(f"{path} is damaged ({first_line(error)}): delete {folder} and embed again") from None
    return manifest


def begin(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of an empty folder, or compare it with the one in the folder.

    Shards that no longer exist are removed from the manifest. SteerError if the folder is of another model or source.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        write_bytes(path, _json(manifest | {"complete": False, "shards": []}))
        return
    stored = read_manifest(folder)
    for key, expected in manifest.items():
        if stored.get(key) != expected:
            raise _mismatch(folder, key, stored.get(key), expected)
    present = [record for record in stored["shards"] if (folder / record["file"]).is_file()]
    if present != stored["shards"]:
        write_bytes(path, _json(stored | {"complete": False, "shards": present}))


def _mismatch(folder: Path, key: str, stored: Any, expected: Any) -> SteerError:
    """The error for a folder of another model, source or shard size."""
    if key == "source" and all(stored.get(part) == expected[part] for part in ("kind", "name")):
        return SteerError(
            f"the pairs of {expected['name']} have changed since {folder} was begun ({stored.get('items')} then, "
            f"{expected['items']} now; pictures or captions were added, removed, renamed or rewritten): put them back, or "
            "delete that folder to embed all of them again"
        )
    return SteerError(
        f"{folder} contains embeddings of another {key}: {_short(stored)}; this one is {_short(expected)}. Give another --work, "
        "or delete that folder to embed again"
    )


def _short(value: Any) -> str:
    if not isinstance(value, dict):
        return "not stated" if value is None else str(value)
    parts = {key: value.get(key) for key in ("id", "revision", "digest", "dtype", "kind", "name", "items")}
    return ", ".join(f"{key} {str(part)[:40]}" for key, part in parts.items() if part is not None)


def finish(folder: Path, complete: bool) -> None:
    """Add new shards to the manifest; with `complete`, check all of them and list the skipped samples.

    Raises:
        SteerError: If a shard is damaged, or `complete` and no pair could be read.
    """
    stored = read_manifest(folder)
    records = {record["file"]: record for record in stored["shards"]}
    for path in sorted(folder.glob("*.safetensors")):
        if complete or path.name not in records:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            known = records.get(path.name)
            if known and known["sha256"] != digest:
                raise SteerError(
                    f"{path} is damaged (its SHA-256 is not the manifest's): delete it and run again, only its pairs are embedded "
                    "again"
                )
            if not known:
                about = _about(path)
                counts = {"pairs": about["pairs"], "skipped": len(about["skipped"])}
                records[path.name] = {"file": path.name, **counts, "sha256": digest}
    shards = [records[name] for name in sorted(records)]
    totals = {key: sum(record[key] for record in shards) for key in ("pairs", "skipped")}
    if complete and not stored["complete"]:
        skipped = [skip for record in shards for skip in _about(folder / record["file"])["skipped"]]
        lines = [json.dumps(skip, ensure_ascii=False) for skip in skipped]
        if not totals["pairs"]:
            why = f", such as {lines[0]}" if lines else ""
            raise SteerError(f"none of the {totals['skipped']} pairs of {stored['source']['name']} could be read{why}")
        write_bytes(folder / "skipped.jsonl", "".join(f"{line}\n" for line in lines).encode())
    new = stored | totals | {"complete": complete, "shards": shards}
    if new != stored:
        write_bytes(folder / "manifest.json", _json(new))


class Shard(NamedTuple):
    """Some consecutive samples of a source, embedded or skipped."""

    image: torch.Tensor
    """`[n, d_joint]`"""
    text: torch.Tensor
    """`[n, d_joint]`"""
    captions: list[str]
    items: list[int]
    """Their numbers in the source."""
    pictures: list[int]
    """Fingerprints: the same for pairs of one picture."""
    annotations: list[Annotation]
    """Empty if the source has none."""
    skipped: list[dict[str, Any]]
    """Samples that could not be read, with the reason."""


def write_shard(folder: Path, number: int, shard: Shard) -> None:
    """Write a shard, completely or not at all; captions as bytes and the offsets at which they end."""
    from safetensors.torch import save

    captions = [caption.encode() for caption in shard.captions]
    none = np.zeros((len(captions), 0), np.int64), np.zeros((len(captions), 0), np.bool_)
    values, mentioned = map(np.stack, zip(*shard.annotations, strict=True)) if shard.annotations else none
    tensors = {
        "image": shard.image,
        "text": shard.text,
        "captions": torch.from_numpy(np.frombuffer(b"".join(captions), np.uint8).copy()),
        "ends": torch.tensor([len(caption) for caption in captions], dtype=torch.int64).cumsum(0),
        "items": torch.tensor(shard.items, dtype=torch.int64),
        "pictures": torch.tensor(shard.pictures, dtype=torch.int64),
        "factors": torch.from_numpy(values),
        "mentioned": torch.from_numpy(mentioned),
    }
    about = {"pairs": len(captions), "skipped": shard.skipped}
    # one entry: several would have no fixed order, and the same pairs must make the same file
    data = save(tensors, metadata={"mmsteer": json.dumps(about, ensure_ascii=False)})
    write_bytes(path_of(folder, number), data)


def path_of(folder: Path, number: int) -> Path:
    """The file of a shard."""
    return folder / f"{number:05d}.safetensors"


def numbers_of(folder: Path) -> set[int]:
    """Numbers of the shards in a folder."""
    return {int(path.stem) for path in folder.glob("*.safetensors")}


def _about(path: Path) -> dict[str, Any]:
    """A shard's metadata: number of pairs, skipped samples. SteerError if it cannot be read."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["mmsteer"])
            return about
    except Exception as error:  # any exception of the library for a damaged file
        raise SteerError(
            f"{path} is damaged ({first_line(error)}): delete it and run again, only its pairs are embedded again"
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file completely or not at all; SteerError if the disk is full or not writable."""
    partial_path = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial_path.replace(path)
    except OSError as error:
        partial_path.unlink(missing_ok=True)
        raise SteerError(
            f"cannot write {path} ({error.strerror}): free {len(data) / 1e6:.0f} MB or more, or give another --work; what is "
            "embedded already stays: run the same command again"
        ) from error


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


def open_shards(folder: Path) -> Embedded:
    """Map all shards of a complete folder."""
    from safetensors import safe_open

    fields: dict[str, list[torch.Tensor]] = {}
    for record in read_manifest(folder)["shards"]:
        if record["pairs"]:
            with safe_open(folder / record["file"], "pt") as file:
                for name in file.keys():  # noqa: SIM118  not a dict
                    fields.setdefault(name, []).append(file.get_tensor(name))
    items, pictures = (torch.cat(fields[name]) for name in ("items", "pictures"))
    where = torch.arange(len(items))
    captions = Captions(list(zip(fields["captions"], fields["ends"], strict=True)), where)
    values, mentioned = (torch.cat(fields[name]).numpy() for name in ("factors", "mentioned"))
    image, text = (cast(torch.Tensor, Rows([part.numpy() for part in fields[s]], where)) for s in ("image", "text"))
    return Embedded(image, text, captions, values, mentioned, items.numpy(), pictures.numpy())
