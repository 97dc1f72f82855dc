"""`python -m mmsteer bank build`: captioned pictures into a bank folder."""

import argparse
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.backbone import ASSETS
from mmsteer.errors import SteerError

if TYPE_CHECKING:
    import torch

    from mmsteer.backbone import Backbone
    from mmsteer.build.objectives import Dictionaries
    from mmsteer.build.pairs import Pairs
    from mmsteer.build.train import Level
    from mmsteer.build.vectors import Embedded
    from mmsteer.clip import Clip

HELD = 12_000  # half to match on, half to score on
BRIDGED = 10_000  # captions that the bridge is fitted on
WORLD_LEVELS = ("24:5,32:4,160:3", "24:5,232:5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the sub-commands."""
    from mmsteer.build import hub

    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="train dictionaries on captioned pictures, score and name their features")
    add_source_arguments(build)
    for side in ("image", "text"):
        build.add_argument(
            f"--{side}", metavar="LATENTS:K,…",
            help=f"levels of the {side} dictionary: how many latents, how many of them fire at once (default: the shipped bank's "
            "for the embedded CLIP, else 8 latents a coordinate or one for 8 pairs, whichever are fewer)",
        )  # fmt: skip
    build.add_argument(
        "--objective", default="levels", help="what dictionaries are trained to (default levels; see `study labels`)"
    )
    build.add_argument("--steps", type=int, default=1500)
    build.set_defaults(do=_build)
    show = actions.add_parser("show", help="list the features of a bank")
    show.add_argument("--bank", type=Path, default=ASSETS / "banks" / "mini")
    show.add_argument("--search", default="")
    show.add_argument("--modality", choices=("vision", "language", "cross"))
    show.set_defaults(do=_show)
    rename = actions.add_parser("rename", help="give a feature another name")
    rename.add_argument("feature", help="its name or number")
    rename.add_argument("name", help="what to call it from now on")
    rename.add_argument("--bank", type=Path, default=ASSETS / "banks" / "mini")
    rename.set_defaults(do=_rename)
    bridge = actions.add_parser("bridge", help="fit a bank to another backbone whose text encoder is of the same CLIP")
    bridge.add_argument(
        "bank", type=Path, metavar="BANK", help="a bank folder; its map to the text encoder is replaced"
    )
    bridge.add_argument("--backbone", required=True, help="a known name, a folder or a hub id")
    bridge.add_argument("--clip", required=True, help="the whole CLIP that the bank was made for: a folder or hub id")
    bridge.add_argument(
        "--captions", type=Path, help="a file of captions, one a line (default: those kept in the bank)"
    )
    bridge.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    bridge.set_defaults(do=_bridge)
    hub.add_arguments(actions)


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
        "--held-out", type=float, default=0.2, metavar="SHARE",
        help=f"of your own pairs, kept from training to match and score on, at most {HELD:,} (default 0.2; the world draws "
        f"{HELD:,} more)",
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


def run(args: argparse.Namespace) -> None:
    """Do one action."""
    args.do(args)


