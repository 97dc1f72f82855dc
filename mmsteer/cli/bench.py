"""`python -m mmsteer bench`: what steering costs, as ratios against the bare diffusers pipeline on this machine.

Bare and steered pictures are drawn in turn within one run, so that whatever else the machine does hits both.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError

if TYPE_CHECKING:
    from mmsteer.bench.page_client import Visitor

PROMPT, SEED = "a big cat in a meadow", 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--json", type=Path, help="write the same figures here")
    parser.add_argument("--quick", action="store_true", help="an honest smaller run, under 50 s on 2 cores")
    parser.add_argument(
        "--anchors", type=Path, metavar="PYTHON",
        help="measure one thing alone, training dictionaries against sparsify, dictionary_learning and SAELens: the interpreter of "
        "an environment they are installed in",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's own choice")


def run(args: argparse.Namespace) -> None:
    """Measure, print a table, write JSON."""
    from mmsteer.studies.report import table, write_json

    if args.anchors:
        speeds = _anchors(args.anchors, 2 if args.quick else 5)
        if args.json:
            write_json(args.json, {"anchors": speeds, "quick": args.quick})
        return
    figures = _start_up() | _pictures(8 if args.quick else 40, args.threads)
    figures |= _dictionaries(10_000 if args.quick else 100_000, 100 if args.quick else 1500)
    figures |= _page(*((10, 3) if args.quick else (1000, 20)))
    figures |= _embedding(*((32, 1) if args.quick else (192, 5)))
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

    from mmsteer.models.prompt import encode
    from mmsteer.steering.edit import Edit
    from mmsteer.steering.recipe import Recipe
    from mmsteer.steering.steerer import Steerer

    if threads:
        torch.set_num_threads(threads)
    steerer = Steerer.load("mini")
    edit = Edit(next(f.id for f in steerer.bank.features if f.modality == "cross"))
    pipeline, first = steerer.backbone.pipeline, _first_generation(steerer.backbone.pipeline)

    def stock(of: Any, steps: int, guidance: float) -> None:
        noise = torch.Generator().manual_seed(SEED)
        of(PROMPT, num_inference_steps=steps, guidance_scale=guidance, generator=noise)

    def bare() -> None:
        stock(pipeline, steerer.sampler.steps, steerer.sampler.guidance)

    def steered() -> None:
        steerer.picture(Recipe(PROMPT, SEED, steerer.sampler, (edit,)))

    def plan() -> None:
        steerer.plan(encode(steerer.backbone, [PROMPT]), (edit,))

    calls = {"bare": bare, "steered": steered, "first": lambda: stock(first, 12, 5.0)}
    times = _in_turn(calls, repeats)
    alone = _in_turn({"plan": plan}, repeats)["plan"]
    ratios = [s / b for s, b in zip(times["steered"], times["bare"], strict=True)]
    faster = [b / f for b, f in zip(times["bare"], times["first"], strict=True)]
    median_bare, median_steered = (statistics.median(times[name]) for name in ("bare", "steered"))
    return {
        "picture, bare pipeline, ms": round(1000 * median_bare, 1),
        "picture, steered, ms": round(1000 * median_steered, 1),
        "steered / bare, median of pairs": round(statistics.median(ratios), 4),
        "bare / first generation's shapes (128 px, 12 guided steps)": round(statistics.median(faster), 3),
        "steered - bare, ms": round(1000 * (median_steered - median_bare), 1),
        "encoding the prompt and editing, ms": round(1000 * statistics.median(alone), 2),
        "memory at its highest, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "torch threads": torch.get_num_threads(),
        "repeats": repeats,
    }


def _first_generation(pipeline: Any) -> Any:
    """A stock pipeline of the shapes that the embedded one had before, untrained: what a picture takes does not depend on weights."""
    from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler, UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=16, in_channels=12, out_channels=12, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(64, 128), layers_per_block=1,
        norm_num_groups=16, cross_attention_dim=128, attention_head_dim=4, addition_embed_type="text",
        addition_embed_type_num_heads=4, resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    vae = AutoencoderTiny(
        latent_channels=12, encoder_block_out_channels=(32,) * 4, decoder_block_out_channels=(32,) * 4,
        num_encoder_blocks=(0, 1, 3, 3), num_decoder_blocks=(4, 4, 1, 0), scaling_factor=1.0,
    )  # fmt: skip
    scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, solver_order=2)
    parts = {"unet": unet.eval(), "vae": vae.eval(), "scheduler": scheduler}
    first = type(pipeline)(**{**pipeline.components, **parts, "requires_safety_checker": False})
    first.set_progress_bar_config(disable=True)
    return first


def _page(pictures: int, seconds: float) -> dict[str, Any]:
    """What the page's process costs and does: MB by which it has grown after so many pictures, each pair of another seed, over
    what it took once the first was drawn; and pictures a second for a visitor who drags a slider for some seconds.
    """
    import psutil

    port = _free_port()
    page = subprocess.Popen(
        [sys.executable, "-W", "ignore", "app.py", "--port", str(port)], cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        visitor = _arrive(f"http://127.0.0.1:{port}", page)
        idle = 0
        for k in range(1 + pictures // 2):
            visitor.draw(PROMPT, k, _rack(1))
            idle = idle or psutil.Process(page.pid).memory_info().rss
        grown = psutil.Process(page.pid).memory_info().rss - idle
        rate = _live(visitor, seconds)
    finally:
        page.terminate()
        page.wait()
    return {
        f"memory of the page after {pictures:,} pictures over idle, MB": round(grown / 2**20),
        "live: pictures per second while a slider is dragged": round(rate, 1),
    }


def _rack(strength: float) -> dict[str, Any]:
    row = {
        "id": 0, "mode": "slide", "strength": strength, "on": True, "locked": False, "words": [], "start": 0, "end": 1,
    }  # fmt: skip
    return {"rows": [row], "silent": []}


def _live(visitor: "Visitor", seconds: float) -> float:
    """Frames a second of a slider that moves up and up, each asked for as soon as the last is there, as the page's script does."""
    began, frames = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < seconds:
        frames += "after" in visitor.frame(_rack(0.05 * (1 + frames % 40)))
    return frames / took


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _arrive(address: str, page: "subprocess.Popen[bytes]") -> "Visitor":
    """A visitor of a page that is just starting; SteerError if it ends instead."""
    from mmsteer.bench.page_client import Visitor

    while page.poll() is None:
        try:
            return Visitor(address)
        except OSError:
            time.sleep(0.1)
    raise SteerError("the page has not started: `python app.py` says why")


