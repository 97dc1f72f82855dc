"""What a bank is made from: pairs embedded by a CLIP, some of them held out, and what reads prompts in the backbone."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError
from mmsteer.training.groups import choose_groups, parse_groups

if TYPE_CHECKING:
    from mmsteer.data.embeddings import Embedded
    from mmsteer.data.pairs import Pairs
    from mmsteer.models.backbone import Backbone
    from mmsteer.models.clip import Clip

HELD = 12_000  # half to match on, half to score on
WRITTEN = 2  # scenes without a picture that the world tells, each several times, for each pair


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which pairs, embedded by what, make which bank."""
    parser.add_argument(
        "--clip",
        help="folder or hub id[@commit] of a CLIP or SigLIP (default: clip/ in the backbone's folder, or the world's)",
    )
    parser.add_argument(
        "--pairs", default="world",
        help="a folder of pictures with captions, metadata.csv or .jsonl, parquet, webdataset tars (a pattern in quotes), "
        "hub:OWNER/NAME, or world[:SEED] (default)",
    )  # fmt: skip
    parser.add_argument("--columns", metavar="PICTURE,CAPTION", help="of a table, where they have unusual names")
    parser.add_argument("--count", type=int, help="the first so many pairs (default: all; of the world 30,000)")
    parser.add_argument(
        "--held-out", type=float, metavar="SHARE",
        help=f"of your own pairs, kept from training to match and score on, at most {HELD:,} (default 0.2); the world draws as "
        f"many more (default {HELD:,})",
    )  # fmt: skip
    parser.add_argument(
        "--backbone",
        help="the diffusion pipeline to steer: a known name, a folder or a hub id (default for the world: mini)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the bank goes (default for the world: assets/banks/mini)")
    parser.add_argument("--work", type=Path, default=Path("work/bank"), help="embeddings are kept here")
    parser.add_argument("--shard", type=int, default=4096, help="pairs in one file of embeddings (default 4096)")
    parser.add_argument("--batch", type=int, help="pairs embedded at once (default 128 on a CPU, 256 on a GPU)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")
    parser.add_argument("--plan", action="store_true", help="say what all this will take, and do nothing")


class Material(NamedTuple):
    """What a bank is made from."""

    clip: "Clip"
    reader: "Backbone | None"
    """What reads prompts in the backbone to steer."""
    train: "Embedded"
    matching: "Embedded"
    scoring: "Embedded"
    source: "Pairs"
    """Of the scoring pairs, whose pictures are looked at again."""
    candidates: list[str]
    """Words of their captions that can be names."""
    written: list[list[str]]
    """Scenes that have no picture, each in several captions: the more, the truer what goes with a latent of captions."""
    meta: dict[str, Any]
    """What the bank says of all this."""


def gather(args: argparse.Namespace) -> Material | None:
    """Embed the pairs that the arguments name and set some apart; None in all but a plan, which is printed."""
    import torch

    from mmsteer import distributed
    from mmsteer.bank.folder import make_room
    from mmsteer.data.embedding import embed_pairs, work_folder
    from mmsteer.data.shards import read_manifest
    from mmsteer.data.sources import World, open_pairs
    from mmsteer.labelling.text_to_joint import load_prompt_encoder
    from mmsteer.labelling.vocabulary import vocabulary
    from mmsteer.models.backbone import choose_device
    from mmsteer.models.clip import Clip

    if args.threads:
        torch.set_num_threads(args.threads)
    _check(args)
    clip = Clip(args.clip, _join(choose_device(args.device)))
    source = open_pairs(args.pairs, args.count, args.columns)
    fresh = None
    if isinstance(source, World):  # fresh pairs cost nothing
        seed = args.seed if args.pairs == "world" else int(args.pairs.partition(":")[2])
        count = source.limit or 0
        apart = HELD if args.held_out is None else max(2, round(args.held_out * count))
        source, fresh = World(seed + 1, count), World(seed + 2, apart)
    else:
        args.held_out = args.held_out or 0.2
    if args.backbone is None and clip.projection is None:
        raise SteerError(f"the text encoder of {clip.id} ends in no projection that a bank could keep: give --backbone")
    reader = None
    if args.backbone is not None and distributed.rank() == 0:
        items = source.survey.items
        share = 1.0 if fresh else 1 - args.held_out
        reader = load_prompt_encoder(args.backbone, clip, None if items is None else round(items * share))
    if args.plan:
        _plan(clip, source, args)
        return None
    if distributed.rank() == 0:
        make_room(args.out.resolve()).rmdir()
    folders, sets = [], []
    for part in (source, fresh):
        if part is not None:
            folders.append(work_folder(args.work, clip, part))
            sets.append(embed_pairs(clip, part, folders[-1], args.shard, args.batch))
    skipped = read_manifest(folders[0])["skipped"]
    if skipped and distributed.rank() == 0:
        print(f"{skipped} pairs could not be read; {folders[0] / 'skipped.jsonl'} lists them", flush=True)
    if fresh is not None:
        train, half, apart = sets[0], len(sets[1].captions) // 2, len(sets[1].captions)
        matching, scoring = sets[1].part(0, half), sets[1].part(half, apart)
        written = fresh.written(WRITTEN * len(train.captions))
    else:
        train, matching, scoring = set_apart(sets[0], args.held_out)
        written = []
    meta = {
        "clip": clip.identity, "source": source.survey._asdict(), "pairs": len(train.captions),
        "held_out": len(matching.captions) + len(scoring.captions), "skipped": skipped, "captions_alone": sum(map(len, written)),
    }  # fmt: skip
    return Material(
        clip, reader, train, matching, scoring, fresh or source, vocabulary(scoring.captions), written, meta
    )


