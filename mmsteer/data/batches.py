"""Samples of a source as batches that a model takes: read, decoded and resized in threads while the model runs."""

import hashlib
import os
import queue
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

import torch
from PIL import Image

from mmsteer.data.annotations import Annotation
from mmsteer.data.pairs import Pairs
from mmsteer.data.sample import Sample, clean
from mmsteer.errors import SteerError, first_line
from mmsteer.models.clip import Clip

T = TypeVar("T")
SHARD = 4096
"""Samples in one file of embeddings: the most that a kill can cost, and the unit that processes share out."""
_CHUNK = 16  # samples that one thread reads at a time
_DEPTH = 4  # batches read ahead of the model


class Batch(NamedTuple):
    """Samples as the model takes them, and those that could not be read."""

    numbers: list[int]
    """Of the samples, in the source."""
    inputs: list[dict[str, torch.Tensor]]
    """Pictures as the model's processor prepares them, in chunks."""
    pictures: list[int]
    """Fingerprints of the pictures."""
    captions: list[str]
    """All captions of all pictures, in order."""
    counts: list[int]
    """Captions of each picture."""
    annotations: list[Annotation]
    """One a sample, or none if the source has no annotations."""
    skipped: list[dict[str, Any]]
    """Number, key and reason of each sample that could not be read."""

    @property
    def size(self) -> int:
        """Samples, skipped ones included."""
        return len(self.numbers) + len(self.skipped)


def join(batches: Iterable[Batch]) -> Batch:
    """Several batches as one."""
    return Batch(*(sum(part, []) for part in zip(*batches, strict=True)))


def read_batches(
    clip: Clip,
    source: Pairs,
    size: int,
    shard: int = SHARD,
    wanted: Callable[[int], bool] = lambda number: True,
    first: int = 0,
) -> Iterator[tuple[int, Batch]]:
    """Read a source in batches, ahead of the caller: one thread reads the source, others decode and resize.

    Args:
        clip: Its processor prepares the pictures.
        source: Where the samples come from.
        size: Samples in a batch; no batch crosses the end of a shard.
        shard: Samples in a shard.
        wanted: Whether a shard, by number, is read at all.
        first: The number of the source's first sample.

    Yields:
        Each batch with its shard's number.
    """
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `decode` checks sizes itself
    clip.processor  # noqa: B018  created once, before threads share it
    threads = min(16, os.cpu_count() or 1)

    def submit() -> Iterator[tuple[int, list[Future[Batch]]]]:
        numbered = source.samples(lambda number: wanted((number + first) // shard))
        samples = ((number + first, sample) for number, sample in numbered)
        for number, group in groupby(samples, key=lambda pair: pair[0] // shard):
            for batch in _groups(group, size):
                yield number, [pool.submit(_read, clip, chunk) for chunk in _groups(batch, _CHUNK)]

    with ThreadPoolExecutor(threads) as pool:
        for number, chunks in _prefetch(submit(), _DEPTH):
            yield number, join(chunk.result() for chunk in chunks)


def _groups(stream: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of `size`; the last one may be shorter."""
    stream = iter(stream)
    while group := list(islice(stream, size)):
        yield group


def _read(clip: Clip, chunk: list[tuple[int, Sample]]) -> Batch:
    """Read some samples; one that cannot be read is skipped with the reason."""
    batch, pictures = Batch([], [], [], [], [], [], []), []
    for number, sample in chunk:
        try:
            captions, picture = _captions(sample), sample.picture()
        except SteerError:
            raise
        except Exception as error:  # any exception of a decoder
            batch.skipped.append({"item": number, "key": sample.key, "reason": first_line(error)})
            continue
        batch.numbers.append(number)
        batch.captions.extend(captions)
        batch.counts.append(len(captions))
        batch.pictures.append(_fingerprint(picture))
        pictures.append(picture)
        if sample.annotation is not None:
            batch.annotations.append(sample.annotation)
    return batch._replace(inputs=[clip.prepare(pictures)] if pictures else [])


def _captions(sample: Sample) -> list[str]:
    captions = sample.captions()
    if sample.annotation is not None:  # annotated captions stay as they are; one may be empty on purpose
        return captions
    captions = [caption for caption in map(clean, captions) if caption]
    if not captions:
        raise ValueError("the caption is empty")
    return captions


def _fingerprint(picture: Image.Image) -> int:
    """64 bits of a picture's pixels: the same for each of its captions, whatever its file is called."""
    digest = hashlib.blake2b(picture.tobytes(), digest_size=8, person=repr(picture.size).encode()[:16])
    return int.from_bytes(digest.digest(), "little", signed=True)


def _prefetch(stream: Iterator[T], depth: int) -> Iterator[T]:
    """The same values, produced by a thread that is up to `depth` of them ahead."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(entry: tuple[bool, Any]) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(entry, timeout=0.5)
                return

    def run() -> None:
        try:
            for value in stream:
                put((True, value))
                if stopped.is_set():
                    return
            put((False, None))
        except BaseException as error:  # raised again where the values are read
            put((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (entry := ready.get())[0]:
            yield entry[1]
        if entry[1] is not None:
            raise entry[1]
    finally:
        stopped.set()
        thread.join()
