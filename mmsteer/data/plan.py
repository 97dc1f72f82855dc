"""What embedding a source will take, measured on its first pairs; nothing is written."""

import sys
import time
from typing import NamedTuple

import torch

from mmsteer.data.batches import read_batches
from mmsteer.data.embedding import batch_size, embed_batch
from mmsteer.data.pairs import Pairs
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip


class Plan(NamedTuple):
    """The cost of embedding a source."""

    items: int | None
    """Samples, which are pictures; None if only reading to the end would show it."""
    samples_per_second: float
    pairs_per_sample: float
    """Captions of a picture that could be read, on average."""
    bytes_per_pair: float
    """On disk."""
    skipped: list[str]
    """Of the samples that were tried: each one that could not be read, with the reason."""
    width: int
    """d_joint"""
    memory: int | None
    """Bytes: the most that this process has used so far; None if the system does not say."""


def measure(clip: Clip, source: Pairs, batch: int | None = None, least_seconds: float = 5.0) -> Plan:
    """Embed a few batches, at least two if there are as many, and discard them.

    Args:
        clip: The model.
        source: The pairs.
        batch: Samples embedded at once; None for `batch_size(clip)`.
        least_seconds: How long to measure after the first batch, which reads weights and warms up.

    Raises:
        SteerError: If none of the pairs can be read.
    """
    began, timed, pairs, read, letters, width = time.perf_counter(), 0, 0, 0, 0, 0
    skipped: list[str] = []
    for count, (_, part) in enumerate(read_batches(clip, source, batch or batch_size(clip))):
        if part.numbers:
            width = embed_batch(clip, part)[0].cpu().shape[1]
        pairs, read = pairs + len(part.captions), read + len(part.numbers)
        skipped += [f"{skip['key']}: {skip['reason']}" for skip in part.skipped]
        letters += sum(len(caption.encode()) for caption in part.captions)
        if not count:  # counts only if there is no second one
            first_rate, start = part.size / (time.perf_counter() - began), time.perf_counter()
        else:
            timed += part.size
            if time.perf_counter() - start > least_seconds:
                break
    if not pairs:
        raise SteerError(f"none of the first pairs of {source.name} could be read, such as {skipped[0]}")
    rate = timed / (time.perf_counter() - start) if timed else first_rate
    size = 2 * width * torch.finfo(clip.dtype).bits // 8 + letters / pairs + 16
    return Plan(source.survey.items, rate, pairs / read, size, skipped, width, peak_memory())


def peak_memory() -> int | None:
    """Bytes: the most that this process has used so far; None if the system does not say, as on Windows."""
    try:
        import resource
    except ImportError:  # Unix only
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
