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

DEVICE_KINDS = {"t4": 65, "a10g": 70, "a100": 312, "h100": 989}
"""GPUs that can be planned for: peak throughput of dense products in half precision, TFLOP/s, as NVIDIA's data sheets state it."""
UTILISATION = 0.3
"""The share of its peak that a GPU is expected to reach: an assumption, as it depends on the model and on the batch."""


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


def measure(
    clip: Clip, source: Pairs, batch: int | None = None, least_seconds: float = 5.0, half: bool = False
) -> Plan:
    """Embed a few batches, at least two if there are as many, and discard them.

    Args:
        clip: The model.
        source: The pairs.
        batch: Samples embedded at once; None for `batch_size(clip)`.
        least_seconds: How long to measure after the first batch, which reads weights and warms up.
        half: Whether vectors are kept in half precision.

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
    size = 2 * width * (2 if half else torch.finfo(clip.dtype).bits // 8) + letters / pairs + 16
    return Plan(source.survey.items, rate, pairs / read, size, skipped, width, peak_memory())


def rented_rate(clip: Clip, source: Pairs, kind: str, pairs_per_sample: float) -> tuple[float, float]:
    """Estimate how many samples a second a GPU that is not here can embed, and this machine's cores can read for it.

    Args:
        clip: The model, whose operations are counted by torch on a few samples.
        source: The pairs.
        kind: A name in `DEVICE_KINDS`.
        pairs_per_sample: Captions of a picture.

    Returns:
        Samples a second by the GPU, and by the reading threads.
    """
    from torch.utils.flop_counter import FlopCounterMode

    began = time.perf_counter()
    _, batch = next(part for part in read_batches(clip, source, 32) if part[1].numbers)
    read = batch.size / (time.perf_counter() - began)
    with FlopCounterMode(display=False) as image:
        clip.embed_pictures(batch.inputs[0])
    some = batch.captions[:32]
    with FlopCounterMode(display=False) as text:
        clip.embed_captions(some)
    pictures = len(next(iter(batch.inputs[0].values())))
    operations = image.get_total_flops() / pictures + pairs_per_sample * text.get_total_flops() / len(some)
    return UTILISATION * DEVICE_KINDS[kind] * 1e12 / operations, read


def peak_memory() -> int | None:
    """Bytes: the most that this process has used so far; None if the system does not say, as on Windows."""
    try:
        import resource
    except ImportError:  # Unix only
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
