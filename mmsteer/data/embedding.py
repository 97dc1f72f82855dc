"""Pairs into joint vectors of both sides, written to a folder of shards (`mmsteer.data.shards`).

Shard i contains samples i * SHARD to (i + 1) * SHARD of the source, so a killed run loses and doubles nothing, and several
processes can share the shards out. Knows nothing about dictionaries.
"""

import hashlib
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mmsteer import distributed
from mmsteer.data.batches import SHARD, Batch, join, read_batches
from mmsteer.data.embeddings import Embedded
from mmsteer.data.pairs import Pairs
from mmsteer.data.shards import Shard, begin, finish, numbers_of, open_shards, read_manifest, write_shard
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip


def work_folder(work: Path, clip: Clip, source: Pairs) -> Path:
    """The folder in `work` for the embeddings of one source by one model."""
    identity = f"{clip.identity['digest']} {clip.identity['dtype']} {source.address}"
    name = "".join(letter if letter.isalnum() else "-" for letter in source.name)[:40].strip("-")
    return work / f"pairs-{name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def embed_pairs(clip: Clip, source: Pairs, folder: Path, shard: int = SHARD, batch: int | None = None) -> Embedded:
    """Embed the pairs of a source that `folder` does not contain yet, and map all of them into memory.

    Processes that a launcher started (`mmsteer.distributed`) share the shards out; all get the same result. Samples that cannot
    be read are left out and listed in `skipped.jsonl`.

    Args:
        clip: The model.
        source: The pairs.
        folder: Where the shards are or go.
        shard: Samples in one file.
        batch: Samples embedded at once; None for `batch_size(clip)`.

    Raises:
        SteerError: If the folder is of another model or source, a shard is damaged, the disk is full, or no pair can be read.
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
    """Pairs that are embedded at once by default."""
    return 128 if clip.device == "cpu" else 256


def _embed_shards(clip: Clip, source: Pairs, folder: Path, shard: int, batch: int) -> None:
    """Embed this process's share of the missing shards."""
    rank, processes, total = distributed.rank(), distributed.count(), source.survey.items
    present = numbers_of(folder)
    distributed.wait()  # all processes have read the folder before any of them writes
    share: set[int] | None = None
    if total is not None:
        missing = [k for k in range(-(-total // shard)) if k not in present]
        share = set(missing[rank::processes])

    def wanted(number: int) -> bool:
        return number % processes == rank and number not in present if share is None else number in share

    done = len(present) * shard if total is None else min(total, len(present) * shard)
    batches = read_batches(clip, source, batch, shard, wanted)
    with tqdm(
        total=total, initial=done, desc="embedded", unit=" pictures", mininterval=10, disable=rank > 0
    ) as progress:
        for number, group in groupby(batches, key=lambda numbered: numbered[0]):
            vectors, read = [], []
            for _, part in group:
                read.append(part._replace(inputs=[]))
                if part.numbers:
                    vectors.append(embed_batch(clip, part))
                progress.update(part.size * processes)
            write_shard(folder, number, _shard(vectors, join(read), clip.dtype))
            if rank == 0:
                finish(folder, complete=False)


def embed_batch(clip: Clip, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors `[B, d_joint]` of the B pairs' pictures and captions, on the model's device. A picture is embedded once."""
    names, size = batch.inputs[0].keys(), len(batch.numbers)
    image = clip.embed_pictures({name: torch.cat([chunk[name] for chunk in batch.inputs]) for name in names})
    starts = range(0, len(batch.captions), size)  # as many at once as pictures, or many captions would need more memory
    text = torch.cat([clip.embed_captions(batch.captions[k : k + size]) for k in starts])
    if image.shape[1] != text.shape[1]:
        raise SteerError(
            f"{clip.id} embeds pictures {image.shape[1]} wide and captions {text.shape[1]} wide: give a model with a joint space"
        )
    return image.repeat_interleave(torch.tensor(batch.counts, device=image.device), 0), text


def _shard(vectors: list[tuple[torch.Tensor, torch.Tensor]], read: Batch, dtype: torch.dtype) -> Shard:
    sides = [torch.cat(side).to("cpu", dtype) for side in zip(*vectors, strict=True)] or [torch.zeros(0, 1)] * 2
    items, pictures = (np.repeat(of, read.counts).tolist() for of in (read.numbers, read.pictures))
    return Shard(sides[0], sides[1], read.captions, items, pictures, read.annotations, read.skipped)
