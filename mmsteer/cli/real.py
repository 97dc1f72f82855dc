"""`python -m mmsteer real NAME`: from nothing to the page on a real checkpoint with a bank of its own, in one command.

Each stage sees what is there already: files in the hub's cache, shards of embeddings, a finished bank. So a stop costs little,
and the same command goes on.
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError
from mmsteer.hub.repository import Repository, look_up, require_space, size_text
from mmsteer.models.registry import BACKBONES

if TYPE_CHECKING:
    from mmsteer.data.pairs import Pairs

PAIRS = "hub:pixparse/cc3m-wds@46f3d69f840e59d77d52e8decfe5baec97e94c7f"
"""Conceptual Captions: 2.9 million pairs in tars of 5,045."""
_BYTES_PER_PAIR = 100_000  # of a tar; the size of that data set's
_MINUTES_ON_CPU, _MINUTES_ON_GPU = 60, 20  # that making a bank may take


def names() -> list[str]:
    """The checkpoints of the hub that a bank can be built for."""
    return [name for name, spec in BACKBONES.items() if isinstance(spec.source, str)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("name", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--yes", action="store_true", help="do not ask before fetching")
    parser.add_argument("--no-page", action="store_true", help="stop when the bank is there")
    parser.add_argument("--pairs", help=f"captioned pictures, as `bank build` takes them (default {PAIRS})")
    parser.add_argument(
        "--max-pairs", type=int, metavar="N",
        help="at most so many pairs (default: as many as make a bank in 20 minutes on a GPU, or an hour on a CPU)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder of the bank (default banks/NAME)")
    parser.add_argument("--work", type=Path, default=Path("work/bank"), help="folder that keeps embeddings")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of the dictionaries (default 1500)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--port", type=int, help="port of the page (default 7860)")
    parser.add_argument(
        "--space",
        metavar="OWNER/NAME",
        help="write the folder of a Space in spaces/NAME instead of opening the page; nothing is uploaded",
    )


def run(args: argparse.Namespace) -> None:
    """Fetch, build and open what is not there yet."""
    from mmsteer.models.backbone import choose_device

    args.out, args.device = args.out or Path("banks") / args.name, choose_device(args.device)
    if not _is_finished(args):
        plan = _plan(args)
        _print_plan(plan, args)
        if not _agreed(args.yes):
            print("nothing was fetched")
            return
        require_space(plan.bytes)
        plan.checkpoint.fetch(plan.checkpoint_files)
        plan.clip.fetch(plan.clip_files)
        _build_bank(plan, args)
    if args.space:
        _write_space(args)
    elif args.no_page:
        print(f"{args.out} is ready: {shlex.join(['python', 'app.py', *_page_arguments(args)])}")
    else:
        subprocess.run([sys.executable, str(ASSETS.parent / "app.py"), *_page_arguments(args)], check=False)


def _is_finished(args: argparse.Namespace) -> bool:
    """Whether the bank is complete and the checkpoint is in the cache; SteerError if the bank is not the one asked for."""
    from mmsteer.exchange.hub import load_complete
    from mmsteer.models.checkpoint import Checkpoint

    if not (args.out / "bank.json").is_file():
        return False
    meta = load_complete(args.out).meta
    source = meta.get("source", {})
    other = meta.get("backbone") != args.name
    other |= args.pairs is not None and _data_set(args.pairs) not in (None, _data_set(str(source.get("name"))))
    other |= args.max_pairs is not None and (source.get("items") or 0) > args.max_pairs
    if other:
        raise SteerError(
            f"{args.out} is a bank for {meta.get('backbone')}, of {source.get('items')} pairs of {source.get('name')}: leave --pairs "
            "and --max-pairs out to use it, or give another --out to make another one"
        )
    return (args.out / "examples").is_dir() and Checkpoint(args.name).folder is not None


def _data_set(pairs: str) -> str | None:
    """The data set of the hub in the name of a source; None for other sources."""
    found = re.match(r"hub:[\w.-]+/[\w.-]+", pairs)
    return found[0] if found else None


@dataclass(frozen=True)
class _Plan:
    """What is fetched, and how many pairs are read."""

    checkpoint: Repository
    checkpoint_files: list[str]
    clip: Repository
    clip_files: list[str]
    source: "Pairs"
    pairs: str
    """The source as `bank build` takes it, with its commit."""
    tars: tuple[int, int] | None
    """How many tars of a data set of the hub so many pairs take, and bytes of those that are not here."""
    count: int
    embedding: float
    """Seconds."""
    training: float
    """Seconds."""

    @property
    def bytes(self) -> int:
        """To be fetched altogether."""
        models = (self.checkpoint.missing(self.checkpoint_files), self.clip.missing(self.clip_files))
        return sum(sum(sizes.values()) for sizes in models) + (self.tars[1] if self.tars else 0)


def _plan(args: argparse.Namespace) -> _Plan:
    """Ask the hub, and measure this machine for a second or two. Of the models, only small JSON files are fetched."""
    from transformers import CLIPConfig

    from mmsteer.data.estimate import pairs_within, seconds_per_pair
    from mmsteer.data.sources import open_pairs
    from mmsteer.data.sources.hub_tars import HubTars
    from mmsteer.hub.needed import checkpoint_files, clip_files
    from mmsteer.models.checkpoint import Checkpoint
    from mmsteer.models.families import family_of

    known = Checkpoint(args.name)
    spec = known.spec
    print(f"{args.name}: {spec.source}, about {spec.memory or 5:g} GB (an estimate); asking the hub …", flush=True)
    checkpoint = look_up(f"{spec.source}@{spec.revision}")
    clip = look_up(family_of(known).clip.split()[0])
    config = CLIPConfig.from_pretrained(clip.fetch(["config.json"]), local_files_only=True)
    per_pair = seconds_per_pair(config, args.device)
    minutes = _MINUTES_ON_CPU if args.device == "cpu" else _MINUTES_ON_GPU
    pairs, tars = args.pairs or PAIRS, None
    whole = open_pairs(pairs)
    # a second measurement differs, and another number of pairs would be embedded anew
    count = args.max_pairs or _begun(args.work, whole, clip) or pairs_within(60 * minutes, per_pair)
    count = min(count, whole.survey.items or count)
    source = open_pairs(pairs, count)
    if isinstance(source, HubTars):
        chosen = _first(source.tars, source.repository.sizes, count * _BYTES_PER_PAIR)
        tars = len(chosen), sum(source.repository.missing(chosen).values())
        split = pairs.removeprefix("hub:").partition(":")[2]
        pairs = ":".join(filter(None, (source.name, split)))
    half = args.device != "cpu" and spec.variant is not None  # as `Backbone.load` asks for
    return _Plan(
        checkpoint, checkpoint_files(checkpoint.sizes, known.index, half), clip, clip_files(clip.sizes),
        source, pairs, tars, count, count * per_pair, _training_seconds(config.projection_dim, count, args),
    )  # fmt: skip


def _begun(work: Path, source: "Pairs", clip: Repository) -> int | None:
    """How many pairs of a source an earlier run set out to embed by a CLIP; None if there was none."""
    from mmsteer.data.shards import read_manifest

    for path in sorted(work.glob("pairs-*/manifest.json")):
        manifest = read_manifest(path.parent)
        if manifest["source"].get("name") == source.name and manifest["model"].get("revision") == clip.commit:
            items: int | None = manifest["source"].get("items")
            return items
    return None


def _first(tars: Sequence[str], sizes: Mapping[str, int], size: int) -> list[str]:
    """The first tars that have so many bytes together."""
    before = [0, *accumulate(sizes[tar] for tar in tars)]
    return [tar for tar, start in zip(tars, before, strict=False) if start < size]


def _training_seconds(width: int, pairs: int, args: argparse.Namespace) -> float:
    from mmsteer.training.config import DictionarySizes
    from mmsteer.training.groups import default_groups, parse_groups
    from mmsteer.training.objectives import step_seconds

    image, text = default_groups(width, round(0.8 * pairs))
    sizes = DictionarySizes(parse_groups(image), parse_groups(text))
    seconds: float = args.steps * step_seconds("matryoshka", width, sizes, args.device)
    return seconds


def _print_plan(plan: _Plan, args: argparse.Namespace) -> None:
    spec = BACKBONES[args.name]
    checkpoint, clip = plan.checkpoint.missing(plan.checkpoint_files), plan.clip.missing(plan.clip_files)
    minutes = (plan.embedding + plan.training) / 60
    tars = "" if plan.tars is None else f", about {plan.tars[0]} tars, {size_text(plan.tars[1])} to fetch"
    print(f"checkpoint   {plan.checkpoint.name}: {_share(checkpoint, plan.checkpoint_files)}; licence: {spec.licence}")
    print(f"CLIP         {plan.clip.name}: {_share(clip, plan.clip_files)}; licence: {_licence(plan.clip)}")
    print(f"pairs        {plan.count:,} of {plan.source.name}{tars}; licence: {_source_licence(plan)}")
    print(f"to fetch     {size_text(plan.bytes)} in all; every weight file is safetensors")
    print(
        f"time         about {max(1, round(minutes))} min on this machine ({args.device}) to embed and train, then naming: an "
        "estimate, without the download"
    )
    print(f"to write     {args.out}, and embeddings in {args.work}", flush=True)


def _share(missing: dict[str, int], files: list[str]) -> str:
    return f"{size_text(sum(missing.values()))} in {len(missing)} of {len(files)} files" if missing else "all here"


def _licence(repository: Repository) -> str:
    return repository.licence or f"see https://huggingface.co/{repository.id}"


def _source_licence(plan: _Plan) -> str:
    from mmsteer.data.sources.hub_tars import HubTars

    return _licence(plan.source.repository) if isinstance(plan.source, HubTars) else "its owner's"


def _agreed(yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise SteerError("this asks before it fetches anything, and there is no terminal to answer at: add --yes")
    return input("Fetch and build? [y/N] ").strip().lower() in ("y", "yes")


def _build_bank(plan: _Plan, args: argparse.Namespace) -> None:
    """Run the command that a person would give."""
    from mmsteer.cli import bank
    from mmsteer.cli.bank_pictures import draw
    from mmsteer.steering.steerer import Steerer

    words = [
        "bank", "build", "--clip", plan.clip.name, "--backbone", args.name, "--pairs", plan.pairs, "--count", str(plan.count),
        "--steps", str(args.steps), "--device", args.device, "--work", str(args.work), "--out", str(args.out),
    ]  # fmt: skip
    print(f"python -m mmsteer {shlex.join(words)}", flush=True)
    parser = argparse.ArgumentParser()
    bank.add_arguments(parser)
    bank.run(parser.parse_args(words[1:]))
    draw(Steerer.load(args.name, args.out, args.device))  # the whole checkpoint is here by now


def _page_arguments(args: argparse.Namespace) -> list[str]:
    port = [] if args.port is None else ["--port", str(args.port)]
    return ["--backbone", args.name, "--bank", str(args.out), "--device", args.device, *port]


def _write_space(args: argparse.Namespace) -> None:
    from mmsteer.hub.space import write_space

    folder = write_space(args.space, args.name, args.out, args.device)
    print(f"wrote {folder}; look at it, then publish it with:\nhf upload {args.space} {folder} . --repo-type space")
