"""`python -m mmsteer bench`: what steering costs, as ratios against the bare diffusers pipeline on this machine.

Bare and steered pictures are drawn in turn within one run, so that whatever else the machine does hits both.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROMPT, SEED = "a big cat in a meadow", 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--json", type=Path, help="write the same figures here")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, under 50 s on 2 cores")
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")


def run(args: argparse.Namespace) -> None:
    """Measure, print a table, write JSON."""
    from mmsteer.studies.report import table, write_json

    figures = _start_up() | _pictures(8 if args.quick else 40, args.threads)
    figures |= _dictionaries(10_000 if args.quick else 100_000, 100 if args.quick else 1500)
    print(table([{"figure": name, "measured": value} for name, value in figures.items()]))
    if args.json:
        write_json(args.json, {"measured": figures, "quick": args.quick})


def _start_up() -> dict[str, Any]:
    """Seconds from process start, in a fresh process: to importing the page, and to the first picture."""
    first = "from mmsteer import Edit, Steerer; Steerer.load('mini').steer('a cat', [], 0)"
    return {
        "start-up: page imported, s": _timed("import mmsteer.ui.page"),
        "start-up: first picture, s": _timed(first),
    }


def _timed(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
    return round(time.perf_counter() - began, 2)


def _pictures(repeats: int, threads: int) -> dict[str, Any]:
    import torch

    from mmsteer.edit import Edit
    from mmsteer.prompt import encode
    from mmsteer.recipe import Recipe
    from mmsteer.steer import Steerer

    if threads:
        torch.set_num_threads(threads)
    steerer = Steerer.load("mini")
    edit = Edit(next(f.id for f in steerer.bank.features if f.modality == "cross"))
    pipeline, spec = steerer.backbone.pipeline, steerer.backbone.spec

    def bare() -> None:
        pipeline(
            PROMPT, num_inference_steps=spec.steps, guidance_scale=spec.guidance,
            generator=torch.Generator().manual_seed(SEED),
        )  # fmt: skip

    def steered() -> None:
        steerer.picture(Recipe(PROMPT, SEED, steerer.sampler, (edit,)))

    def plan() -> None:
        steerer.plan(encode(steerer.backbone, [PROMPT]), (edit,))

    times = _in_turn({"bare": bare, "steered": steered}, repeats)
    alone = _in_turn({"plan": plan}, repeats)["plan"]
    ratios = [s / b for s, b in zip(times["steered"], times["bare"], strict=True)]
    median_bare, median_steered = (statistics.median(times[name]) for name in ("bare", "steered"))
    return {
        "picture, bare pipeline, ms": round(1000 * median_bare, 1),
        "picture, steered, ms": round(1000 * median_steered, 1),
        "steered / bare, median of pairs": round(statistics.median(ratios), 4),
        "steered - bare, ms": round(1000 * (median_steered - median_bare), 1),
        "encoding the prompt and editing, ms": round(1000 * statistics.median(alone), 2),
        "memory at its highest, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "torch threads": torch.get_num_threads(),
        "repeats": repeats,
    }


def _dictionaries(pairs: int, steps: int) -> dict[str, Any]:
    """Seconds to train the default bank's dictionaries, 512 latents a side, on random unit rows of width 128."""
    import torch

    from mmsteer.build.objectives import Size, train_pair
    from mmsteer.build.train import Descent, Level

    generator = torch.Generator().manual_seed(SEED)
    image, text = torch.nn.functional.normalize(torch.randn(2, pairs, 128, generator=generator), dim=2)
    levels = (Level(64, 5), Level(448, 5))
    began = time.perf_counter()
    train_pair("levels", image, text, Size(levels, levels), Descent(steps))
    took = round(time.perf_counter() - began, 1)
    return {f"training dictionaries, {pairs:,} pairs, {steps:,} steps, s": took}


def _in_turn(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, taken in turn; one round before the first warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(repeats + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if round_:
                times[name].append(time.perf_counter() - began)
    return times
