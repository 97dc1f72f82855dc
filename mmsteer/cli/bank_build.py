"""`python -m mmsteer bank build` and `bank import`: captioned pictures, and dictionaries of your own or of others, into a bank."""

import argparse
import time
from typing import TYPE_CHECKING, Any

from mmsteer.ahead.draw import MINUTES
from mmsteer.data.splits import add_source_arguments
from mmsteer.errors import SteerError

if TYPE_CHECKING:
    from mmsteer.data.plan import Plan
    from mmsteer.data.splits import Inputs

_MOST_LOST = 0.5  # FVU: dictionaries trained on these vectors leave less variance unexplained


def add_build(actions: Any) -> None:
    """Describe `bank build`."""
    build = actions.add_parser("build", help="train dictionaries on captioned pictures, score and name their features")
    add_source_arguments(build)
    for side in ("image", "text"):
        build.add_argument(
            f"--{side}", metavar="LATENTS:K,…",
            help=f"Matryoshka groups of the {side} dictionary: latents, and how many of them fire at once (default: the shipped bank's "
            "for the embedded CLIP, else 8 latents a coordinate or one for 8 pairs, whichever are fewer)",
        )  # fmt: skip
    build.add_argument(
        "--objective",
        default="matryoshka",
        help="how dictionaries are trained (default matryoshka; see `study labels`)",
    )
    build.add_argument("--steps", type=int, default=1500, help="training steps (default 1500)")
    build.add_argument(
        "--pictures", type=float, default=MINUTES, metavar="MINUTES",
        help="draw pictures ahead for at most so many minutes, where the backbone is a folder or a file (default "
        f"{MINUTES:g}; 0 draws none; see `bank pictures`)",
    )  # fmt: skip
    build.set_defaults(do=_build)


def add_import(actions: Any) -> None:
    """Describe `bank import`."""
    imported = actions.add_parser(
        "import", help="make a bank from dictionaries trained elsewhere, scored and named like ours"
    )
    imported.add_argument(
        "folder", metavar="FOLDER",
        help="a dictionary of SAELens, sparsify, dictionary_learning (and sae-for-vlm) or MSAE, as a folder or "
        "hub:OWNER/NAME[@REVISION][/FOLDER]: of both sides or, with --text, of pictures alone",
    )  # fmt: skip
    imported.add_argument("--text", metavar="FOLDER", help="the dictionary of captions, if there are two")
    imported.add_argument(
        "--scale", type=float, default=1.0, help="length of the embeddings it was trained on (default 1: unit vectors)"
    )
    add_source_arguments(imported)
    imported.set_defaults(do=_import)


def add_examples(actions: Any) -> None:
    """Describe `bank examples`."""
    examples = actions.add_parser(
        "examples", help="measure how strongly features fire on their examples, for a bank built before that was stored; takes the "
        "arguments of its build"
    )  # fmt: skip
    add_source_arguments(examples)
    examples.set_defaults(do=_examples)


def _examples(args: argparse.Namespace) -> None:
    from mmsteer import distributed
    from mmsteer.bank import FeatureBank
    from mmsteer.data.splits import embed_splits, open_inputs
    from mmsteer.labelling.example_activations import measure_examples

    splits = embed_splits(open_inputs(args), args)
    if distributed.rank():
        return
    bank = FeatureBank.load(args.out)
    bank.set_example_activations(measure_examples(bank, splits.scoring))
    print(f"wrote {args.out}: the activations of {len(bank.features)} features on their examples")


