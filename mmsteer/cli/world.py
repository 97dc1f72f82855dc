"""`python -m mmsteer world …`: render the sprite sheet, show scenes, train the embedded models."""

import argparse
import os
from pathlib import Path

from mmsteer.errors import SteerError
from mmsteer.world.models.assembly import MINI
from mmsteer.world.training.stages import ORDINARY, STAGES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True)
    sprites = actions.add_parser("sprites", help="render the sprite sheet from the Noto Color Emoji font")
    sprites.add_argument("--font", type=Path, help="the font's file (default: where Debian installs it)")
    sheet = actions.add_parser("sheet", help="write a contact sheet of scenes and print their captions")
    sheet.add_argument("--out", type=Path, default=Path("world.png"), help="the PNG to write (default: world.png)")
    sheet.add_argument("--count", type=int, default=48, help="number of scenes (default: 48)")
    sheet.add_argument("--seed", type=int, default=0, help="seed of the scenes (default: 0)")
    _add_train(actions.add_parser("train", help="train the embedded models; run again to resume after a stop"))


def run(args: argparse.Namespace) -> None:
    """Run one sub-command. SteerError for arguments that do not go together."""
    if args.action == "sprites":
        from mmsteer.world.sprites import FONT, render_sheet

        print(f"wrote {render_sheet(args.font or FONT)}")
    elif args.action == "sheet":
        _sheet(args)
    else:
        _train(args)


def _add_train(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "model",
        nargs="?",
        choices=(*STAGES, "all", *ORDINARY),
        default="all",
        help="which model; all: the first five, in this order; ordinary: a UNet trained on captions alone; adapter: its image adapter",
    )
    box = train.add_mutually_exclusive_group(required=True)
    box.add_argument(
        "--minutes", type=float,
        help="how long to train, over all resumptions; `all` divides it: "
        + ", ".join(f"{name} {share:.0%}".replace("%", "%%") for name, share in STAGES.items()),
    )  # fmt: skip
    box.add_argument("--steps", type=int, help="end after this many steps instead; repeats exactly on one machine")
    train.add_argument(
        "--from", dest="start", type=Path, nargs="?", const=MINI,
        help="start from the models in a folder (assets/mini if none is named) instead of random weights",
    )  # fmt: skip
    train.add_argument(
        "--decoder-only",
        action="store_true",
        help="autoencoder: freeze the encoder, so that latents and UNets stay valid",
    )
    train.add_argument(
        "--small",
        action="store_true",
        help="teacher, ordinary: a UNet less than half the size, which a CPU trains in an hour",
    )
    train.add_argument(
        "--work", type=Path, default=Path("work/world"), help="folder for checkpoints, samples and models"
    )
    train.add_argument(
        "--out", type=Path, help="at the end, assemble the pipeline in this folder, for example assets/mini"
    )
    train.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    train.add_argument("--threads", type=int, default=0, help="torch threads; 0: torch's default")
    train.add_argument(
        "--workers",
        type=int,
        help="processes that write captions (default: 0 on a CPU, up to 12 beside a GPU)",
    )
    train.add_argument("--seed", type=int, default=0, help="seed of weights and batches (default: 0)")


def _sheet(args: argparse.Namespace) -> None:
    from PIL import Image

    from mmsteer.world.pairs import WorldPairs
    from mmsteer.world.scene import SIZE

    columns = 8
    sheet = Image.new("RGB", (columns * SIZE, -(-args.count // columns) * SIZE))
    for i, pair in enumerate(WorldPairs(args.seed, args.count)[k] for k in range(args.count)):
        sheet.paste(pair.picture, (i % columns * SIZE, i // columns * SIZE))
        print(f"{i:3d}  {pair.caption}")
    sheet.save(args.out)
    print(f"wrote {args.out}")


def _train(args: argparse.Namespace) -> None:
    import torch

    from mmsteer.world.training.loop import train
    from mmsteer.world.training.stages import Run, assemble_trained, boxes, build, open_device

    if args.decoder_only and args.model != "autoencoder":
        raise SteerError(f"--decoder-only goes with `train autoencoder`, not with `train {args.model}`")
    if args.small and args.model not in ("teacher", "ordinary"):
        raise SteerError(f"--small goes with `train teacher` and `train ordinary`, not with `train {args.model}`")
    if args.threads < 0 or (args.workers or 0) < 0 or args.seed < 0:
        raise SteerError("--threads, --workers and --seed must not be negative")
    if args.threads:
        torch.set_num_threads(args.threads)
    device = open_device(args.device)
    default_workers = 0 if device.type == "cpu" else min(12, max(1, (os.cpu_count() or 1) - 2))
    run = Run(
        args.work,
        args.start,
        device,
        args.seed,
        default_workers if args.workers is None else args.workers,
        args.decoder_only,
        args.small,
    )
    for name, box in list(boxes(args.model, args.minutes, args.steps)):
        train(build(name, run), args.work, box)
    print(f"wrote {assemble_trained(run, args.out, args.model)}" if args.out else f"wrote {run.parts.trained}")
