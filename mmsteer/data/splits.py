"""Dataset splits that a bank is made from: pairs embedded by a CLIP, to train on, to match on and to score on."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError

if TYPE_CHECKING:
    from mmsteer.data.embeddings import Embedded
    from mmsteer.data.pairs import Pairs, SyntheticPairs
    from mmsteer.models.backbone import Backbone
    from mmsteer.models.clip import Clip

HELD_OUT = 12_000
"""The most held-out pairs: half to match on, half to score on."""
CAPTIONS_ONLY = 2
"""Scenes without a picture for each training pair, if the pairs are synthetic."""


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which pairs, embedded by which CLIP, make which bank."""
    parser.add_argument(
        "--clip",
        help="folder or hub id[@commit] of a CLIP or SigLIP (default: clip/ in the backbone's folder, or the world's)",
    )
    parser.add_argument(
        "--pairs", default="world",
        help="a folder of pictures with captions, metadata.csv or .jsonl, COCO's captions_*.json, parquet, "
        "webdataset tars (a pattern in quotes), hub:OWNER/NAME, or world[:SEED] (default)",
    )  # fmt: skip
    parser.add_argument(
        "--columns", metavar="PICTURE,CAPTION",
        help="a table's columns, or a tar's endings and JSON keys, if they are unusual; the usual picture: ,CAPTION",
    )  # fmt: skip
    parser.add_argument("--encoding", help="of tables and captions that are neither UTF-8 nor marked, such as cp1252")
    parser.add_argument(
        "--count", "--max-pairs", type=int, dest="count",
        help="only the first so many pictures, with all their captions (default: all; of the world 30,000)",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", type=float, metavar="SHARE",
        help=f"share of your pairs that is held out to match and score on, at most {HELD_OUT:,} pairs (default 0.2); the world "
        f"draws this share in addition (default {HELD_OUT:,} pairs)",
    )  # fmt: skip
    parser.add_argument(
        "--backbone",
        help="the diffusion pipeline to steer: a known name, a folder or a hub id (default for the world: mini)",
    )
    parser.add_argument(
        "--ip-adapter", "--adapter", dest="adapter", metavar="ADAPTER",
        help="the image adapter that will read this CLIP's embeddings, where that is not the CLIP of the backbone's text encoder",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the bank (default for the world: assets/banks/mini)")
    parser.add_argument("--work", type=Path, default=Path("work/bank"), help="folder that keeps embeddings")
    parser.add_argument("--shard", type=int, default=4096, help="pairs in one file of embeddings (default 4096)")
    parser.add_argument(
        "--half", action="store_true", help="keep embeddings in half precision, as GPUs compute them anyway"
    )
    parser.add_argument("--batch", type=int, help="pairs embedded at once (default 128 on a CPU, 256 on a GPU)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best that is available)")
    parser.add_argument("--threads", type=int, default=0, help="torch threads (default 0: torch's own choice)")
    parser.add_argument("--plan", action="store_true", help="print what this will take, and do nothing")
    parser.add_argument(
        "--device-kind",
        choices=["t4", "a10g", "a100", "h100"],
        help="with --plan: estimate a GPU that is not here, too",
    )
    parser.add_argument(
        "--price", type=float, metavar="PER_HOUR", help="with --device-kind: its price, for the cost in all"
    )


class Splits(NamedTuple):
    """Everything that a bank is made from."""

    clip: "Clip"
    reader: "Backbone | None"
    """The text side of the backbone to steer."""
    train: "Embedded"
    matching: "Embedded"
    scoring: "Embedded"
    source: "Pairs"
    """The source of the scoring pairs, whose pictures are read again."""
    candidates: list[str]
    """Words of their captions that can be names."""
    captions_only: list[list[str]]
    """Scenes without a picture, each in several captions: the more, the more exact the steering vectors of caption latents."""
    meta: dict[str, Any]
    """What the bank states about its data."""


class Inputs(NamedTuple):
    """Model, pairs and backbone that the arguments name, before anything is embedded."""

    clip: "Clip"
    source: "Pairs"
    """Pairs to train on and, without `held_out`, to hold out."""
    held_out: "SyntheticPairs | None"
    """Pairs to hold out, if the source is synthetic."""
    reader: "Backbone | None"


def open_inputs(args: argparse.Namespace) -> Inputs:
    """Open model, pairs and backbone, and check that they fit together.

    Args:
        args: The arguments of `add_source_arguments`. Defaults that depend on others are filled in: `clip`, `backbone`, `out`,
            `held_out`.

    Raises:
        SteerError: For arguments that contradict each other, missing files, and a backbone of another CLIP.
    """
    import torch

    from mmsteer import distributed
    from mmsteer.data.pairs import SyntheticPairs
    from mmsteer.data.sources import open_pairs
    from mmsteer.models.backbone import choose_device
    from mmsteer.models.clip import Clip

    if args.threads:
        torch.set_num_threads(args.threads)
    _check(args)
    clip = Clip(args.clip, distributed.join(choose_device(args.device)))
    source, held_out = open_pairs(args.pairs, args.count, args.columns, args.encoding), None
    if isinstance(source, SyntheticPairs):
        seed, count = source.seed if ":" in args.pairs else args.seed, source.limit or 0
        apart = HELD_OUT if args.held_out is None else max(2, round(args.held_out * count))
        source, held_out = source.reseeded(seed + 1, count), source.reseeded(seed + 2, apart)
    else:
        args.held_out = args.held_out or 0.2
    if args.backbone is None and clip.projection is None:
        raise SteerError(f"the text encoder of {clip.id} ends in no projection that a bank could keep: give --backbone")
    trained_on = 1 - args.held_out if held_out is None else 1.0
    inputs = Inputs(clip, source, held_out, _open_reader(args, clip, source, trained_on))
    _print_commits(args, inputs)
    return inputs


def _print_commits(args: argparse.Namespace, inputs: Inputs) -> None:
    """Say which commits of the hub names without one stand for; the bank records them, too."""
    reader = inputs.reader
    commits = {args.clip: inputs.clip.revision, args.backbone: reader and reader.commit}
    for name, commit in commits.items():
        if commit and "/" in str(name) and "@" not in str(name):
            print(f"{name} is now at commit {commit}: {name}@{commit} names it for ever", flush=True)


def _open_reader(args: argparse.Namespace, clip: "Clip", source: "Pairs", share: float) -> "Backbone | None":
    """The backbone's text side, in the first process only; its map is fitted to a `share` of the source."""
    from mmsteer import distributed
    from mmsteer.labelling.text_to_joint import load_prompt_encoder

    if args.backbone is None or distributed.rank():
        return None
    items = source.survey.items
    captions = None if items is None else round(items * share)
    return load_prompt_encoder(args.backbone, clip, captions, args.adapter)


def embed_splits(inputs: Inputs, args: argparse.Namespace) -> Splits:
    """Embed the pairs and split them.

    Raises:
        SteerError: If `--out` contains anything but a bank, and as `embed_pairs`.
    """
    from mmsteer import distributed
    from mmsteer.bank.folder import make_room
    from mmsteer.data.embedding import embed_pairs, work_folder
    from mmsteer.data.machines import share_out
    from mmsteer.data.shards import read_manifest
    from mmsteer.labelling.naming.vocabulary import vocabulary

    clip, source, held_out, reader = inputs
    if distributed.rank() == 0:
        make_room(args.out.resolve()).rmdir()
    folder = work_folder(args.work, clip, source)
    pairs = embed_pairs(clip, source, folder, args.shard, args.batch, args.half)
    captions_only: list[list[str]] = []
    if held_out is None:
        train, matching, scoring = set_apart(pairs, args.held_out, share_out(source, args.shard).readable)
    else:
        apart = embed_pairs(clip, held_out, work_folder(args.work, clip, held_out), args.shard, args.batch, args.half)
        half, count = len(apart.captions) // 2, len(apart.captions)
        train, matching, scoring = pairs, apart.part(0, half), apart.part(half, count)
        captions_only = held_out.captions_only(CAPTIONS_ONLY * len(train.captions))
    skipped = read_manifest(folder)["skipped"]
    if distributed.rank() == 0:
        print_passed_over(source)
    if skipped and distributed.rank() == 0:
        print(f"{skipped} pairs could not be read; {folder / 'skipped.jsonl'} lists them", flush=True)
    meta = {
        "clip": clip.identity, "source": source.survey._asdict(), "pairs": len(train.captions),
        "held_out": len(matching.captions) + len(scoring.captions), "skipped": skipped,
        "captions_alone": sum(map(len, captions_only)),
    }  # fmt: skip
    candidates = vocabulary(scoring.captions)
    scored = source if held_out is None else held_out
    return Splits(clip, reader, train, matching, scoring, scored, candidates, captions_only, meta)


def print_passed_over(source: "Pairs") -> None:
    """Print what a source contains and does not read."""
    for sentence in source.passed_over:
        print(f"passed over: {sentence}", flush=True)


def set_apart(pairs: "Embedded", share: float, readable: int | None = None) -> "tuple[Embedded, Embedded, Embedded]":
    """Split pairs into those to train on, to match on and to score on; the latter two are in memory.

    Held-out pictures are evenly spread: always the same ones, and from all parts of the source, whatever its order. All
    captions of a picture stay in one split. Matching and scoring take turns.

    Args:
        pairs: All pairs.
        share: Of the pictures to hold out, at most `HELD_OUT` pairs.
        readable: Only of the first so many samples of the source; None for all. Their pictures are read again.

    Raises:
        SteerError: If fewer than two pictures would be held out.
    """
    import numpy as np

    from mmsteer.data.embeddings import spread

    picture = pairs.picture
    here = np.full(len(picture), True) if readable is None else pairs.items < readable
    chosen = np.floor((picture + 1) * share) > np.floor(picture * share)
    chosen &= here
    apart = np.unique(picture[chosen])
    apart = apart[spread(len(apart), HELD_OUT * len(apart) // max(1, chosen.sum()))]
    if len(apart) < 2:
        raise SteerError(
            f"{share:g} of {len(pairs.items)} pairs, of {len(np.unique(picture))} pictures, leaves none to score on: give more "
            "pictures, or a larger --held-out"
        )
    splits = (~np.isin(picture, apart), np.isin(picture, apart[::2]), np.isin(picture, apart[1::2]))
    train, matching, scoring = (pairs.only(np.flatnonzero(split)) for split in splits)
    return train, matching.part(0, HELD_OUT), scoring.part(0, HELD_OUT)


def _check(args: argparse.Namespace) -> None:
    """SteerError for arguments that cannot be; fills in the defaults of the embedded world."""
    if args.out is None and not args.plan:
        if (args.clip, args.backbone) != (None, None) or not args.pairs.startswith("world"):
            raise SteerError("say where the bank goes: --out FOLDER")
        args.out = ASSETS / "banks" / "mini"
    if args.clip is None:
        args.backbone = args.backbone or "mini"
        clip = Path(args.backbone) / "clip"
        args.clip = clip if clip.is_dir() else ASSETS / "mini" / "clip"
    if args.held_out is not None and not 0 < args.held_out < 1:
        raise SteerError(f"--held-out {args.held_out:g}: give a share between 0 and 1, such as 0.2")
    if args.device_kind and not args.plan or args.price is not None and not args.device_kind:
        raise SteerError(
            "--device-kind and --price are for estimates: give --plan --device-kind KIND, and --price with it"
        )
    for name in ("count", "shard", "batch"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SteerError(f"--{name} {getattr(args, name)}: give 1 or more")
