"""`python -m mmsteer study …`: one sub-command a study, each with --json, --quick and --seed; `results` and `figures` only render."""

import argparse
import time
from importlib import import_module
from pathlib import Path

from mmsteer.cli.arguments import check_target

STUDIES = {
    "world": "what the embedded models reach on fresh seeds: judge, autoencoder, CLIP, pictures",
    "effects": "what each feature does to pictures: hit, leak, removal; beside prompt words and mean differences",
    "presets": "on how many fresh seeds each preset of the page shows what it promises",
    "kept": "how much of a picture of your own is kept as edits act on it, by its freedom: reconstruction, hit, leak",
    "labels": "whether labels are right: every objective against the known factors, with controls, nulls, seeds",
    "concepts": "the same on synthetic vectors with known concepts, without CLIP: when do shared dictionaries split?",
    "removal": "what recognition and retrieval lose without vision-only, language-only or cross-modal features",
    "adversarial": "attacks on pictures and captions through one modality's features: strength, transfer, defence, detection",
    "ordinary": "what features do to a UNet that was not trained to be steered: by words, and by an image adapter",
    "sliders": "sliders made from a few pictures with and without something, beside the bank's own feature for it",
    "gender": "which class of features carries gender bias, and what removing it does; in the world, or for your own CLIP and pictures",
    "parts": "what is left of an edit on some words, in late steps or in a region of the picture alone",
    "stability": "which features come back in builds with other seeds; what tiny changes of the input do to them",
}
"""Each is a module of `mmsteer.studies` with a function `study`."""
_SHEETS = ("world", "effects", "kept", "adversarial", "ordinary", "parts")
"""Those that draw a sheet of pictures as they run."""
_OWN_OPTIONS = (
    "work", "write", "steerable", "other_clip", "clip", "bank", "pictures", "attribute", "occupation",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the studies."""
    from mmsteer.studies.charts import CHARTS

    studies = parser.add_subparsers(dest="study", required=True)
    for name, summary in STUDIES.items():
        one = studies.add_parser(name, help=summary)
        one.add_argument("--json", type=Path, help="write the figures to this file, too")
        one.add_argument("--quick", action="store_true", help="a smaller run of all parts, under 50 s on 2 cores")
        one.add_argument("--seed", type=int, default=1000, help="of the fresh scenes, prompts and noise")
        if name in CHARTS or name in _SHEETS:
            one.add_argument("--figure", type=Path, help=_figure_help(name in CHARTS, name in _SHEETS))
        one.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")
        if name == "gender":
            _add_own_pictures(one)
        if name == "ordinary":
            one.add_argument(
                "--steerable", type=Path, metavar="FOLDER",
                help="a UNet of the same shape and training, but with edits (`world train teacher --small`), to compare it with",
            )  # fmt: skip
        if name == "adversarial":
            one.add_argument(
                "--other-clip", type=Path, action="append", default=[], metavar="FOLDER",
                help="another CLIP of the world (`world train clip --seed 7`), to see whether attacks transfer; may be repeated",
            )  # fmt: skip
        if name == "stability":
            one.add_argument(
                "--work", type=Path, default=Path("work/stability"), help="where builds are stored, and used again"
            )
            one.add_argument(
                "--write", action="store_true", help="write into the bank in how many builds each feature is found"
            )
    studies.add_parser("results", help="render assets/figures/RESULTS.md again from the files that studies wrote")
    studies.add_parser(
        "figures", help="draw assets/figures/*.png again, light and dark, from the files that studies wrote"
    )


def _figure_help(chart: bool, sheet: bool) -> str:
    if chart and sheet:
        return "draw the study's figure to this file as .png, dark beside it, and a sheet of pictures as .webp"
    return "draw the study's figure to this file, dark beside it" if chart else "draw a sheet of pictures to this file"


def _add_own_pictures(study: argparse.ArgumentParser) -> None:
    """The options with which a study of the world measures other people's CLIP and pictures instead."""
    study.add_argument(
        "--clip", metavar="FOLDER", help="your own CLIP: a folder saved by transformers, or a hub id[@commit]"
    )
    study.add_argument("--bank", type=Path, metavar="FOLDER", help="a bank of that CLIP, as `bank build` makes one")
    study.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="pictures of people with metadata.csv (file_name and the columns below)",
    )
    study.add_argument(
        "--attribute", metavar="COLUMN", help="the column with each person's group in a word, such as man or woman"
    )
    study.add_argument(
        "--occupation", metavar="COLUMN", help="the column with each person's occupation, if there is one"
    )


def run(args: argparse.Namespace) -> None:
    """Run one study, print its table, write its JSON and its figure; with shipped JSON also RESULTS.md and the shipped figure."""
    import torch

    from mmsteer.studies.charts import draw
    from mmsteer.studies.report import plain, write_json
    from mmsteer.studies.results import page

    if args.study in ("results", "figures"):
        for path in [page.write()] if args.study == "results" else page.draw_figures():
            print(path)
        return
    chart, sheet = _files(args.study, getattr(args, "figure", None))
    if args.json:
        check_target("--json", args.json)
    if args.threads:
        torch.set_num_threads(args.threads)
    began = time.monotonic()
    study = import_module(f"mmsteer.studies.{args.study}").study
    options = {key: value for key, value in vars(args).items() if key in _OWN_OPTIONS}
    if sheet:
        options["sheet"] = sheet
    if args.study == "stability":
        options["build"] = _build_bank
    figures = study(seed=args.seed, quick=args.quick, **options)
    seconds = round(time.monotonic() - began, 1)
    figures |= {"study": args.study, "seed": args.seed, "quick": args.quick, "seconds": seconds}
    print(f"\n{seconds} s")
    if args.json:
        write_json(args.json, figures)
        if not args.quick and args.json.resolve() == page.FIGURES / f"{args.study}.json":
            page.write()
            page.draw_figures(args.study)
    if chart:
        draw(args.study, plain(figures), chart)


def _files(study: str, figure: Path | None) -> tuple[Path | None, Path | None]:
    """Where the study's figure is drawn, and its sheet of pictures; None for one that it does not have."""
    from mmsteer.studies.charts import CHARTS

    chart, sheet = study in CHARTS, study in _SHEETS
    if figure and chart and sheet:
        return figure.with_suffix(".png"), figure.with_suffix(".webp")
    return figure if chart else None, figure if sheet else None


def _build_bank(arguments: list[str]) -> None:
    """Run `bank build`."""
    from mmsteer.cli import bank

    parser = argparse.ArgumentParser(prog="python -m mmsteer bank")
    bank.add_arguments(parser)
    bank.run(parser.parse_args(["build", *arguments]))