def _dictionaries(pairs: int, steps: int) -> dict[str, Any]:
    """Seconds to train the default bank's dictionaries, 512 latents a side, on random unit rows of width 128."""
    import torch

    from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
    from mmsteer.training.objectives import train_dictionaries

    generator = torch.Generator().manual_seed(SEED)
    image, text = torch.nn.functional.normalize(torch.randn(2, pairs, 128, generator=generator), dim=2)
    groups = (MatryoshkaGroup(64, 5), MatryoshkaGroup(448, 5))
    began = time.perf_counter()
    train_dictionaries("matryoshka", image, text, DictionarySizes(groups, groups), TrainingConfig(steps))
    took = round(time.perf_counter() - began, 1)
    return {f"training dictionaries, {pairs:,} pairs, {steps:,} steps, s": took}


def _embedding(pairs: int, repeats: int) -> dict[str, Any]:
    """Pairs per second of embedding, decoding and writing included, over those of the model alone on the same pairs.

    The model has ViT-B/32's shape and random weights; pictures are JPEGs of 500x375 pixels.
    """
    import io
    from contextlib import redirect_stderr
    from tempfile import TemporaryDirectory

    import torch

    from mmsteer.assets import ASSETS
    from mmsteer.data.batches import read_batches
    from mmsteer.data.embedding import embed_pairs
    from mmsteer.data.sources import open_pairs
    from mmsteer.models.backbone import choose_device
    from mmsteer.models.clip import Clip
    from mmsteer.world.pairs import WorldPairs

    batch = 16
    with TemporaryDirectory() as name, redirect_stderr(io.StringIO()):  # its progress is not the bench's
        home = Path(name)
        (home / "pairs").mkdir()
        world = WorldPairs(SEED, pairs)
        for k in range(pairs):
            picture, caption, _ = world[k]
            picture.resize((500, 375)).save(home / "pairs" / f"{k:04d}.jpg", quality=90)
            (home / "pairs" / f"{k:04d}.txt").write_text(caption or "a scene")
        _write_clip(home / "clip", ASSETS / "mini" / "clip")
        clip, source = Clip(home / "clip", choose_device(None)), open_pairs(str(home / "pairs"))
        ready = []
        for _, made in read_batches(clip, source, batch):
            names = made.inputs[0].keys()
            ready.append(({n: torch.cat([part[n] for part in made.inputs]) for n in names}, made.captions))

        def whole() -> None:
            embed_pairs(clip, source, home / f"work-{len(list(home.iterdir()))}", batch=batch)

        def bare() -> None:
            for pictures, captions in ready:
                clip.pictures(pictures), clip.captions(captions)
            if clip.device == "cuda":
                torch.cuda.synchronize()

        times = _in_turn({"whole": whole, "bare": bare}, repeats)
    ratios = [b / w for w, b in zip(times["whole"], times["bare"], strict=True)]
    return {
        f"embedding on {clip.device}, pairs/s": round(pairs / statistics.median(times["whole"]), 1),
        "embedding: share of a bare forward loop's rate": round(statistics.median(ratios), 3),
    }