def _build(args: argparse.Namespace) -> None:
    from mmsteer import distributed
    from mmsteer.data.splits import embed_splits, open_inputs
    from mmsteer.labelling.bank_builder import build_bank
    from mmsteer.training.config import DictionarySizes, TrainingConfig
    from mmsteer.training.groups import choose_groups, parse_groups
    from mmsteer.training.objectives import find_objective, objective_name, train_dictionaries

    objective = find_objective(args.objective)
    for groups in filter(None, (args.image, args.text)):
        parse_groups(groups)  # refused before anything is embedded
    if args.steps < 1:
        raise SteerError(f"--steps {args.steps}: give 1 or more")
    inputs = open_inputs(args)
    if args.plan:
        _print_plan(inputs, args)
        return
    splits = embed_splits(inputs, args)
    began = time.monotonic()
    pairs, width = splits.train.image.shape
    image, text = choose_groups(args, width, pairs, splits.scoring.annotated)
    config = TrainingConfig(args.steps, seed=args.seed, show_progress=True, device=splits.clip.device)
    sizes = DictionarySizes(parse_groups(image), parse_groups(text))
    dictionaries = train_dictionaries(args.objective, splits.train.image, splits.train.text, sizes, config)
    if distributed.rank():
        return
    print(f"dictionaries trained in {time.monotonic() - began:.0f} s", flush=True)
    about = {
        "objective": objective_name(args.objective),
        "levels": {"image": image, "text": text},
        "steps": args.steps,
        "seed": args.seed,
    }
    build_bank(dictionaries, splits, about, args.backbone, args.out, objective.probe)
    _draw_pictures(args)


def _draw_pictures(args: argparse.Namespace) -> None:
    """Draw pictures ahead. Not for a checkpoint of the hub, of which building a bank fetches the text encoder alone."""
    from mmsteer.cli.bank_pictures import draw
    from mmsteer.models.checkpoint import Checkpoint
    from mmsteer.steering.steerer import Steerer

    if args.pictures > 0 and args.backbone and args.adapter is None and Checkpoint(args.backbone).local:
        draw(Steerer.load(args.backbone, args.out, args.device), args.pictures)


def _import(args: argparse.Namespace) -> None:
    """Score, name and save dictionaries as if they were ours.

    If there is one a side, with room for more latents, single latents get a partner by the cross-modal probe, as ours do.
    """
    from mmsteer import distributed
    from mmsteer.data.splits import embed_splits, open_inputs
    from mmsteer.exchange.dictionaries import read_dictionaries
    from mmsteer.exchange.published import find_dictionary
    from mmsteer.labelling.bank_builder import build_bank

    if args.out is None and not args.plan:
        raise SteerError("say where the bank goes: --out FOLDER")
    sources = [find_dictionary(place) for place in (args.folder, args.text) if place is not None]
    text = sources[1] if args.text is not None else None
    dictionaries = read_dictionaries(sources[0], text, args.scale)  # refused before anything is embedded
    inputs = open_inputs(args)
    if args.plan:
        _print_plan(inputs, args)
        return
    splits = embed_splits(inputs, args)
    if distributed.rank():
        return
    _check_fit(dictionaries.image, splits.scoring.image, splits.clip.id)
    about = {
        "objective": f"imported ({sources[0].layout.library})", "imported": [source.name for source in sources],
        "scale": args.scale,
    }  # fmt: skip
    room = dictionaries.image.config.k is None and dictionaries.text.config.k is None
    probe = room and not dictionaries.paired
    build_bank(dictionaries, splits, about, args.backbone, args.out, probe)


def _check_fit(dictionary: Any, x: Any, clip: str) -> None:
    """SteerError if a dictionary is for vectors of another width than `x [N, d_joint]`; a note if it rebuilds them badly."""
    from mmsteer.training.dictionaries import fvu

    width, d_in = x.shape[1], dictionary.config.d_in
    if width != d_in:
        raise SteerError(
            f"the dictionary is for vectors {d_in} wide, those of {clip} are {width}: give the --clip that it was trained on"
        )
    lost = fvu(dictionary, x)
    if lost > _MOST_LOST:
        print(
            f"note: it rebuilds these embeddings badly (FVU {lost:.2f}); if it was trained on longer ones than unit vectors, "
            "give their length with --scale"
        )


