"""Pairs into joint vectors of both sides, kept in a folder: shards that are whole or not there, and a manifest.

Shard i holds what became of the source's items i * SHARD to (i + 1) * SHARD, so after a kill nothing is lost or doubled,
and several processes share the shards out. Pictures are decoded in threads while the model runs. Knows nothing of
dictionaries.
"""

import hashlib
import json
import os
import queue
import resource
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from PIL import Image

from mmsteer.build import ranks
from mmsteer.build.pairs import Item, Pairs, World, clean
from mmsteer.clip import Clip
from mmsteer.errors import SteerError, first_line

T = TypeVar("T")
SHARD = 4096
"""Items in one file: what a kill can cost, and what is shared out among processes."""
_PIECE = 16  # pictures that one thread prepares at a time
_AHEAD = 4  # batches prepared while one is embedded
_EVERY = 10.0  # seconds from one line of progress to the next


class Rows:
    """Rows of all shards, mapped into memory, in the order of `where`. Reads as a tensor does: `len(x)`, `x.shape`, `x[a:b]`,
    `x[numbers]`, each `float32`."""

    def __init__(self, shards: Sequence[np.ndarray], where: torch.Tensor) -> None:
        self._shards, self.where = shards, where
        self._ends = np.cumsum([len(shard) for shard in shards])
        self.shape = torch.Size((len(where), shards[0].shape[1]))

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, which: slice | torch.Tensor) -> torch.Tensor:
        rows = self.where[which].numpy()
        order = rows.argsort(kind="stable")  # each shard is read once, from front to back
        rows = rows[order]
        bounds = np.searchsorted(rows, self._ends)
        parts = [np.empty((0, self.shape[1]), np.float32)]
        for k in np.flatnonzero(np.diff(bounds, prepend=0)).tolist():
            first, start = (self._ends[k - 1], bounds[k - 1]) if k else (0, 0)
            parts.append(self._shards[k][rows[start : bounds[k]] - first])
        found = np.empty((len(rows), self.shape[1]), np.float32)
        found[order] = np.concatenate(parts)
        return torch.from_numpy(found)

    def only(self, which: torch.Tensor) -> "Rows":
        """Some of the rows, not read yet."""
        return Rows(self._shards, self.where[which])


class Captions(Sequence[str]):
    """Captions of all shards, mapped into memory, in the order of `where`."""

    def __init__(self, shards: Sequence[tuple[torch.Tensor, torch.Tensor]], where: torch.Tensor) -> None:
        self._shards, self.where = shards, where
        self._ends = np.cumsum([len(ends) for _, ends in shards])

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return [self[k] for k in range(*which.indices(len(self)))]
        row = int(self.where[which])
        k = int(np.searchsorted(self._ends, row, side="right"))
        letters, ends = self._shards[k]
        row -= int(self._ends[k - 1]) if k else 0
        return bytes(letters[int(ends[row - 1]) if row else 0 : int(ends[row])].numpy()).decode()

    def only(self, which: torch.Tensor) -> "Captions":
        """Some of the captions, not read yet."""
        return Captions(self._shards, self.where[which])


class Embedded(NamedTuple):
    """Matched pairs in the joint space: in memory, or on disk as `Rows` and `Captions`, which read alike."""

    image: torch.Tensor
    """[N, d_joint], unit length"""
    text: torch.Tensor
    """[N, d_joint], unit length"""
    captions: Sequence[str]
    factors: np.ndarray
    """int64 [N, n_factors]; n_factors is 0 where they are not known"""
    mentioned: np.ndarray
    """bool [N, n_factors]"""
    items: np.ndarray = np.zeros(0, np.int64)
    """int64 [N]: their numbers in the source"""

    @property
    def known(self) -> bool:
        """Whether it is known what the pairs show and say."""
        return self.factors.shape[1] > 0

    def part(self, start: int, stop: int) -> "Embedded":
        """Pairs start to stop, in memory."""
        some = slice(start, stop)
        return Embedded(
            self.image[some],
            self.text[some],
            self.captions[some],
            self.factors[some],
            self.mentioned[some],
            self.items[some],
        )

    def only(self, which: np.ndarray) -> "Embedded":
        """Pairs by number, where they are."""
        rows = torch.from_numpy(which)
        image, text = (x.only(rows) if isinstance(x, Rows) else x[rows] for x in (self.image, self.text))
        own = self.captions
        captions = own.only(rows) if isinstance(own, Captions) else [own[k] for k in which]
        items = self.items[which] if len(self.items) else self.items
        return Embedded(image, text, captions, self.factors[which], self.mentioned[which], items)

    def sample(self, count: int) -> "Embedded":
        """At most `count` pairs, evenly spread, in memory."""
        return self.only(spread(len(self.captions), count)).part(0, count)