def _write_clip(folder: Path, tokenizer: Path) -> None:
    """A CLIP of ViT-B/32's shape with random weights and the world's tokenizer."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    CLIPModel(CLIPConfig()).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    CLIPTokenizer.from_pretrained(tokenizer).save_pretrained(folder)


def _anchors(python: Path, rounds: int) -> list[dict[str, Any]]:
    """Rows a second of processor time of each package's training steps, taken in turn, each in a process of one thread; absent
    ones are told.
    """
    from mmsteer.bench import peers
    from mmsteer.studies.report import table

    if not python.is_file():
        raise SteerError(
            f"there is no interpreter {python}: give the bin/python of an environment with the other packages"
        )
    root = str(Path(__file__).resolve().parents[2])
    running: dict[str, subprocess.Popen[str]] = {}
    found = []
    for name in peers.PACKAGES:
        own = name.startswith("mmsteer")
        command = [sys.executable if own else str(python), "-P", "-W", "ignore", peers.__file__, name]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **({"PYTHONPATH": root} if own else {})}
        process = subprocess.Popen(command, env=environment, text=True, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        ready = process.stdout.readline() if process.stdout else ""
        if ready:
            running[f"{name} {json.loads(ready)['version']}".strip()] = process
        else:
            why = process.communicate()[1].strip().splitlines()[-1:]
            found.append({"package": name, "rows/s": "absent", "of the fastest other": "".join(why)})
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, process in running.items():
            times[name].append(_one_round(process))
    for process in running.values():
        process.communicate()
    rates = {name: peers.STEPS * peers.BATCH / statistics.median(took) for name, took in times.items()}
    fastest = max((rate for name, rate in rates.items() if not name.startswith("mmsteer")), default=None)
    print(f"width {peers.WIDTH}, {peers.LATENTS:,} latents, {peers.K} at once, batch {peers.BATCH:,}, 1 thread each")
    speeds = [
        {"package": name, "rows/s": round(rate), "of the fastest other": "-" if fastest is None else f"{rate / fastest:.2f}"}
        for name, rate in rates.items()
    ]  # fmt: skip
    print(table(speeds + found))
    return speeds + found


def _one_round(process: "subprocess.Popen[str]") -> float:
    """Let a process of `mmsteer.bench.peers` train for a round; the processor seconds it took."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    took = process.stdout.readline()
    if not took:
        raise SteerError(f"training ended early: {process.communicate()[1].strip().splitlines()[-1]}")
    return float(json.loads(took))


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