def _show(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.studies.report import table

    found = FeatureBank.load(args.bank).search(args.search, args.modality)
    print(table([
        {"id": f.id, "name": f.name, "modality": f.modality, "MDS": f"{f.mds:.2f} [{f.mds_low:.2f}, {f.mds_high:.2f}]",
         "name score": "-" if f.sure is None else f"{f.sure:.2f}", "co-firing": f.cofiring, "words": " ".join(f.words[:3])}
        for f in found
    ]))  # fmt: skip


def _rename(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank

    bank = FeatureBank.load(args.bank)
    old = bank.get(int(args.feature) if args.feature.isdecimal() else args.feature)
    print(f"feature {old.id}: {old.name!r} is now {bank.rename(old.id, args.name).name!r}")


def _bridge(args: argparse.Namespace) -> None:
    from mmsteer.backbone import Backbone, choose_device
    from mmsteer.bank import FeatureBank
    from mmsteer.build.bridge import fit_joint
    from mmsteer.clip import Clip

    bank, device = FeatureBank.load(args.bank), choose_device(args.device)
    if args.captions is None:
        lines = [caption for feature in bank.features for caption in feature.top_captions]
    else:
        try:
            lines = args.captions.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SteerError(
                f"cannot read captions from {args.captions} ({error}): give a text file, one a line"
            ) from None
    captions = list(dict.fromkeys(line.strip() for line in lines if line.strip()))[:BRIDGED]
    clip = Clip(args.clip, device)
    width = bank.bridge["mean_text"].shape[0]
    x = clip.words(captions)
    if x.shape[1] != width:
        raise SteerError(
            f"{args.clip} has a joint space of {x.shape[1]} coordinates, the bank one of {width}: give its CLIP"
        )
    reader = Backbone.load(args.backbone, device, words_only=True)
    joint, bank.meta["bridge"] = fit_joint(reader, captions, x, clip.projection)
    old = {"projection", "offset", "inverse", "inverse_pooled", "probes"}
    bank.bridge = {key: value for key, value in bank.bridge.items() if key not in old} | joint
    bank.meta["backbone"] = _name(args.backbone)
    bank.save(args.bank)
    print(f"{args.bank} now steers {bank.meta['backbone']}: {bank.faithfulness}")


def _name(backbone: str | None) -> str | None:
    """A backbone as a bank tells it: a known name or a hub id, of a folder its last part."""
    return Path(backbone).name if backbone and Path(backbone).exists() else backbone


def _levels(text: str) -> "tuple[Level, ...]":
    from mmsteer.build.train import Level, TrainConfig

    try:
        levels = tuple(Level(*(int(n) for n in part.split(":"))) for part in text.split(","))
    except (ValueError, TypeError):
        raise SteerError(
            f"cannot read the levels {text!r}: write LATENTS:K,LATENTS:K, for example 24:5,128:3"
        ) from None
    return TrainConfig(levels).levels


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
    meta: dict[str, Any]
    """What the bank says of all this."""


def _build(args: argparse.Namespace) -> None:
    from mmsteer.build import ranks
    from mmsteer.build.objectives import Size, find_objective, train_pair
    from mmsteer.build.train import Descent

    objective = find_objective(args.objective)
    for levels in filter(None, (args.image, args.text)):
        _levels(levels)  # refused before anything is embedded
    if args.steps < 1:
        raise SteerError(f"--steps {args.steps}: give 1 or more")
    material = gather(args)
    if material is None:
        return
    began = time.monotonic()
    pairs, width = material.train.image.shape
    image, text = chosen_levels(args, width, pairs, material.scoring.known)
    descent = Descent(args.steps, seed=args.seed, told=True, device=material.clip.device)
    size = Size(_levels(image), _levels(text))
    found = train_pair(args.objective, material.train.image, material.train.text, size, descent)
    if ranks.rank():
        return
    print(f"dictionaries trained in {time.monotonic() - began:.0f} s", flush=True)
    about = {
        "objective": args.objective,
        "levels": {"image": image, "text": text},
        "steps": args.steps,
        "seed": args.seed,
    }
    make_bank(found, material, about, args.backbone, args.out, objective.read)


def chosen_levels(args: argparse.Namespace, width: int, pairs: int, known: bool) -> tuple[str, str]:
    """Levels of both dictionaries: as asked for, else those of the world where factors are `known`, else by width and pairs."""
    image, text = WORLD_LEVELS if known else default_levels(width, pairs)
    return args.image or image, args.text or text


def default_levels(width: int, pairs: int) -> tuple[str, str]:
    """Levels of both dictionaries where nothing is known of the pairs: 8 latents for each coordinate, 32 of them at once, fewer
    where pairs are few. A sixteenth of them is the coarse level."""
    latents = max(16, min(8 * width, pairs // 8))
    coarse = max(4, latents // 16)
    levels = f"{coarse}:{min(8, max(1, coarse // 2))},{latents - coarse}:{min(24, latents // 8)}"
    return levels, levels


def gather(args: argparse.Namespace) -> Material | None:
    """Embed the pairs that the arguments name and set some apart; None in all but a plan, which is printed."""
    import torch

    from mmsteer.backbone import choose_device
    from mmsteer.bank import make_room
    from mmsteer.build import ranks
    from mmsteer.build.bridge import load_reader
    from mmsteer.build.embed import embed_pairs, work_folder
    from mmsteer.build.naming import vocabulary
    from mmsteer.build.shards import read_manifest
    from mmsteer.build.sources import World, open_pairs
    from mmsteer.clip import Clip

    if args.threads:
        torch.set_num_threads(args.threads)
    _check(args)
    clip = Clip(args.clip, _join(choose_device(args.device)))
    source = open_pairs(args.pairs, args.count, args.columns)
    fresh = None
    if isinstance(source, World):  # fresh pairs cost nothing
        seed = args.seed if args.pairs == "world" else int(args.pairs.partition(":")[2])
        source, fresh = World(seed + 1, source.limit or 0), World(seed + 2, HELD)
    if args.backbone is None and clip.projection is None:
        raise SteerError(f"the text encoder of {clip.id} ends in no projection that a bank could keep: give --backbone")
    reader = None
    if args.backbone is not None and ranks.rank() == 0:
        items = source.survey.items
        share = 1.0 if fresh else 1 - args.held_out
        reader = load_reader(args.backbone, clip, None if items is None else round(items * share))
    if args.plan:
        _plan(clip, source, args)
        return None
    if ranks.rank() == 0:
        make_room(args.out.resolve()).rmdir()
    folders, sets = [], []
    for part in (source, fresh):
        if part is not None:
            folders.append(work_folder(args.work, clip, part))
            sets.append(embed_pairs(clip, part, folders[-1], args.shard, args.batch))
    skipped = read_manifest(folders[0])["skipped"]
    if skipped and ranks.rank() == 0:
        print(f"{skipped} pairs could not be read; {folders[0] / 'skipped.jsonl'} lists them", flush=True)
    if fresh is not None:
        train, matching, scoring = sets[0], sets[1].part(0, HELD // 2), sets[1].part(HELD // 2, HELD)
    else:
        train, matching, scoring = set_apart(sets[0], args.held_out)
    meta = {
        "clip": clip.identity, "source": source.survey._asdict(), "pairs": len(train.captions),
        "held_out": len(matching.captions) + len(scoring.captions), "skipped": skipped,
    }  # fmt: skip
    return Material(clip, reader, train, matching, scoring, fresh or source, vocabulary(scoring.captions), meta)


def set_apart(pairs: "Embedded", share: float) -> "tuple[Embedded, Embedded, Embedded]":
    """Pairs to train on, to match on and to score on; the latter two in memory, taken in turn.

    Held out are pictures at even distances: always the same ones, and from all of the source, however it is ordered; with each
    go all of its captions. At most `HELD` pairs.
    """
    import numpy as np

    from mmsteer.build.vectors import spread

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


def make_bank(
    found: "Dictionaries", material: Material, about: dict[str, Any], backbone: str | None, out: Path, read: bool
) -> None:
    """Match latents, score and name features, fit the bridge, and write the bank with its example sheets.

    With `read`, latents left single are read across; `about` says how the dictionaries came to be.
    """
    from mmsteer.bank import MODALITIES, FeatureBank
    from mmsteer.build.bridge import calibrate, fit_bridge
    from mmsteer.build.examples import look_again, write_examples
    from mmsteer.build.exchange import as_shared
    from mmsteer.build.label import agrees
    from mmsteer.build.rivals import find_rivals
    from mmsteer.build.score import Clues, make_features, pair_up, quality

    clip, reader, train, matching, scoring, source, candidates, meta = material
    sides = {side: quality(getattr(found, side), getattr(scoring, side)) for side in ("image", "text")}
    print(f"on held-out pairs: {sides}", flush=True)
    found, latents = pair_up(found, matching, train if read else None)
    dictionaries = {"image": found.image, "text": found.text}
    joint, told = _joint(clip, train, reader)
    bridge = joint | fit_bridge(train, dictionaries)
    properties, tiles = look_again(source, scoring.items.tolist())
    clues = Clues(properties, candidates, clip.words(candidates).numpy(), bridge["effect_text"].numpy())
    features, top = make_features(found, latents, scoring, clues)
    if found.image is found.text:
        features, bridge, dictionaries = as_shared(features, bridge, found.image)
    features = find_rivals(features, dictionaries, train.text)
    features = calibrate(features, bridge, train.sample(BRIDGED).text)
    meta = {"backbone": _name(backbone), **meta, **about, "sides": sides, "bridge": told}
    bank = FeatureBank(features, meta, dictionaries, bridge)
    bank.save(out)
    write_examples(out / "examples", tiles, top)
    for modality in MODALITIES:
        own = Counter(f.named_by for f in features if f.modality == modality)
        print(
            f"{modality:9s} {own.total():4d} features: {own['truth']} named after a factor, "
            f"{own['words'] + own['property']} by words or properties, {own[None]} without a sure name"
        )
    known = [f for f in features if f.named_by == "truth"]
    if known:
        agree = sum(agrees(f.automatic, f.name) for f in known)
        print(f"the automatic name agrees with the known one for {agree} of {len(known)}")
    print(f"wrote {out}")


def _joint(
    clip: "Clip", train: "Embedded", reader: "Backbone | None"
) -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """The map between what the backbone reads and the joint space; without a backbone CLIP's own projection."""
    from mmsteer.build.bridge import fit_joint

    if reader is not None:
        some = train.sample(BRIDGED)
        first = {
            caption: k for k, caption in reversed(list(enumerate(some.captions)))
        }  # faithfulness is told on unseen ones
        rows = sorted(first.values())
        return fit_joint(reader, [some.captions[k] for k in rows], some.text[rows], clip.projection)
    assert clip.projection is not None, "`gather` has seen to it"
    return {"projection": clip.projection}, {"kind": "projection"}


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
    if not 0 < args.held_out < 1:
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
    from mmsteer.build import ranks
    from mmsteer.build.embed import plan
    from mmsteer.build.objectives import Size, step_seconds

    if ranks.rank():
        return
    found = plan(clip, source, args.batch)
    rate = found.pairs_per_second * ranks.count()
    items = found.items
    print(f"model        {clip.id}, {found.width} coordinates, {clip.identity['dtype']} on {clip.device}")
    print(f"pairs        {source.name}: {'not known before it is read' if items is None else f'{items:,}'}")
    print(f"disk         {_size(found.bytes_per_pair, items)} in {args.work}")
    print(f"memory       {found.memory / 1e9:.1f} GB while embedding, in each process; it does not grow with the pairs")
    took = f"{rate:,.0f} pairs/s in {ranks.count()} process{'es' if ranks.count() > 1 else ''}"
    print(f"embedding    {took}" + ("" if items is None else f": {_duration(items / rate)}"))
    if hasattr(args, "steps") and ranks.count() == 1:  # one process's step says nothing of several
        pairs = 64 * found.width if items is None else round(items * (1 - args.held_out))  # more would change nothing
        image, text = chosen_levels(args, found.width, pairs, source.kind == "world")
        size = Size(_levels(image), _levels(text))
        seconds = args.steps * step_seconds(args.objective, found.width, size, clip.device)
        print(f"training     {args.steps:,} steps of dictionaries at {image} and {text}: {_duration(seconds)}")


def _size(bytes_per_pair: float, items: int | None) -> str:
    if items is None:
        return f"{bytes_per_pair / 1e3:.1f} kB a pair"
    return f"{items * bytes_per_pair / 1e6:,.1f} MB"


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
