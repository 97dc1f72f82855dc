"""`python -m mmsteer export site`: a folder of pictures that a browser shows without Python, from a disk or any host."""

import argparse
from pathlib import Path

from mmsteer.assets import ASSETS
from mmsteer.cli.arguments import add_backbone
from mmsteer.errors import SteerError
from mmsteer.models.prompt import check_prompt
from mmsteer.site.plan import MOST_FEATURES, MOST_PROMPTS

_MINI = ASSETS / "banks" / "mini"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    site = actions.add_parser(
        "site", help="write the static edition: drawn ahead, for a stick, a stage or a static host"
    )
    site.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder to write; an earlier edition is replaced"
    )
    add_backbone(site)
    site.add_argument("--bank", type=Path, default=_MINI)
    site.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT",
        help=f"show this prompt; may be given up to {MOST_PROMPTS} times (default: a choice of {MOST_PROMPTS})",
    )  # fmt: skip
    site.add_argument(
        "--features", type=int, default=MOST_FEATURES, metavar="N", help=f"how many are drawn (default {MOST_FEATURES})"
    )
    site.add_argument("--threads", type=int, default=0, help="torch threads (default 0: torch's own choice)")


def run(args: argparse.Namespace) -> None:
    """Draw and write; print the time and the size."""
    if len(args.prompt) > MOST_PROMPTS:
        raise SteerError(f"--prompt is there {len(args.prompt)} times: give at most {MOST_PROMPTS}")
    if args.features < 1:
        raise SteerError(f"--features {args.features}: give 1 or more")
    prompts = [check_prompt(prompt) for prompt in args.prompt]  # refused before anything is loaded
    import torch

    from mmsteer.ahead.drawn import read_drawn
    from mmsteer.site.plan import plan
    from mmsteer.site.write import write_site
    from mmsteer.steering.steerer import Steerer

    if args.threads:
        torch.set_num_threads(args.threads)
    steerer = Steerer.load(args.backbone, args.bank, args.device, args.dtype, args.offload, args.adapter, args.compiled)
    embedded = steerer.backbone.spec.readout is not None
    chosen = plan(steerer.bank, steerer.backbone.steers_image_only, prompts, args.features, embedded)
    ahead = None if args.adapter else read_drawn(steerer.bank, args.backbone)
    if ahead is None:
        print("cards show no effects: the bank has no pictures of this backbone (`bank pictures` draws them)")
    print(
        f"drawing {chosen.pictures:,} pictures: {len(chosen.prompts)} prompts × {len(chosen.features)} features …",
        flush=True,
    )
    written = write_site(steerer, chosen, ahead, args.out.resolve(), lambda line: print(line, flush=True))
    print(
        f"wrote {args.out}: {written.pictures:,} pictures drawn, {written.bytes / 1e6:.1f} MB in {written.files:,} files, "
        f"{written.seconds / 60:.1f} minutes; open {args.out / 'index.html'}"
    )
