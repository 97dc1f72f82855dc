"""`python -m mmsteer bank pictures`: draw what a page shows while its model loads. `bank build` and `real` draw it, too."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.ahead.draw import MINUTES, draw_ahead
from mmsteer.cli.arguments import add_backbone
from mmsteer.errors import SteerError

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steerer


def add_pictures(actions: Any) -> None:
    """Describe `bank pictures`."""
    pictures = actions.add_parser(
        "pictures", help="draw ahead what a page shows while its model loads: a tour, and what each feature does"
    )
    pictures.add_argument(
        "bank", type=Path, metavar="BANK", help="a bank folder; effects of this backbone in it are kept"
    )
    add_backbone(pictures)
    pictures.add_argument(
        "--minutes", type=float, default=MINUTES, help=f"begin no picture after so many minutes (default {MINUTES:g})"
    )
    pictures.add_argument("--threads", type=int, default=0, help="torch threads (default 0: torch's own choice)")
    pictures.set_defaults(do=_pictures)


def _pictures(args: argparse.Namespace) -> None:
    import torch

    from mmsteer.steering.steerer import Steerer

    if not args.minutes > 0:
        raise SteerError(f"--minutes {args.minutes:g}: give more than 0")
    if args.threads:
        torch.set_num_threads(args.threads)
    draw(
        Steerer.load(args.backbone, args.bank, args.device, args.dtype, args.offload, args.adapter, args.compiled),
        args.minutes,
    )


def draw(steerer: "Steerer", minutes: float = MINUTES) -> None:
    """Draw a bank's pictures, and print how many."""
    folder, features = steerer.bank.folder, steerer.bank.features
    print(f"drawing pictures for {folder}, for at most {minutes:g} min …", flush=True)
    pairs, effects = draw_ahead(steerer, minutes)
    print(f"wrote {folder}/pictures: a tour of {pairs} steps, and effects of {effects} of {len(features)} features")
