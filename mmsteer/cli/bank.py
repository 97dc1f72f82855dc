"""`python -m mmsteer bank …`: list a bank, rename its features, fit it to another backbone, exchange it with other people.

`bank build`, `bank import` and `bank examples`, which read captioned pictures, run in `mmsteer.cli.bank_build`; `bank pictures` in
`mmsteer.cli.bank_pictures`.
"""

import argparse
from pathlib import Path
from typing import Any

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError

_MINI = ASSETS / "banks" / "mini"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the sub-commands; each parser's `do` runs its action."""
    from mmsteer.cli import bank_build, bank_pictures

    actions = parser.add_subparsers(dest="action", required=True)
    bank_build.add_build(actions)
    _add_show(actions)
    _add_rename(actions)
    _add_fit(actions)
    bank_pictures.add_pictures(actions)
    _add_push(actions)
    _add_pull(actions)
    _add_export(actions)
    bank_build.add_import(actions)
    bank_build.add_examples(actions)


def run(args: argparse.Namespace) -> None:
    """Run one action."""
    args.do(args)


def _add_show(actions: Any) -> None:
    show = actions.add_parser("show", help="list the features of a bank")
    show.add_argument("--bank", type=Path, default=_MINI)
    show.add_argument("--search", default="", help="only features with these words in name or captions")
    show.add_argument("--modality", choices=("vision", "language", "cross"), help="only features with this label")
    show.set_defaults(do=_show)


def _show(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.studies.report import table

    features = FeatureBank.load(args.bank).search(args.search, args.modality)
    print(table([
        {"id": f.id, "name": f.name, "modality": f.modality, "MDS": f"{f.mds:.2f} [{f.mds_low:.2f}, {f.mds_high:.2f}]",
         "name score": "-" if f.name_confidence is None else f"{f.name_confidence:.2f}", "co-firing": f.cofiring,
         "words": " ".join(f.words[:3])}
        for f in features
    ]))  # fmt: skip


def _add_rename(actions: Any) -> None:
    rename = actions.add_parser("rename", help="give a feature another name")
    rename.add_argument("feature", help="its name or number")
    rename.add_argument("name", help="its new name")
    rename.add_argument("--bank", type=Path, default=_MINI)
    rename.set_defaults(do=_rename)


def _rename(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank

    bank = FeatureBank.load(args.bank)
    old = bank.get(int(args.feature) if args.feature.isdecimal() else args.feature)
    print(f"feature {old.id}: {old.name!r} is now {bank.rename(old.id, args.name).name!r}")


def _add_fit(actions: Any) -> None:
    fit = actions.add_parser(
        "fit", aliases=["bridge"],
        help="fit a bank to another backbone: whose text encoder is of the same CLIP, or whose image adapter reads that CLIP's "
        "embeddings",
    )  # fmt: skip
    fit.add_argument("bank", type=Path, metavar="BANK", help="a bank folder; its text-to-joint map is replaced")
    fit.add_argument("--backbone", required=True, help="a known name, a folder, a file or a hub id")
    fit.add_argument(
        "--clip", required=True, help="the CLIP that the bank was made for, with both towers: a folder or hub id"
    )
    fit.add_argument("--captions", type=Path, help="a file of captions, one a line (default: captions in the bank)")
    fit.add_argument("--device", help="cpu, cuda or mps (default: the best that is available)")
    fit.set_defaults(do=_fit)


def _fit(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.labelling.text_to_joint import MAX_CAPTIONS, fit_text_to_joint
    from mmsteer.models.backbone import Backbone, choose_device
    from mmsteer.models.clip import Clip
    from mmsteer.models.registry import public_name

    bank, device = FeatureBank.load(args.bank), choose_device(args.device)
    if args.captions is None:
        lines = [caption for feature in bank.features for caption in feature.top_captions]
    else:
        lines = _read_lines(args.captions)
    captions = list(dict.fromkeys(line.strip() for line in lines if line.strip()))[:MAX_CAPTIONS]
    clip = Clip(args.clip, device)
    width = bank.tensors["mean_text"].shape[0]
    x = clip.embed_texts(captions)
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


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SteerError(f"cannot read captions from {path} ({error}): give a text file, one a line") from None


def _add_push(actions: Any) -> None:
    push = actions.add_parser("push", help="publish a bank on the Hugging Face hub")
    push.add_argument("bank", type=Path, metavar="BANK", help="a bank folder")
    push.add_argument("repo", metavar="USER/NAME", help="the repository; created if it does not exist")
    push.add_argument(
        "--licence",
        required=True,
        help="of the bank, in the hub's words (apache-2.0, cc-by-4.0, …); it follows from the licence of the pairs",
    )
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.set_defaults(do=_push)


def _push(args: argparse.Namespace) -> None:
    from mmsteer.exchange.hub import push_bank

    print(f"pushed as {push_bank(args.bank, args.repo, args.licence, args.private)}")


def _add_pull(actions: Any) -> None:
    pull = actions.add_parser(
        "pull", help="fetch a bank from the Hugging Face hub, or from its cache without a network"
    )
    pull.add_argument(
        "repo", metavar="USER/NAME[@REVISION]", help="the revision is a commit, tag or branch (default main)"
    )
    pull.add_argument("--out", type=Path, required=True, help="folder to write")
    pull.set_defaults(do=_pull)


def _pull(args: argparse.Namespace) -> None:
    from mmsteer.exchange.hub import pull_bank

    repo, _, revision = args.repo.partition("@")
    commit = pull_bank(repo, revision or None, args.out)
    print(f"wrote {args.out}: commit {commit}; to fetch the same again: bank pull {repo}@{commit}")


def _add_export(actions: Any) -> None:
    export = actions.add_parser("export", help="write a bank's dictionaries as folders that SAELens loads")
    export.add_argument("bank", type=Path, metavar="BANK", help="a bank folder")
    export.add_argument("out", type=Path, metavar="OUT", help="folder to write; each dictionary is a folder in it")
    export.set_defaults(do=_export)


def _export(args: argparse.Namespace) -> None:
    from mmsteer.bank import FeatureBank
    from mmsteer.exchange.export import export_bank

    print(f"wrote {', '.join(str(folder) for folder in export_bank(FeatureBank.load(args.bank), args.out))}")
