"""`python -m mmsteer bank build`: captioned pictures into a bank folder."""

import argparse
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.backbone import ASSETS
from mmsteer.errors import SteerError

if TYPE_CHECKING:
    from mmsteer.build.train import Level


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="train dictionaries on pairs of the world, score and name their features")
    build.add_argument("--backbone", type=Path, default=ASSETS / "mini", help="folder with clip/ inside")
    build.add_argument("--count", type=int, default=30_000, help="training pairs; 12,000 more are held out")
    for side, levels in (("image", "24:5,128:3"), ("text", "24:5,232:5")):
        build.add_argument(
            f"--{side}", default=levels, metavar="LATENTS:K,…",
            help=f"levels of the {side} dictionary: how many latents, how many of them fire at once (default {levels})",
        )  # fmt: skip
    build.add_argument("--steps", type=int, default=4000)
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--out", type=Path, default=ASSETS / "banks" / "mini")
    build.add_argument("--work", type=Path, default=Path("work/bank"), help="embeddings are kept here")
    build.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")
    show = actions.add_parser("show", help="list the features of a bank")
    show.add_argument("--bank", type=Path, default=ASSETS / "banks" / "mini")
    show.add_argument("--search", default="")
    show.add_argument("--modality", choices=("vision", "language", "cross"))


def run(args: argparse.Namespace) -> None:
    """Do one action."""
    if args.action == "show":
        _show(args)
    else:
        _build(args)


def _show(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.studies.report import table

    found = FeatureBank.load(args.bank).search(args.search, args.modality)
    print(table([
        {"id": f.id, "name": f.name, "modality": f.modality, "MDS": f"{f.mds:.2f} [{f.mds_low:.2f}, {f.mds_high:.2f}]",
         "name score": "-" if f.sure is None else f"{f.sure:.2f}", "co-firing": f.cofiring, "words": " ".join(f.words[:3])}
        for f in found
    ]))  # fmt: skip


def _levels(text: str) -> "tuple[Level, ...]":
    from mmsteer.build.train import Level

    try:
        return tuple(Level(*(int(n) for n in part.split(":"))) for part in text.split(","))
    except (ValueError, TypeError):
        raise SteerError(
            f"cannot read the levels {text!r}: write LATENTS:K,LATENTS:K, for example 24:5,128:3"
        ) from None


def _build(args: argparse.Namespace) -> None:
    import torch

    from mmsteer.bank import FeatureBank
    from mmsteer.build.bridge import fit_bridge
    from mmsteer.build.embed import embed, load_clip
    from mmsteer.build.examples import write_examples
    from mmsteer.build.score import make_features
    from mmsteer.build.train import TrainConfig, fvu, train_dictionary
    from mmsteer.world.pairs import WorldPairs

    if args.threads:
        torch.set_num_threads(args.threads)
    clip_folder, held = args.backbone / "clip", 12_000
    pairs = embed(clip_folder, args.seed + 1, args.count, args.work)
    apart = embed(clip_folder, args.seed + 2, held, args.work)
    matching, scoring = apart.part(0, held // 2), apart.part(held // 2, held)
    configs = {
        side: TrainConfig(_levels(getattr(args, side)), args.steps, seed=args.seed) for side in ("image", "text")
    }
    dictionaries, figures = {}, {}
    for side, x, test in (("image", pairs.image, scoring.image), ("text", pairs.text, scoring.text)):
        began = time.monotonic()
        dictionaries[side] = train_dictionary(x, configs[side], side)
        code = dictionaries[side].encode(test)
        figures[side] = {
            "fvu": round(fvu(dictionaries[side], test), 4),
            "l0": round(float((code > 0).sum(1).float().mean()), 2),
            "dead": round(float(1 - (code > 0).any(0).float().mean()), 4),
        }
        print(f"{side} dictionary: {figures[side]}  {time.monotonic() - began:.0f} s", flush=True)
    features, top = make_features(dictionaries, matching, scoring)
    projection = load_clip(clip_folder)[0].text_projection.weight.T.contiguous()
    meta = {
        "backbone": args.backbone.name, "clip": "the embedded world's own", "pairs": args.count, "held_out": held,
        "objective": "matched",
        "levels": {"image": args.image, "text": args.text}, "steps": args.steps, "seed": args.seed,
        "sides": figures,
    }  # fmt: skip
    bank = FeatureBank(features, meta, dictionaries, fit_bridge(projection, pairs, dictionaries))
    shutil.rmtree(args.work / "examples", ignore_errors=True)
    bank.save(args.out)
    world = WorldPairs(args.seed + 2, held)
    write_examples(args.out / "examples", world, {f: [held // 2 + i for i in rows] for f, rows in top.items()})
    counts, sure = Counter(f.modality for f in features), Counter(f.modality for f in features if f.sure is not None)
    for modality in ("vision", "language", "cross"):
        print(f"{modality:9s} {counts[modality]:4d} features, {sure[modality]:3d} with a sure name")
    print(f"wrote {args.out}")
