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
    for side, levels in (("image", "24:5,32:4,160:3"), ("text", "24:5,232:5")):
        build.add_argument(
            f"--{side}", default=levels, metavar="LATENTS:K,…",
            help=f"levels of the {side} dictionary: how many latents, how many of them fire at once (default {levels})",
        )  # fmt: skip
    build.add_argument(
        "--objective", default="levels", help="what dictionaries are trained to (default levels; see `study labels`)"
    )
    build.add_argument("--steps", type=int, default=1500)
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--out", type=Path, default=ASSETS / "banks" / "mini")
    build.add_argument("--work", type=Path, default=Path("work/bank"), help="embeddings are kept here")
    build.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")
    show = actions.add_parser("show", help="list the features of a bank")
    show.add_argument("--bank", type=Path, default=ASSETS / "banks" / "mini")
    show.add_argument("--search", default="")
    show.add_argument("--modality", choices=("vision", "language", "cross"))
    rename = actions.add_parser("rename", help="give a feature another name")
    rename.add_argument("feature", help="its name or number")
    rename.add_argument("name", help="what to call it from now on")
    rename.add_argument("--bank", type=Path, default=ASSETS / "banks" / "mini")


def run(args: argparse.Namespace) -> None:
    """Do one action."""
    if args.action == "show":
        _show(args)
    elif args.action == "rename":
        _rename(args)
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


def _rename(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank

    bank = FeatureBank.load(args.bank)
    old = bank.get(int(args.feature) if args.feature.isdecimal() else args.feature)
    print(f"feature {old.id}: {old.name!r} is now {bank.rename(old.id, args.name).name!r}")


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
    import torch.nn.functional as F

    from mmsteer.bank import MODALITIES, FeatureBank
    from mmsteer.build.bridge import fit_bridge
    from mmsteer.build.embed import embed, load_clip
    from mmsteer.build.examples import write_examples
    from mmsteer.build.label import agrees
    from mmsteer.build.naming import vocabulary
    from mmsteer.build.objectives import Size, train_pair
    from mmsteer.build.properties import measure
    from mmsteer.build.score import Clues, make_features, pair_up, quality, read_up
    from mmsteer.build.train import Descent
    from mmsteer.world.clip import tokens
    from mmsteer.world.pairs import WorldPairs

    if args.threads:
        torch.set_num_threads(args.threads)
    clip_folder, held = args.backbone / "clip", 12_000
    pairs = embed(clip_folder, args.seed + 1, args.count, args.work)
    apart = embed(clip_folder, args.seed + 2, held, args.work)
    matching, scoring = apart.part(0, held // 2), apart.part(held // 2, held)
    began = time.monotonic()
    size, descent = Size(_levels(args.image), _levels(args.text)), Descent(args.steps, seed=args.seed)
    found = train_pair(args.objective, pairs.image, pairs.text, size, descent)
    sides = {"image": quality(found.image, scoring.image), "text": quality(found.text, scoring.text)}
    print(f"dictionaries trained in {time.monotonic() - began:.0f} s: {sides}", flush=True)
    if args.objective == "levels":
        found, latents = read_up(found, matching, pairs)
    else:
        found, latents = pair_up(found, matching)
    dictionaries, world = {"image": found.image, "text": found.text}, WorldPairs(args.seed + 2, held)
    clip, tokenizer = load_clip(clip_folder)
    bridge = fit_bridge(clip.text_projection.weight.T.contiguous(), pairs, dictionaries)
    candidates = vocabulary(scoring.captions)
    worded = clip.get_text_features(tokens(tokenizer, candidates)).pooler_output
    properties = torch.cat([measure(batch.pictures) for batch in world.batches(256, held // 2)])
    clues = Clues(properties.numpy(), candidates, F.normalize(worded, dim=1).numpy(), bridge["effect_text"].numpy())
    features, top = make_features(found, latents, scoring, clues)
    meta = {
        "backbone": args.backbone.name, "clip": "the embedded world's own", "pairs": args.count, "held_out": held,
        "objective": args.objective, "levels": {"image": args.image, "text": args.text}, "steps": args.steps,
        "seed": args.seed, "sides": sides,
    }  # fmt: skip
    bank = FeatureBank(features, meta, dictionaries, bridge)
    shutil.rmtree(args.work / "examples", ignore_errors=True)
    bank.save(args.out)
    write_examples(args.out / "examples", world, {f: [held // 2 + i for i in rows] for f, rows in top.items()})
    for modality in MODALITIES:
        own = Counter(f.named_by for f in features if f.modality == modality)
        print(
            f"{modality:9s} {own.total():4d} features: {own['truth']} named after a factor, "
            f"{own['words'] + own['property']} by words or properties, {own[None]} without a sure name"
        )
    known = [f for f in features if f.named_by == "truth"]
    agree = sum(agrees(f.automatic, f.name) for f in known)
    print(f"the automatic name agrees with the known one for {agree} of {len(known)}")
    print(f"wrote {args.out}")
