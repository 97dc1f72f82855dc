"""Pairs into joint vectors of both sides, kept in a folder of shards (`mmsteer.data.shards`).

Shard i holds what became of the source's items i * SHARD to (i + 1) * SHARD, so after a kill nothing is lost or doubled,
and several processes share the shards out. Pictures are decoded in threads while the model runs. Knows nothing of
dictionaries.
"""

import hashlib
import os
import queue
import resource
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image

from mmsteer import distributed
from mmsteer.data.embeddings import Embedded
from mmsteer.data.pairs import Pairs
from mmsteer.data.progress import Progress
from mmsteer.data.sample import Item, clean
from mmsteer.data.shards import Shard, begin, finish, numbers_of, open_shards, read_manifest, write_shard
from mmsteer.data.sources import World
from mmsteer.errors import SteerError, first_line
from mmsteer.models.clip import Clip

T = TypeVar("T")
SHARD = 4096
"""Items in one file: what a kill can cost, and what is shared out among processes."""
_PIECE = 16  # pictures that one thread prepares at a time
_AHEAD = 4  # batches prepared while one is embedded


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
    what = f"{clip.identity['digest']} {clip.identity['dtype']} {source.address}"
    name = "".join(letter if letter.isalnum() else "-" for letter in source.name)[:40].strip("-")
    return work / f"pairs-{name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def embed_pairs(clip: Clip, source: Pairs, folder: Path, shard: int = SHARD, batch: int | None = None) -> Embedded:
    """Embed all pairs of a source into `folder`, or what of it is missing there, and map the result.

    Processes that torch.distributed knows of share the shards out; all get the same result. What cannot be read is left
    out and listed in skipped.jsonl. SteerError for a folder of another model or source, damaged shards, a full disk, and
    where nothing can be read.
    """
    manifest = {"model": clip.identity, "source": source.survey._asdict(), "shard": shard}
    if distributed.rank() == 0:
        begin(folder, manifest)
    distributed.wait()
    if not read_manifest(folder)["complete"]:
        _embed_shards(clip, source, folder, shard, batch or batch_size(clip))
        distributed.wait()
    if distributed.rank() == 0:
        finish(folder, complete=True)
    distributed.wait()
    return open_shards(folder)


def batch_size(clip: Clip) -> int:
    """Pairs that are embedded at once unless said otherwise."""
    return 128 if clip.device == "cpu" else 256


class Prepared(NamedTuple):
    """Some pairs as the model takes them, and what could not be read."""

    numbers: list[int]
    """In the source."""
    inputs: list[dict[str, torch.Tensor]]
    pictures: list[int]
    """Fingerprints."""
    captions: list[str]
    truth: list[tuple[np.ndarray, np.ndarray] | None]
    skipped: list[dict[str, Any]]


def _embed_shards(clip: Clip, source: Pairs, folder: Path, shard: int, batch: int) -> None:
    """Embed this process's share of the shards that are missing."""
    processes, total = distributed.count(), source.survey.items
    there = numbers_of(folder)
    distributed.wait()  # all have looked at the folder before any writes
    missing = None if total is None else [k for k in range(-(-total // shard)) if k not in there]

    def own(number: int) -> bool:
        return number % processes == distributed.rank() and number not in there if share is None else number in share

    share = None if missing is None else set(missing[distributed.rank() :: processes])
    done = sum(record["pairs"] + record["skipped"] for record in read_manifest(folder)["shards"])
    progress = Progress("embedded", "pairs", done, total)
    for number, parts in groupby(prepared(clip, source, batch, shard, own), key=lambda made: made[0]):
        vectors, read = [], []
        for _, made in parts:
            read.append(made._replace(inputs=[]))
            if made.numbers:
                vectors.append(embed_batch(clip, made))
            if distributed.rank() == 0:
                progress.add((len(made.numbers) + len(made.skipped)) * processes)
        write_shard(folder, number, _shard(vectors, read, clip.dtype))
        if distributed.rank() == 0:
            finish(folder, complete=False)


def embed_batch(clip: Clip, made: Prepared) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors `[B, d_joint]` of pictures and captions, left on the device."""
    names = made.inputs[0].keys()
    image = clip.pictures({name: torch.cat([part[name] for part in made.inputs]) for name in names})
    text = clip.captions(made.captions)
    if image.shape != text.shape:
        raise SteerError(
            f"{clip.id} embeds pictures {image.shape[1]} wide and captions {text.shape[1]} wide: give a model with a joint space"
        )
    return image, text


def _shard(vectors: list[tuple[torch.Tensor, torch.Tensor]], read: list[Prepared], dtype: torch.dtype) -> Shard:
    sides = [torch.cat(side).to("cpu", dtype) for side in zip(*vectors, strict=True)] or [torch.zeros(0, 1)] * 2
    whole = _joined(read)
    truth = [known for known in whole.truth if known is not None]
    return Shard(sides[0], sides[1], whole.captions, whole.numbers, whole.pictures, truth, whole.skipped)


def _joined(parts: Iterable[Prepared]) -> Prepared:
    return Prepared(*(sum(part, []) for part in zip(*parts, strict=True)))


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
            yield number, _joined(piece.result() for piece in pieces)


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
    inputs = [clip.prepare(pictures)] if pictures else []
    return Prepared(numbers, inputs, [_fingerprint(picture) for picture in pictures], captions, truth, skipped)


def _fingerprint(picture: Image.Image) -> int:
    """64 bits of what a picture shows: the same for each of its captions, whatever it is called or packed in."""
    found = hashlib.blake2b(picture.tobytes(), digest_size=8, person=repr(picture.size).encode()[:16])
    return int.from_bytes(found.digest(), "little", signed=True)


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