def spread(total: int, count: int) -> np.ndarray:
    """`count` of `total` numbers, evenly spread and ascending; all where there are no more."""
    return np.arange(total) if total <= count else np.arange(count) * total // count


def load_clip(folder: Path) -> tuple[Any, Any]:
    """The CLIPModel and tokenizer of a backbone folder's `clip/`."""
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    return clip.requires_grad_(False), CLIPTokenizer.from_pretrained(folder)


def embed(clip_folder: Path, seed: int, count: int, work: Path) -> Embedded:
    """`count` world pairs of `seed`, in memory; read from `work` where the same CLIP has embedded the same world before."""
    clip, source = Clip(clip_folder), World(seed, count)
    return embed_pairs(clip, source, work_folder(work, clip, source)).part(0, count)


def work_folder(work: Path, clip: Clip, source: Pairs) -> Path:
    """Where in `work` the embeddings of a source by a model are kept."""
    what = f"{clip.identity['digest']} {clip.identity['dtype']} {source.survey}"
    name = "".join(letter if letter.isalnum() else "-" for letter in source.name)[:40].strip("-")
    return work / f"pairs-{name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def embed_pairs(clip: Clip, source: Pairs, folder: Path, shard: int = SHARD, batch: int | None = None) -> Embedded:
    """Embed all pairs of a source into `folder`, or what of it is missing there, and map the result.

    Processes that torch.distributed knows of share the shards out; all get the same result. What cannot be read is left
    out and listed in skipped.jsonl. SteerError for a folder of another model or source, damaged shards, a full disk, and
    where nothing can be read.
    """
    manifest = {"model": clip.identity, "source": source.survey._asdict(), "shard": shard}
    if ranks.rank() == 0:
        _begin(folder, manifest)
    ranks.wait()
    if not read_manifest(folder)["complete"]:
        _embed_shards(clip, source, folder, shard, batch or batch_size(clip))
        ranks.wait()
    if ranks.rank() == 0:
        _finish(folder, complete=True)
    ranks.wait()
    return _open(folder)


def batch_size(clip: Clip) -> int:
    """Pairs that are embedded at once unless said otherwise."""
    return 128 if clip.device == "cpu" else 256


# -- the folder --


def _name(number: int) -> str:
    return f"{number:05d}.safetensors"


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a folder of embeddings says of itself: model, source, totals and shards."""
    path = folder / "manifest.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["model"], found["source"], found["shards"], found["complete"]
    except (ValueError, KeyError, TypeError) as error:
        raise SteerError(f"{path} is damaged ({first_line(error)}): delete {folder} and embed again") from None
    return found


def _begin(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of an empty folder, or compare it with the one that is there; shards that are gone leave it."""
    path = folder / "manifest.json"
    if not path.is_file():
        _write(path, _json(manifest | {"complete": False, "shards": []}))
        return
    found = read_manifest(folder)
    for key, meant in manifest.items():
        if found.get(key) != meant:
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


def _finish(folder: Path, complete: bool) -> None:
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


def _open(folder: Path) -> Embedded:
    """Map all shards of a complete folder."""
    from safetensors import safe_open

    fields: dict[str, list[torch.Tensor]] = {}
    for record in read_manifest(folder)["shards"]:
        if record["pairs"]:
            with safe_open(folder / record["file"], "pt") as file:
                for name in file.keys():  # noqa: SIM118  it is no dict
                    fields.setdefault(name, []).append(file.get_tensor(name))
    items = torch.cat(fields["items"])
    where = torch.arange(len(items))
    captions = Captions(list(zip(fields["captions"], fields["ends"], strict=True)), where)
    truth = [torch.cat(fields[name]).numpy() for name in ("factors", "mentioned")]
    image, text = (cast(torch.Tensor, Rows([part.numpy() for part in fields[s]], where)) for s in ("image", "text"))
    return Embedded(image, text, captions, truth[0], truth[1], items.numpy())


