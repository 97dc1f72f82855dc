"""Pairs into joint vectors of both sides, written to a folder of shards (`mmsteer.data.shards`).

Shard i contains samples i * SHARD to (i + 1) * SHARD of the source, so a killed run loses and doubles nothing, and any number of
processes can share the missing shards out. Knows nothing about dictionaries.
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
from mmsteer.data.machines import Share, exchange, is_first_in, share_out
from mmsteer.data.pairs import Pairs
from mmsteer.data.shards import Shard, begin, finish, numbers_of, open_shards, read_manifest, write_shard
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip


def work_folder(work: Path, clip: Clip, source: Pairs) -> Path:
    """The folder in `work` for the embeddings of one source by one model."""
    identity = f"{clip.identity['digest']} {clip.identity['dtype']} {source.address}"
    name = "".join(letter if letter.isalnum() else "-" for letter in source.name)[:40].strip("-")
    return work / f"pairs-{name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def embed_pairs(
    clip: Clip, source: Pairs, folder: Path, shard: int = SHARD, batch: int | None = None, half: bool = False
) -> Embedded:
    """Embed the pairs of a source that `folder` does not contain yet, and map all of them into memory.

    Processes that a launcher started (`mmsteer.distributed`) share the shards out; all get the same result. On machines that
    share no folder, each ends with all shards in its own. Samples that cannot be read are left out and listed in `skipped.jsonl`.

    Args:
        clip: The model.
        source: The pairs; machines may have different ones (`mmsteer.data.machines`).
        folder: Where the shards are or go.
        shard: Samples in one file.
        batch: Samples embedded at once; None for `batch_size(clip)`.
        half: Store vectors in half precision, whatever the model computes in.

    Raises:
        SteerError: If the folder is of another model or source, a shard is damaged, the disk is full, or no pair can be read.
    """
    share, first = share_out(source, shard), is_first_in(folder)
    stored = torch.float16 if half else clip.dtype
    manifest = {
        "model": clip.identity, "source": source.survey._asdict(), "shard": shard,
        "precision": None if stored == clip.dtype else "float16", "parts": share.items if share.parts > 1 else None,
    }  # fmt: skip
    if first:
        begin(folder, manifest)
    distributed.wait()
    exchange(folder, first)
    if not read_manifest(folder)["complete"]:
        _embed_shards(clip, source, folder, shard, batch or batch_size(clip), share, stored)
        distributed.wait()
        exchange(folder, first)
    if first:
        finish(folder, complete=True)
    distributed.wait()
    return open_shards(folder)


def batch_size(clip: Clip) -> int:
    """Pairs that are embedded at once by default."""
    return 128 if clip.device == "cpu" else 256


def _embed_shards(
    clip: Clip, source: Pairs, folder: Path, shard: int, batch: int, share: Share, stored: torch.dtype
) -> None:
    """Embed this process's share of the missing shards."""
    total, processes, present = source.survey.items, share.processes, numbers_of(folder)
    distributed.wait()  # all processes have read the folder before any of them writes
    own: set[int] | None = None
    if total is not None:
        numbers = range(share.first, share.first - (-total // shard))
        own = set([number for number in numbers if number not in present][share.rank :: processes])

    def wanted(number: int) -> bool:
        return number % processes == share.rank and number not in present if own is None else number in own

    done = len(present) * shard if share.items is None else min(share.items, len(present) * shard)
    batches = read_batches(clip, source, batch, shard, wanted, share.first * shard)
    hidden = distributed.rank() > 0
    with tqdm(
        total=share.items, initial=done, desc="embedded", unit=" pictures", mininterval=10, disable=hidden
    ) as progress:
        for number, group in groupby(batches, key=lambda numbered: numbered[0]):
            vectors, read = [], []
            for _, part in group:
                read.append(part._replace(inputs=[]))
                if part.numbers:
                    vectors.append(embed_batch(clip, part))
                progress.update(part.size * distributed.count())
            write_shard(folder, number, _shard(vectors, join(read), stored))
            if distributed.rank() == 0:
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
