"""`python -m mmsteer study …`: one sub-command a study, all with --json, --quick and --seed."""

import argparse
import time
from importlib import import_module
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the studies."""
    studies = parser.add_subparsers(dest="study", required=True)
    for name, told in (
        ("world", "what the embedded models reach on fresh seeds: judge, autoencoder, CLIP, pictures"),
        ("effects", "what each feature does to pictures: hit, leak, removal; beside prompt words and mean differences"),
        ("presets", "on how many fresh seeds each preset of the page shows what it promises"),
        ("labels", "whether labels are right: every objective against the known factors, with controls, nulls, seeds"),
        (
            "concepts",
            "the same on synthetic vectors with known concepts, without CLIP: when do shared dictionaries split?",
        ),
        ("removal", "what recognition and retrieval lose without vision, language or cross features"),
        (
            "ordinary",
            "what features do to a UNet that was not trained to be steered: by words, and by an image adapter",
        ),
        ("stability", "which features come back in builds with other seeds; what tiny changes of the input do to them"),
    ):
        one = studies.add_parser(name, help=told)
        one.add_argument("--json", type=Path, help="write the same figures here")
        one.add_argument("--quick", action="store_true", help="an honest smaller run, under 50 s on 2 cores")
        one.add_argument("--seed", type=int, default=1000, help="of the fresh scenes, prompts and noise")
        one.add_argument("--figure", type=Path, help="draw the study's figure here")
        one.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")
        if name == "ordinary":
            one.add_argument(
                "--steerable", type=Path, metavar="FOLDER",
                help="a UNet of the same shape and training, but with edits (`world train teacher --small`), to set beside it",
            )  # fmt: skip
        if name == "stability":
            one.add_argument(
                "--work", type=Path, default=Path("work/stability"), help="builds are kept here, and used again"
            )
            one.add_argument(
                "--write", action="store_true", help="write into the bank in how many builds each feature is found"
            )


def run(args: argparse.Namespace) -> None:
    """Run one study, print its table, write its JSON."""
    import torch

    from mmsteer.studies.report import write_json

    if args.threads:
        torch.set_num_threads(args.threads)
    began = time.monotonic()
    study = import_module(f"mmsteer.studies.{args.study}").study
    own = {key: value for key, value in vars(args).items() if key in ("work", "write", "steerable")}
    figures = study(seed=args.seed, quick=args.quick, figure=args.figure, **own)
    figures |= {
        "study": args.study,
        "seed": args.seed,
        "quick": args.quick,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(f"\n{figures['seconds']} s")
    if args.json:
        write_json(args.json, figures)
