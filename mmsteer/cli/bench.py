"""`python -m mmsteer bench`: what steering costs, as ratios against the bare diffusers pipeline on this machine."""

import argparse
from pathlib import Path
from typing import Any

from mmsteer.cli.arguments import check_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument(
        "--quick", action="store_true", help="a smaller run without the crowd of visitors, under 50 s on 2 cores"
    )
    parser.add_argument(
        "--peers", "--anchors", type=Path, metavar="PYTHON",
        help="run the peer benchmark instead: training dictionaries against sparsify, dictionary_learning and SAELens; PYTHON is the "
        "interpreter of an environment they are installed in",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: torch's default")


def run(args: argparse.Namespace) -> None:
    """Measure, print a table, write JSON. SteerError if the page or a peer does not run."""
    from mmsteer.studies.report import table, write_json

    if args.json:
        check_target("--json", args.json)
    if args.peers:
        from mmsteer.bench import peer_benchmark, peers

        rows = peer_benchmark.measure(args.peers, rounds=2 if args.quick else 5)
        print(
            f"width {peers.WIDTH}, {peers.LATENTS:,} latents, {peers.K} at once, batch {peers.BATCH:,}, 1 thread each"
        )
        result = {"peers": rows, "quick": args.quick}
    else:
        figures = _measure(args.quick, args.threads)
        rows = [{"figure": name, "measured": value} for name, value in figures.items()]
        result = {"measured": figures, "quick": args.quick}
    print(table(rows))
    if args.json:
        write_json(args.json, result)


def _measure(quick: bool, threads: int) -> dict[str, Any]:
    """Every figure by name."""
    from mmsteer.bench import dictionaries, embedding, memory, page, pictures, startup, visitors

    figures = startup.measure() | pictures.measure(8 if quick else 40, threads)
    figures |= dictionaries.measure(10_000, 100) if quick else dictionaries.measure(100_000, 1500)
    with page.started() as (address, process):
        figures |= memory.measure(address, process, 6 if quick else 1000) | page.measure(address, 2 if quick else 20)
        if not quick:
            figures |= visitors.measure(address, page.rack(0, 1), 20)
    figures |= embedding.measure(32, 1) if quick else embedding.measure(192, 5)
    return figures
