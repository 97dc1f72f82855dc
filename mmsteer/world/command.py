"""`python -m mmsteer world …`: draw the sprite sheet, look at scenes, train the embedded models."""

import argparse
from pathlib import Path

from mmsteer.errors import SteerError

MODELS = ("clip", "autoencoder", "judge", "unet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True)
    sprites = actions.add_parser("sprites", help="render the sprite sheet from the Noto Color Emoji font")
    sprites.add_argument("--font", type=Path)
    sheet = actions.add_parser("sheet", help="write a contact sheet of scenes and print their captions")
    sheet.add_argument("--out", type=Path, default=Path("world.png"))
    sheet.add_argument("--count", type=int, default=48)
    sheet.add_argument("--seed", type=int, default=0)
    train = actions.add_parser("train", help="train the embedded models; run again to go on after a stop")
    train.add_argument("model", nargs="?", choices=(*MODELS, "all"), default="all")
    train.add_argument("--out", type=Path, help="where to assemble the pipeline (default: assets/mini)")
    train.add_argument("--steps", type=int, help="in place of the model's usual budget")
    train.add_argument("--work", type=Path, default=Path("work/world"), help="checkpoints and samples go here")
    train.add_argument("--scenes", type=int, default=48_000, help="scenes drawn once and trained on many times")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="cpu")
    train.add_argument(
        "--compile", action="store_true", help="compile the unet first: minutes once, a third faster after"
    )
    train.add_argument(
        "--from",
        dest="start",
        type=Path,
        help="folder of a trained unet or judge to go on from, where there is no checkpoint yet",
    )
    train.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")


def run(args: argparse.Namespace) -> None:
    """Do one action."""
    if args.action == "sprites":
        from mmsteer.world.sprites import FONT, render_sheet

        print(f"wrote {render_sheet(args.font or FONT)}")
    elif args.action == "sheet":
        _sheet(args)
    else:
        _train(args)


def _sheet(args: argparse.Namespace) -> None:
    from PIL import Image

    from mmsteer.world.pairs import WorldPairs

    columns = 8
    sheet = Image.new("RGB", (columns * 128, -(-args.count // columns) * 128))
    for i, pair in enumerate(WorldPairs(args.seed, args.count)[k] for k in range(args.count)):
        sheet.paste(pair.picture, (i % columns * 128, i // columns * 128))
        print(f"{i:3d}  {pair.caption}")
    sheet.save(args.out)
    print(f"wrote {args.out}")


def _train(args: argparse.Namespace) -> None:
    import torch

    from mmsteer.world.pairs import DrawnScenes
    from mmsteer.world.training import Task, first_process_first, train

    if args.start and args.model not in ("unet", "judge"):
        raise SteerError(
            f"--from goes with `train unet` or `train judge`, not with {args.model!r}: name one of the two"
        )
    if args.threads:
        torch.set_num_threads(args.threads)
    with first_process_first():
        scenes = DrawnScenes(args.work, args.seed, args.scenes)
    steps = {} if args.steps is None else {"steps": args.steps}

    def task(name: str) -> Task:
        if name == "clip":
            from mmsteer.world.clip import ClipTask

            return ClipTask(scenes, device=args.device, **steps)
        if name == "autoencoder":
            from mmsteer.world.autoencoder import AutoencoderTask

            return AutoencoderTask(scenes, device=args.device, **steps)
        if name == "judge":
            from mmsteer.world.judge import JudgeTask

            return JudgeTask(scenes, device=args.device, start=args.start, **steps)
        from mmsteer.world.unet import UnetTask

        return UnetTask(scenes, args.work, device=args.device, compile=args.compile, start=args.start, **steps)

    for name in MODELS if args.model == "all" else (args.model,):
        with first_process_first():
            started = task(name)
        train(started, args.work, args.seed, args.device)
    if all((args.work / "export" / part).is_dir() for part in ("clip", "vae", "unet", "judge")):
        from mmsteer.world.assemble import MINI, assemble

        with first_process_first() as first_process:
            if first_process:
                print(f"wrote {assemble(args.work / 'export', args.out or MINI)}")
