"""`python -m mmsteer bank build`: captioned pictures into a bank folder."""

import argparse
import time
from pathlib import Path

from mmsteer.assets import ASSETS
from mmsteer.data.splits import add_source_arguments, gather
from mmsteer.errors import SteerError
from mmsteer.labelling.bank_builder import build_bank
from mmsteer.models.backbone import public_name
from mmsteer.training.groups import choose_groups, parse_groups


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the sub-commands."""
    from mmsteer.exchange import hub

    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="train dictionaries on captioned pictures, score and name their features")
    add_source_arguments(build)
    for side in ("image", "text"):
        build.add_argument(
            f"--{side}", metavar="LATENTS:K,…",
            help=f"Matryoshka groups of the {side} dictionary: how many latents, how many of them fire at once (default: the shipped "
            "bank's for the embedded CLIP, else 8 latents a coordinate or one for 8 pairs, whichever are fewer)",
        )  # fmt: skip
    build.add_argument(
        "--objective",
        default="matryoshka",
        help="how dictionaries are trained (default matryoshka; see `study labels`)",
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
    fit = actions.add_parser(
        "fit", aliases=["bridge"], help="fit a bank to another backbone whose text encoder is of the same CLIP"
    )
    fit.add_argument("bank", type=Path, metavar="BANK", help="a bank folder; its map to the text encoder is replaced")
    fit.add_argument("--backbone", required=True, help="a known name, a folder or a hub id")
    fit.add_argument("--clip", required=True, help="the whole CLIP that the bank was made for: a folder or hub id")
    fit.add_argument("--captions", type=Path, help="a file of captions, one a line (default: those kept in the bank)")
    fit.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    fit.set_defaults(do=_fit)
    hub.add_arguments(actions)


def run(args: argparse.Namespace) -> None:
    """Do one action."""
    args.do(args)


def _build(args: argparse.Namespace) -> None:
    from mmsteer import distributed
    from mmsteer.training.config import DictionarySizes, TrainingConfig
    from mmsteer.training.objectives import find_objective, objective_name, train_dictionaries

    objective = find_objective(args.objective)
    for groups in filter(None, (args.image, args.text)):
        parse_groups(groups)  # refused before anything is embedded
    if args.steps < 1:
        raise SteerError(f"--steps {args.steps}: give 1 or more")
    material = gather(args)
    if material is None:
        return
    began = time.monotonic()
    pairs, width = material.train.image.shape
    image, text = choose_groups(args, width, pairs, material.scoring.known)
    config = TrainingConfig(args.steps, seed=args.seed, show_progress=True, device=material.clip.device)
    sizes = DictionarySizes(parse_groups(image), parse_groups(text))
    dictionaries = train_dictionaries(args.objective, material.train.image, material.train.text, sizes, config)
    if distributed.rank():
        return
    print(f"dictionaries trained in {time.monotonic() - began:.0f} s", flush=True)
    about = {
        "objective": objective_name(args.objective),
        "levels": {"image": image, "text": text},
        "steps": args.steps,
        "seed": args.seed,
    }
    build_bank(dictionaries, material, about, args.backbone, args.out, objective.probe)


def _show(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.studies.report import table

    found = FeatureBank.load(args.bank).search(args.search, args.modality)
    print(table([
        {"id": f.id, "name": f.name, "modality": f.modality, "MDS": f"{f.mds:.2f} [{f.mds_low:.2f}, {f.mds_high:.2f}]",
         "name score": "-" if f.name_confidence is None else f"{f.name_confidence:.2f}", "co-firing": f.cofiring,
         "words": " ".join(f.words[:3])}
        for f in found
    ]))  # fmt: skip


def _rename(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank

    bank = FeatureBank.load(args.bank)
    old = bank.get(int(args.feature) if args.feature.isdecimal() else args.feature)
    print(f"feature {old.id}: {old.name!r} is now {bank.rename(old.id, args.name).name!r}")


def _fit(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.labelling.text_to_joint import MAX_CAPTIONS, fit_text_to_joint
    from mmsteer.models.backbone import Backbone, choose_device
    from mmsteer.models.clip import Clip

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
    captions = list(dict.fromkeys(line.strip() for line in lines if line.strip()))[:MAX_CAPTIONS]
    clip = Clip(args.clip, device)
    width = bank.tensors["mean_text"].shape[0]
    x = clip.words(captions)
    if x.shape[1] != width:
        raise SteerError(
            f"{args.clip} has a joint space of {x.shape[1]} coordinates, the bank one of {width}: give its CLIP"
        )
    reader = Backbone.load(args.backbone, device, words_only=True)
    joint, bank.meta["text_to_joint"] = fit_text_to_joint(reader, captions, x, clip.projection)
    old = {"projection", "offset", "inverse", "inverse_pooled", "probes"}
    bank.tensors = {key: value for key, value in bank.tensors.items() if key not in old} | joint
    bank.meta["backbone"] = public_name(args.backbone)
    bank.save(args.bank)
    print(f"{args.bank} now steers {bank.meta['backbone']}: {bank.faithfulness}")
