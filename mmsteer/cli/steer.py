"""`python -m mmsteer steer …`: one before/after pair from the command line."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.bank.ood import meaning
from mmsteer.cli.arguments import add_backbone, check_target
from mmsteer.cli.sliders import add_slider, with_sliders
from mmsteer.errors import SteerError
from mmsteer.recipes.edit import Edit, parse_edits

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.recipes.picture import Picture
    from mmsteer.recipes.recipe import Recipe
    from mmsteer.recipes.start import Start
    from mmsteer.steering.steerer import Steerer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_recipe(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("pair.png"), help="a PNG of before and after side by side, recipe in its text"
    )
    parser.add_argument("--json", type=Path, help="write recipe and figures here")


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Arguments that say what to draw, and with which models."""
    parser.add_argument(
        "prompt", nargs="?", help='what to draw, for example "a cat at night" (default: the recipe\'s prompt)'
    )
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE",
        help="a PNG or JSON file that mmsteer wrote: start from its prompt, seed, sampler and edits",
    )  # fmt: skip
    parser.add_argument(
        "--edit", action="append", default=[], metavar="EDIT",
        help='FEATURE[:add|set|remove][:STRENGTH][@WORD,WORD][[START-END]], for example "warm light:1.0", "night:remove", '
        '"big@cat#2" (the second "cat" alone); FEATURE may be a direction of words, "summer -> winter" or "-> winter"; may be given '
        "several times",
    )  # fmt: skip
    add_slider(parser)
    parser.add_argument(
        "--picture", type=Path, metavar="FILE",
        help="a whole picture: its image embedding takes the place of the prompt's in after, where the backbone reads one (unCLIP, or "
        "with --ip-adapter)",
    )  # fmt: skip
    parser.add_argument(
        "--picture-share", type=float, metavar="SHARE",
        help="how far it does: 0, not at all, to 1, wholly (default: the recipe's, or 1)",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=Path, metavar="FILE",
        help="a picture of your own to edit: before and after are drawn from it, not from noise alone; say in the prompt what it shows",
    )  # fmt: skip
    parser.add_argument(
        "--freedom", type=float, metavar="SHARE",
        help="how far they may go from it: 0.05 keeps it, 1 is free (default: the recipe's, or 0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--negative-prompt", metavar="TEXT",
        help='what guidance steers away from in both pictures, for example "blurry" (default: the recipe\'s, or nothing)',
    )  # fmt: skip
    parser.add_argument(
        "--region", metavar="BOX",
        help="where the edits act: LEFT,TOP,RIGHT,BOTTOM in fractions of the picture, for example 0.5,0,1,1 for its right half, or the "
        "grid that a recipe has; `all` for everywhere (default: the recipe's, or everywhere)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="the noise (default: the recipe's, or 0)")
    parser.add_argument(
        "--steps", type=int, help="sampling steps, 1 to 50 (default: the recipe's, or the backbone's own)"
    )
    parser.add_argument(
        "--guidance", type=float, help="guidance scale, 0 to 20 (default: the recipe's, or the backbone's own)"
    )
    parser.add_argument(
        "--edit-guidance", type=float,
        help="how far each step goes from before towards after, 0 to 20 (default: the recipe's, or 1: after itself)",
    )  # fmt: skip
    parser.add_argument(
        "--pooled-guidance", type=float,
        help="how much of an edit the pooled vector takes, 0 to 20, where there is one (default: the recipe's, or 1)",
    )  # fmt: skip
    parser.add_argument(
        "--adapter-scale", type=float,
        help="how strongly the image adapter's tokens act, 0 to 1.5, where there is one (default: the recipe's, or 1)",
    )  # fmt: skip
    add_backbone(parser)
    parser.add_argument("--bank", type=Path, help="a bank folder (default: the embedded one)")


def load(args: argparse.Namespace, last: Sequence[Edit] = ()) -> "tuple[Steerer, Recipe]":
    """The models and the recipe that the arguments of `add_recipe` name, with some edits as its last; bad input is refused before the
    models load.

    Edits of a recipe file whose features the bank does not have are left out. Standard error says so, and what else differs from
    the recipe's origin.
    """
    edits = parse_edits(args.edit)
    if args.prompt is None and args.recipe is None:
        raise SteerError(
            'there is nothing to draw: give a prompt, for example "a cat at night", or a file with --recipe'
        )

    from mmsteer.models.sampler import Sampler
    from mmsteer.recipes.provenance import differences, missing
    from mmsteer.recipes.recipe import Recipe
    from mmsteer.recipes.region import Region
    from mmsteer.steering.steerer import Steerer

    recipe = _read(args.recipe) if args.recipe else Recipe(args.prompt)
    overrides = {"prompt": args.prompt, "seed": args.seed, "negative_prompt": args.negative_prompt}
    recipe = replace(recipe, **{name: value for name, value in overrides.items() if value is not None})
    if args.region is not None:
        recipe = replace(recipe, region=None if args.region == "all" else Region.parse(args.region))
    steerer = Steerer.load(args.backbone, args.bank, args.device, args.dtype, args.offload, args.adapter, args.compiled)
    notes = differences(recipe, steerer.origin, steerer.bank)
    lacking = missing(steerer.bank, recipe)
    for note in notes + [absent.note_with_names for absent in lacking]:
        print(note, file=sys.stderr)
    known = [edit for edit in recipe.edits if edit not in [one.edit for one in lacking]]
    default = recipe.sampler if args.recipe else steerer.sampler
    options = {name: getattr(args, name) for name in Sampler.__dataclass_fields__}
    sampler = replace(default, **{name: value for name, value in options.items() if value is not None})
    picture, start = _picture(args, steerer, recipe), _start(args, steerer, recipe)
    edits = (*known, *with_sliders(args, steerer, (*edits, *last)))
    return steerer, replace(recipe, sampler=sampler, edits=edits, origin=steerer.origin, picture=picture, start=start)


def _picture(args: argparse.Namespace, steerer: "Steerer", recipe: "Recipe") -> "Picture | None":
    """The whole picture that the arguments name, else that of the recipe; its share that of the arguments, if they give one."""
    from mmsteer.pictures.picture_features import PictureReader

    picture = recipe.picture
    if args.picture is not None:
        picture = PictureReader(steerer).picture(_decoded(args.picture))
    if args.picture_share is None:
        return picture
    if picture is None:
        raise SteerError("--picture-share is of a whole picture, and there is none: give one with --picture")
    return replace(picture, share=args.picture_share)


def _start(args: argparse.Namespace, steerer: "Steerer", recipe: "Recipe") -> "Start | None":
    """The picture to start from that the arguments name, else that of the recipe; its freedom that of the arguments, if they give one."""
    from mmsteer.recipes.start import FREEDOM, Start

    start = recipe.start
    if args.start is not None:
        start = Start.of(_decoded(args.start), steerer.backbone.side, start.freedom if start else FREEDOM)
    if args.freedom is None:
        return start
    if start is None:
        raise SteerError("--freedom is of a picture to start from, and there is none: give one with --start")
    return replace(start, freedom=args.freedom)


def _decoded(path: Path) -> "Image.Image":
    """A picture of the user's own."""
    from mmsteer.image_file import decode

    try:
        return decode(BytesIO(path.read_bytes()))
    except OSError as error:
        raise SteerError(f"cannot read {path} ({error.strerror}): give a picture") from None


def _read(path: Path) -> "Recipe":
    """The recipe in a file of the user's own; standard error says what of it was not understood."""
    from mmsteer.recipes.formats.png import read_file

    try:
        recipe, notes = read_file(path.read_bytes())
    except OSError as error:
        raise SteerError(f"cannot read {path} ({error.strerror}): give a PNG or JSON file that mmsteer wrote") from None
    for note in notes:
        print(note, file=sys.stderr)
    return recipe


def run(args: argparse.Namespace) -> None:
    """Draw the pair, and print what is worth knowing about it."""
    check_target("--out", args.out, (".png",))
    if args.json:
        check_target("--json", args.json)
    steerer, recipe = load(args)

    from PIL import Image

    from mmsteer.pictures.kept import kept

    result = steerer.pair(recipe)
    width, height = result.before.size
    pair = Image.new("RGB", (2 * width + 4, height), "white")
    pair.paste(result.before, (0, 0))
    pair.paste(result.after, (width + 4, 0))
    partial = args.out.with_name(args.out.name + ".partial")
    result.recipe.save_png(pair, partial, result.before.size)
    partial.replace(args.out)
    for note in result.notes:
        print(note)
    image_only = [f.name for f in map(steerer.feature, (edit.feature for edit in recipe.edits)) if f.image_only]
    if image_only and not steerer.backbone.steers_image_only:
        print(
            f"{steerer.backbone.name} was not trained to be steered, and no caption states {', '.join(image_only)}: through the text "
            "encoder, such features break its pictures. Give an image adapter with --ip-adapter"
        )
    for name, blanked in zip(("before", "after"), result.blanked, strict=True):
        if blanked:
            print(f"the checkpoint's safety checker has made {name!r} black: try another prompt or seed")
    if how_much := kept(result):
        print(f"kept of the picture to start from: {how_much}")
    distance, map_quality = result.ood_distance, steerer.bank.faithfulness
    print(
        f"wrote {args.out}  ({result.seconds:.2f} s, OOD distance {distance:.2f}, {meaning(distance)[1]}; {map_quality})"
    )
    if args.json:
        figures = {
            "recipe": json.loads(result.recipe.to_json()),
            "ood_distance": result.ood_distance,
            "seconds": result.seconds,
        } | ({"kept": how_much._asdict()} if how_much else {})
        args.json.write_text(json.dumps(figures | {"unknown": result.unknown, "cut": result.cut}, indent=1) + "\n")
