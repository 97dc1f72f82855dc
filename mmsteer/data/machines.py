"""Embedding by several machines that share no folder: who embeds which shards, and how each machine gets all of them.

Machines may have the same pairs, whose shards they share out, or each its own, such as some tars of a set: then the shards of the second
machine are numbered after those of the first. Knows ranks, folders and files; nothing about models.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch

from mmsteer import distributed
from mmsteer.data.pairs import Pairs
from mmsteer.data.shards import numbers_of, path_of, write_bytes
from mmsteer.errors import SteerError

_CHUNK = 2**26  # bytes sent at once


class Share(NamedTuple):
    """The part of all pairs that this process's machine can read, and this process's place among those that can."""

    first: int
    """The number of the part's first shard among all."""
    rank: int
    """Among the processes that read the same part."""
    processes: int
    items: int | None
    """Samples of all parts; None if only reading to the end would show it."""
    parts: int
    readable: int | None = None
    """The first so many samples, if the first process can read no others."""


def share_out(source: Pairs, shard: int) -> Share:
    """Compare the processes' pairs. SteerError if they differ and their number is not known, or some files are in two parts."""
    rank, processes, items = distributed.rank(), distributed.count(), source.survey.items
    if processes == 1:
        return Share(0, 0, 1, items, 1)
    own = torch.tensor([_number(source.content), -1 if items is None else items])
    everyone = [(int(content), int(count)) for content, count in distributed.gather(own).view(processes, 2)]
    parts = list(dict.fromkeys(everyone))
    if len(parts) == 1:
        return Share(0, rank, processes, items, 1)
    if any(count < 0 for _, count in parts):
        raise SteerError(
            f"the processes read different pairs, and how many {source.name} has is not known: give each the same"
        )
    _check_apart(source, everyone)
    mine = parts.index(everyone[rank])
    first = sum(-(-count // shard) for _, count in parts[:mine])
    others = [number for number, part in enumerate(everyone) if part == everyone[rank]]
    return Share(first, others.index(rank), len(others), sum(count for _, count in parts), len(parts), parts[0][1])


def is_first_in(folder: Path) -> bool:
    """Whether this process is the first of those that see this folder, which alone writes its manifest."""
    if distributed.count() == 1:
        return True
    run = int(distributed.broadcast(torch.randint(2**31, (1,))))
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / f".process-{run}-{distributed.rank()}"
    mark.touch()
    distributed.wait()
    first = min(int(path.name.rpartition("-")[2]) for path in folder.glob(f".process-{run}-*"))
    distributed.wait()
    mark.unlink()
    return first == distributed.rank()


def exchange(folder: Path, first: bool) -> None:
    """Send shards that not every process sees, until all do: nothing is sent where all share a folder.

    Args:
        folder: this machine's.
        first: whether this process writes what its machine lacks.
    """
    if distributed.count() == 1:
        return
    own = numbers_of(folder)
    size = int(distributed.gather(torch.tensor([max(own, default=-1) + 1])).max())
    present = torch.zeros(size, dtype=torch.int64)
    present[sorted(own)] = 1
    table = distributed.gather(present).view(distributed.count(), size)
    for number in range(size):
        owners = table[:, number].nonzero()[:, 0].tolist()
        if owners and len(owners) < distributed.count():
            data = _send(path_of(folder, number).read_bytes() if owners[0] == distributed.rank() else b"", owners[0])
            if first and number not in own:
                write_bytes(path_of(folder, number), data)
    distributed.wait()


def _send(data: bytes, sender: int) -> bytes:
    """The sender's bytes, in every process."""
    size = int(distributed.broadcast(torch.tensor([len(data)]), sender))
    everything = torch.zeros(size, dtype=torch.uint8)
    if sender == distributed.rank():
        everything.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    for start in range(0, size, _CHUNK):
        distributed.broadcast(everything[start : start + _CHUNK], sender)
    return everything.numpy().tobytes()


def _check_apart(source: Pairs, everyone: list[tuple[int, int]]) -> None:
    """SteerError if machines with different pairs have a file of the same name: its pairs would count twice."""
    names = torch.tensor(sorted({_number(file.name) for file in source.files}), dtype=torch.int64)
    most = int(distributed.gather(torch.tensor([len(names)])).max())
    padded = torch.full((most,), -1, dtype=torch.int64)
    padded[: len(names)] = names
    table = distributed.gather(padded).view(len(everyone), most).tolist()
    seen: dict[int, tuple[int, int]] = {}
    for part, row in zip(everyone, table, strict=True):
        for name in row:
            if name >= 0 and seen.setdefault(name, part) != part:
                raise SteerError(
                    f"the machines read different pairs, but some files of {source.name} are on several: give each machine files of "
                    "its own, or all of them the same"
                )


def _number(text: str) -> int:
    """63 bits of a text's digest, as processes exchange tensors."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