# -- the work --


class Prepared(NamedTuple):
    """Some pairs as the model takes them, and what could not be read."""

    numbers: list[int]
    pictures: list[dict[str, torch.Tensor]]
    captions: list[str]
    truth: list[tuple[np.ndarray, np.ndarray] | None]
    skipped: list[dict[str, Any]]


class Progress:
    """Lines that tell how far things are, at most one in ten seconds."""

    def __init__(self, done: int, total: int | None) -> None:
        self._done, self._first, self._total = done, done, total
        self._began = self._told = time.monotonic()

    def add(self, count: int) -> None:
        """That many items more, in all processes together."""
        self._done += count
        if time.monotonic() - self._told > _EVERY or self._done == self._total:
            self._told = time.monotonic()
            rate = (self._done - self._first) / (self._told - self._began)
            left = "" if self._total is None else f"  {max(0, self._total - self._done) / rate:.0f} s left"
            print(
                f"embedded {self._done:,}/{'?' if self._total is None else f'{self._total:,}'}  {rate:.0f} pairs/s{left}",
                flush=True,
            )


def _embed_shards(clip: Clip, source: Pairs, folder: Path, shard: int, batch: int) -> None:
    """Embed this process's share of the shards that are missing."""
    processes, total = ranks.count(), source.survey.items
    there = {int(path.stem) for path in folder.glob("*.safetensors")}
    ranks.wait()  # all have looked at the folder before any writes
    missing = None if total is None else [k for k in range(-(-total // shard)) if k not in there]

    def own(number: int) -> bool:
        return number % processes == ranks.rank() and number not in there if share is None else number in share

    share = None if missing is None else set(missing[ranks.rank() :: processes])
    done = sum(record["pairs"] + record["skipped"] for record in read_manifest(folder)["shards"])
    progress = Progress(done, total)
    for number, parts in groupby(prepared(clip, source, batch, shard, own), key=lambda made: made[0]):
        vectors, pairs = [], []
        for _, made in parts:
            pairs.append(made._replace(pictures=[]))
            if made.numbers:
                vectors.append(embed_batch(clip, made))
            if ranks.rank() == 0:
                progress.add((len(made.numbers) + len(made.skipped)) * processes)
        _write(folder / _name(number), _shard(vectors, pairs, clip))
        if ranks.rank() == 0:
            _finish(folder, complete=False)


def embed_batch(clip: Clip, made: Prepared) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors `[B, d_joint]` of pictures and captions, left on the device."""
    names = made.pictures[0].keys()
    image = clip.pictures({name: torch.cat([part[name] for part in made.pictures]) for name in names})
    text = clip.captions(made.captions)
    if image.shape != text.shape:
        raise SteerError(
            f"{clip.id} embeds pictures {image.shape[1]} wide and captions {text.shape[1]} wide: give a model with a joint space"
        )
    return image, text


def _shard(vectors: list[tuple[torch.Tensor, torch.Tensor]], parts: list[Prepared], clip: Clip) -> bytes:
    """A shard as safetensors: vectors, captions as bytes and where each ends, item numbers and, if known, the truth."""
    from safetensors.torch import save

    captions = [caption.encode() for part in parts for caption in part.captions]
    truth = [known for part in parts for known in part.truth if known is not None]
    factors = np.stack([known[0] for known in truth]) if truth else np.zeros((len(captions), 0), np.int64)
    mentioned = np.stack([known[1] for known in truth]) if truth else np.zeros((len(captions), 0), np.bool_)
    tensors = {
        name: torch.cat([pair[side] for pair in vectors]).to("cpu", clip.dtype) if vectors else torch.zeros(0, 1)
        for side, name in enumerate(("image", "text"))
    }
    tensors |= {
        "captions": torch.from_numpy(np.frombuffer(b"".join(captions), np.uint8).copy()),
        "ends": torch.tensor([len(caption) for caption in captions], dtype=torch.int64).cumsum(0),
        "items": torch.tensor([number for part in parts for number in part.numbers], dtype=torch.int64),
        "factors": torch.from_numpy(factors),
        "mentioned": torch.from_numpy(mentioned),
    }
    about = {"pairs": len(captions), "skipped": [skip for part in parts for skip in part.skipped]}
    # one entry, for several have no fixed order, and the same pairs are to make the same file
    return save(tensors, metadata={"mmsteer": json.dumps(about, ensure_ascii=False)})


def prepared(
    clip: Clip, source: Pairs, batch: int, shard: int = SHARD, own: Callable[[int], bool] = lambda number: True
) -> Iterator[tuple[int, Prepared]]:
    """The pairs of a process's `own` shards as batches that the model can take, each with its shard's number.

    One thread reads the source, others decode and resize, while the caller lets the model run; no batch reaches over the
    end of a shard.
    """
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # pictures are measured, not warned of
    clip.processor  # noqa: B018  made once, here, not by many threads
    threads = min(16, os.cpu_count() or 1)

    def batches() -> Iterator[tuple[int, list[Future[Prepared]]]]:
        items = source.items(lambda number: own(number // shard))
        for number, group in groupby(items, key=lambda pair: pair[0] // shard):
            for some in _groups(group, batch):
                yield number, [pool.submit(_prepare, clip, piece) for piece in _groups(some, _PIECE)]

    with ThreadPoolExecutor(threads) as pool:
        for number, pieces in _ahead(batches(), _AHEAD):
            yield number, Prepared(*(sum(part, []) for part in zip(*(piece.result() for piece in pieces), strict=True)))


def _groups(stream: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of `size`, the last one of what is left."""
    stream = iter(stream)
    while some := list(islice(stream, size)):
        yield some


def _prepare(clip: Clip, piece: list[tuple[int, Item]]) -> Prepared:
    """Read some items; one that cannot be read is skipped with its reason."""
    kept, skipped = [], []
    for number, item in piece:
        try:
            caption = item.caption()
            if item.truth is None:  # the world's are as they are, and may say nothing
                caption = clean(caption)
                if not caption:
                    raise ValueError("the caption is empty")
            kept.append((number, item.picture(), caption, item.truth))
        except SteerError:
            raise
        except Exception as error:  # whatever decoders raise for a broken picture
            skipped.append({"item": number, "key": item.key, "reason": first_line(error)})
    numbers, pictures, captions, truth = (list(column) for column in zip(*kept, strict=True)) if kept else ([],) * 4
    return Prepared(numbers, [clip.prepare(pictures)] if pictures else [], captions, truth, skipped)


def _ahead(stream: Iterator[T], depth: int) -> Iterator[T]:
    """The same items, made by a thread that is up to `depth` of them ahead."""
    made: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: tuple[bool, Any]) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                made.put(item, timeout=0.5)
                return

    def run() -> None:
        try:
            for item in stream:
                put((True, item))
                if stopped.is_set():
                    return
            put((False, None))
        except BaseException as error:  # the reader's to raise
            put((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (found := made.get())[0]:
            yield found[1]
        if found[1] is not None:
            raise found[1]
    finally:
        stopped.set()
        thread.join()


# -- before anything starts --


class Plan(NamedTuple):
    """What embedding a source will take."""

    items: int | None
    pairs_per_second: float
    bytes_per_pair: float
    width: int
    memory: int
    """Bytes, the most this process had while it tried."""


def plan(clip: Clip, source: Pairs, batch: int | None = None, least_seconds: float = 5.0) -> Plan:
    """Embed a few batches, at least two where there are as many, and keep nothing."""
    began, timed, pairs, letters, width = time.perf_counter(), 0, 0, 0, 0
    for count, (_, made) in enumerate(prepared(clip, source, batch or batch_size(clip))):
        if made.numbers:
            width = embed_batch(clip, made)[0].cpu().shape[1]
        pairs += len(made.numbers)
        letters += sum(len(caption.encode()) for caption in made.captions)
        seen = len(made.numbers) + len(made.skipped)
        if not count:  # the first reads weights and warms up; it counts only where it is all there is
            only, start = seen / (time.perf_counter() - began), time.perf_counter()
        else:
            timed += seen
            if time.perf_counter() - start > least_seconds:
                break
    if not pairs:
        raise SteerError(f"none of the first pairs of {source.name} could be read")
    rate = timed / (time.perf_counter() - start) if timed else only
    size = 2 * width * torch.finfo(clip.dtype).bits // 8 + letters / pairs + 16
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Plan(source.survey.items, rate, size, width, memory)