def _print_plan(inputs: "Inputs", args: argparse.Namespace) -> None:
    """Print what embedding and training will take."""
    from mmsteer import distributed
    from mmsteer.data.plan import measure
    from mmsteer.data.splits import print_passed_over

    if distributed.rank():
        return
    clip, source, processes = inputs.clip, inputs.source, distributed.count()
    plan = measure(clip, source, args.batch, half=args.half)
    items, rate = plan.items, plan.samples_per_second * processes
    memory = "unknown" if plan.memory is None else f"{plan.memory / 1e9:.1f} GB"
    print(f"model        {clip.id}, {plan.width} coordinates, {clip.identity['dtype']} on {clip.device}")
    print(f"pairs        {source.name}: {'not known before it is read' if items is None else f'{items:,}'}")
    if plan.pairs_per_sample > 1:
        print(f"captions     {plan.pairs_per_sample:.1f} for each of these pictures, as far as the first ones show")
    print_passed_over(source)
    if plan.skipped:
        print(f"skipped      {len(plan.skipped)} of the first pictures cannot be read, such as {plan.skipped[0]}")
    print(f"disk         {_size(plan.bytes_per_pair * plan.pairs_per_sample, items)} in {args.work}")
    print(f"memory       {memory} while embedding, in each process; it does not grow with the pairs")
    speed = f"{rate:,.0f} pictures/s in {processes} process{'es' if processes > 1 else ''}"
    print(f"embedding    {speed}" + ("" if items is None else f": {_duration(items / rate)}"))
    trains = hasattr(args, "steps") and processes == 1  # the speed of one process says nothing about several
    seconds = _print_training(inputs, args, plan) if trains else 0.0
    if args.device_kind:
        _print_rented(inputs, args, plan, seconds)


def _print_training(inputs: "Inputs", args: argparse.Namespace, plan: "Plan") -> float:
    """Print and return the seconds that training takes on this machine."""
    from mmsteer.training.config import DictionarySizes
    from mmsteer.training.groups import choose_groups, parse_groups
    from mmsteer.training.objectives import step_seconds

    source = inputs.source
    count = None if plan.items is None else round(plan.items * plan.pairs_per_sample * (1 - (args.held_out or 0)))
    pairs = count or 64 * plan.width  # more would change nothing
    image, text = choose_groups(args, plan.width, pairs, source.scheme is not None)
    sizes = DictionarySizes(parse_groups(image), parse_groups(text))
    seconds: float = args.steps * step_seconds(args.objective, plan.width, sizes, inputs.clip.device)
    print(f"training     {args.steps:,} steps of dictionaries at {image} and {text}: {_duration(seconds)}")
    return seconds


def _print_rented(inputs: "Inputs", args: argparse.Namespace, plan: "Plan", training: float) -> None:
    """Print what the same will take on a GPU that is not here, and cost."""
    from mmsteer.data.plan import DEVICE_KINDS, UTILISATION, rented_rate

    embedded, read = rented_rate(inputs.clip, inputs.source, args.device_kind, plan.pairs_per_sample)
    kind, peak = args.device_kind, DEVICE_KINDS[args.device_kind]
    print(
        f"on {kind:<10}{embedded:,.0f} pictures/s at {UTILISATION:.0%} of its {peak} TFLOP/s: an estimate, not measured"
    )
    print(f"             {read:,.0f} pictures/s can be read, with as many cores as this machine has")
    if plan.items is None:
        return
    seconds = plan.items / min(embedded, read) + training
    cost = "" if args.price is None else f", {seconds / 3600 * args.price:,.2f} at {args.price:g} an hour"
    print(f"             {_duration(seconds)} in all, with training at this machine's speed{cost}")


def _size(bytes_per_pair: float, items: int | None) -> str:
    if items is None:
        return f"{bytes_per_pair / 1e3:.1f} kB a pair"
    return f"{items * bytes_per_pair / 1e6:,.1f} MB"


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