def set_apart(pairs: "Embedded", share: float) -> "tuple[Embedded, Embedded, Embedded]":
    """Pairs to train on, to match on and to score on; the latter two in memory, taken in turn.

    Held out are pictures at even distances: always the same ones, and from all of the source, however it is ordered; with each
    go all of its captions. At most `HELD` pairs.
    """
    import numpy as np

    from mmsteer.data.embeddings import spread

    picture = pairs.picture
    apart = np.floor((picture + 1) * share) > np.floor(picture * share)
    held = np.unique(picture[apart])
    held = held[spread(len(held), HELD * len(held) // max(1, apart.sum()))]
    if len(held) < 2:
        raise SteerError(
            f"{share:g} of {len(pairs.items)} pairs, of {len(np.unique(picture))} pictures, leaves none to score on: give more "
            "pictures, or a larger --held-out"
        )
    kinds = (~np.isin(picture, held), np.isin(picture, held[::2]), np.isin(picture, held[1::2]))
    train, matching, scoring = (pairs.only(np.flatnonzero(kind)) for kind in kinds)
    return train, matching.part(0, HELD), scoring.part(0, HELD)


def _check(args: argparse.Namespace) -> None:
    """SteerError for arguments that cannot be; fills in what stands for the embedded world."""
    if args.out is None and not args.plan:
        if (args.clip, args.backbone) != (None, None) or not args.pairs.startswith("world"):
            raise SteerError("say where the bank goes: --out FOLDER")
        args.out = ASSETS / "banks" / "mini"
    if args.clip is None:
        args.backbone = args.backbone or "mini"
        own = Path(args.backbone) / "clip"
        args.clip = own if own.is_dir() else ASSETS / "mini" / "clip"
    if args.held_out is not None and not 0 < args.held_out < 1:
        raise SteerError(f"--held-out {args.held_out:g}: give a share between 0 and 1, such as 0.2")
    for name in ("count", "shard", "batch"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SteerError(f"--{name} {getattr(args, name)}: give 1 or more")


def _join(device: str) -> str:
    """Join the other processes, where accelerate or torchrun has started several, and say which device is this one's."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    from accelerate import PartialState  # type: ignore[import-untyped]

    state = PartialState(cpu=device == "cpu")
    return device if device == "cpu" else str(state.device)


def _plan(clip: "Clip", source: "Pairs", args: argparse.Namespace) -> None:
    from mmsteer import distributed
    from mmsteer.data.embedding import plan
    from mmsteer.training.config import DictionarySizes
    from mmsteer.training.objectives import step_seconds

    if distributed.rank():
        return
    found = plan(clip, source, args.batch)
    rate = found.pairs_per_second * distributed.count()
    items = found.items
    print(f"model        {clip.id}, {found.width} coordinates, {clip.identity['dtype']} on {clip.device}")
    print(f"pairs        {source.name}: {'not known before it is read' if items is None else f'{items:,}'}")
    print(f"disk         {_size(found.bytes_per_pair, items)} in {args.work}")
    print(f"memory       {found.memory / 1e9:.1f} GB while embedding, in each process; it does not grow with the pairs")
    took = f"{rate:,.0f} pairs/s in {distributed.count()} process{'es' if distributed.count() > 1 else ''}"
    print(f"embedding    {took}" + ("" if items is None else f": {_duration(items / rate)}"))
    if hasattr(args, "steps") and distributed.count() == 1:  # one process's step says nothing of several
        own = 1 - (args.held_out or 0)
        pairs = 64 * found.width if items is None else round(items * own)  # more would change nothing
        image, text = choose_groups(args, found.width, pairs, source.kind == "world")
        sizes = DictionarySizes(parse_groups(image), parse_groups(text))
        seconds = args.steps * step_seconds(args.objective, found.width, sizes, clip.device)
        print(f"training     {args.steps:,} steps of dictionaries at {image} and {text}: {_duration(seconds)}")


def _size(bytes_per_pair: float, items: int | None) -> str:
    if items is None:
        return f"{bytes_per_pair / 1e3:.1f} kB a pair"
    return f"{items * bytes_per_pair / 1e6:,.1f} MB"


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
