"""A folder of embeddings: shards that are whole or not there, and a manifest that says of what and by what.

Knows files and checksums; nothing of models or pictures.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch

from mmsteer.data.embeddings import Captions, Embedded, Rows
from mmsteer.errors import SteerError, first_line


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a folder of embeddings says of itself: model, source, totals and shards."""
    path = folder / "manifest.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["model"], found["source"], found["shards"], found["complete"]
    except (ValueError, KeyError, TypeError) as error:
        raise SteerError(f"{path} is damaged ({first_line(error)}): delete {folder} and embed again") from None
    return found


def begin(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of an empty folder, or compare it with the one that is there; shards that are gone leave it."""
    path = folder / "manifest.json"
    if not path.is_file():
        _write(path, _json(manifest | {"complete": False, "shards": []}))
        return
    found = read_manifest(folder)
    for key, meant in manifest.items():
        if found.get(key) != meant:
            if key == "source" and all(found[key].get(part) == meant[part] for part in ("kind", "name")):
                raise SteerError(
                    f"the pairs of {meant['name']} have changed since {folder} was begun ({found[key].get('items')} then, "
                    f"{meant['items']} now; pictures or captions were added, taken away, renamed or rewritten): put them back, "
                    "or delete that folder to embed all anew"
                )
            was, now = (_short(value) for value in (found.get(key), meant))
            raise SteerError(
                f"{folder} holds embeddings of another {key}: {was}; this one is {now}. Give another --work, or delete that "
                "folder to embed anew"
            )
    there = [record for record in found["shards"] if (folder / record["file"]).is_file()]
    if there != found["shards"]:
        _write(path, _json(found | {"complete": False, "shards": there}))


def _short(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    told = {key: value.get(key) for key in ("id", "revision", "digest", "dtype", "kind", "name", "items")}
    return ", ".join(f"{key} {str(part)[:40]}" for key, part in told.items() if part is not None)


def finish(folder: Path, complete: bool) -> None:
    """Enter into the manifest the shards that are not there yet; when `complete`, check all and list what was skipped."""
    kept = read_manifest(folder)
    records = {record["file"]: record for record in kept["shards"]}
    for path in sorted(folder.glob("*.safetensors")):
        if complete or path.name not in records:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            known = records.get(path.name)
            if known and known["sha256"] != digest:
                raise SteerError(
                    f"{path} is damaged (its SHA-256 is not the manifest's): delete it and run again, only its pairs are embedded "
                    "anew"
                )
            if not known:
                about = _about(path)
                counts = {"pairs": about["pairs"], "skipped": len(about["skipped"])}
                records[path.name] = {"file": path.name, **counts, "sha256": digest}
    shards = [records[name] for name in sorted(records)]
    totals = {key: sum(record[key] for record in shards) for key in ("pairs", "skipped")}
    if complete and not kept["complete"]:
        lines = [
            json.dumps(skip, ensure_ascii=False)
            for record in shards
            for skip in _about(folder / record["file"])["skipped"]
        ]
        if not totals["pairs"]:
            why = f", such as {lines[0]}" if lines else ""
            raise SteerError(f"none of the {totals['skipped']} pairs of {kept['source']['name']} could be read{why}")
        _write(folder / "skipped.jsonl", "".join(f"{line}\n" for line in lines).encode())
    new = kept | totals | {"complete": complete, "shards": shards}
    if new != kept:
        _write(folder / "manifest.json", _json(new))


class Shard(NamedTuple):
    """What became of some items of a source, in their order."""

    image: torch.Tensor
    """[n, d_joint]"""
    text: torch.Tensor
    captions: list[str]
    items: list[int]
    """Their numbers in the source."""
    pictures: list[int]
    """Fingerprints: the same for pairs of one picture."""
    truth: list[tuple[np.ndarray, np.ndarray]]
    """Factors and which of them are mentioned, `[n_factors]` each; empty where they are not known."""
    skipped: list[dict[str, Any]]
    """Items that could not be read, with the reason."""


def write_shard(folder: Path, number: int, shard: Shard) -> None:
    """Write a shard, whole or not at all: captions as bytes and where each ends."""
    from safetensors.torch import save

    captions = [caption.encode() for caption in shard.captions]
    nothing = np.zeros((len(captions), 0), np.int64), np.zeros((len(captions), 0), np.bool_)
    factors, mentioned = map(np.stack, zip(*shard.truth, strict=True)) if shard.truth else nothing
    tensors = {
        "image": shard.image,
        "text": shard.text,
        "captions": torch.from_numpy(np.frombuffer(b"".join(captions), np.uint8).copy()),
        "ends": torch.tensor([len(caption) for caption in captions], dtype=torch.int64).cumsum(0),
        "items": torch.tensor(shard.items, dtype=torch.int64),
        "pictures": torch.tensor(shard.pictures, dtype=torch.int64),
        "factors": torch.from_numpy(factors),
        "mentioned": torch.from_numpy(mentioned),
    }
    about = {"pairs": len(captions), "skipped": shard.skipped}
    # one entry, for several have no fixed order, and the same pairs are to make the same file
    data = save(tensors, metadata={"mmsteer": json.dumps(about, ensure_ascii=False)})
    _write(folder / f"{number:05d}.safetensors", data)


def numbers_of(folder: Path) -> set[int]:
    """Numbers of the shards that are there."""
    return {int(path.stem) for path in folder.glob("*.safetensors")}


def _about(path: Path) -> dict[str, Any]:
    """What a shard says of itself: pairs, and what was skipped; SteerError where it cannot be read."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            found: dict[str, Any] = json.loads(file.metadata()["mmsteer"])
            return found
    except Exception as error:  # whatever the library raises for a broken file
        raise SteerError(
            f"{path} is damaged ({first_line(error)}): delete it and run again, only its pairs are embedded anew"
        ) from error


def _write(path: Path, data: bytes) -> None:
    """A file whole or not at all; SteerError where the disk is full or will not be written to."""
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
            "embedded already stays, run the same command again"
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
                for name in file.keys():  # noqa: SIM118  it is no dict
                    fields.setdefault(name, []).append(file.get_tensor(name))
    items, pictures = (torch.cat(fields[name]) for name in ("items", "pictures"))
    where = torch.arange(len(items))
    captions = Captions(list(zip(fields["captions"], fields["ends"], strict=True)), where)
    truth = [torch.cat(fields[name]).numpy() for name in ("factors", "mentioned")]
    image, text = (cast(torch.Tensor, Rows([part.numpy() for part in fields[s]], where)) for s in ("image", "text"))
    return Embedded(image, text, captions, truth[0], truth[1], items.numpy(), pictures.numpy())
