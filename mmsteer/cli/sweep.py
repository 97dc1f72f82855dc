"""`python -m mmsteer sweep …`: one feature over its range, two as a grid, or several seeds, from the command line."""

import argparse
from pathlib import Path

from mmsteer.cli.arguments import check_target
from mmsteer.cli.steer import add_recipe, load
from mmsteer.errors import SteerError
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.sweep import FRAMES, MOST_FRAMES, MOST_SEEDS, MOST_SIDE, SIDE, against, over, seeds
from mmsteer.recipes.sweep_files import ANIMATIONS, FILES, NO_ANIMATION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_recipe(parser)
    parser.add_argument(
        "--feature",
        required=True,
        metavar="EDIT",
        help='the edit whose strength is swept, for example "warm light" or "big@cat"',
    )
    parser.add_argument("--against", metavar="EDIT", help="a second one: a grid of both")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help=f"before and after from N seeds, at most {MOST_SEEDS}, in place of strengths",
    )
    parser.add_argument(
        "--frames", type=int, metavar="N",
        help=f"strengths: at most {MOST_FRAMES} of one feature (default {FRAMES}), {MOST_SIDE} of each of two (default {SIDE})",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("sweep.png"), help="a contact sheet (.png) or an animation (.gif, .mp4)"
    )


def run(args: argparse.Namespace) -> None:
    """Draw the sweep and write it: beside its place first, then there."""
    edits = [Edit.parse(text) for text in (args.feature, args.against) if text]
    check_target("--out", args.out, [f".{kind}" for kind in FILES])
    kind = args.out.suffix.lower()[1:]
    if kind in ANIMATIONS and (args.against or args.seeds):
        raise SteerError(NO_ANIMATION)
    if args.against and args.seeds:
        raise SteerError("--against and --seeds at once: sweep over a second feature or over seeds, leave one out")

    steerer, recipe = load(args, edits)
    swept = recipe.edits[-len(edits) :]
    if args.seeds is not None:
        sweep = seeds(recipe, args.seeds)
    elif args.against:
        sweep = against(steerer.known, recipe, swept[0], swept[1], SIDE if args.frames is None else args.frames)
    else:
        sweep = over(steerer.known, recipe, swept[0], FRAMES if args.frames is None else args.frames)
    drawn = dict(sweep.draw(steerer.picture))
    partial = args.out.with_name(args.out.name + ".partial")
    FILES[kind].save(sweep, [drawn[k] for k in range(len(sweep.cells))], partial)
    partial.replace(args.out)
    print(f"wrote {args.out}  ({len(drawn)} pictures: {sweep.title})")
