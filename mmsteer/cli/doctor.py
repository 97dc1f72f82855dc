"""`python -m mmsteer doctor`: what the machine has, what will run on it, and what is missing."""

import argparse
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError, first_line
from mmsteer.models.backbone import (
    BACKBONES,
    DISTILLED_GUIDANCE,
    DISTILLED_STEPS,
    FAMILIES,
    Family,
    Spec,
    family_of,
    folder_of,
    public_name,
    spec_of,
)

_PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "safetensors",
    "huggingface_hub",
    "gradio",
    "numpy",
    "pillow",
)
# what one part of mmsteer needs beyond requirements.txt
_OPTIONAL = {"pyarrow": "pairs from parquet", "datasets": "pairs from the hub", "playwright": "tests of the page"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "backbones", nargs="*", metavar="BACKBONE", help="tell of these too: folders, or hub ids that were fetched"
    )


def run(args: argparse.Namespace) -> None:
    """Print four tables: the machine, what families of backbones there are, which of them, which banks."""
    from mmsteer.studies.report import table

    print(table(_machine()), end="\n\n")
    print(table([_family(family) for family in FAMILIES.values()]), end="\n\n")
    known = [(name, spec_of(name)) for name in dict.fromkeys((*BACKBONES, *args.backbones))]
    print(table([_backbone(name, spec) for name, spec in known]), end="\n\n")
    print(table([_bank(folder) for folder in sorted((ASSETS / "banks").iterdir())]))


def _machine() -> list[dict[str, str]]:
    import torch

    rows = [
        ("Python", platform.python_version(), "ok" if (3, 11) <= sys.version_info < (3, 13) else "needs 3.11 or 3.12"),
        ("cores", str(os.cpu_count()), f"torch uses {torch.get_num_threads()}"),
        ("memory", _gigabytes(_memory()), ""),
        ("CPU", "float32", "ok"),
        ("CUDA", *_cuda()),
        ("MPS", *(("yes", "float16") if torch.backends.mps.is_available() else ("none", ""))),
    ]
    wanted = _wanted()
    for package in _PACKAGES:
        found, right = _version(package), wanted.get(package)
        if found is None:
            told = "missing: pip install -r requirements.txt"
        else:
            told = "ok" if right in (None, found.split("+")[0]) else f"tested with {right}"
        rows.append((package, found or "-", told))
    for package, use in _OPTIONAL.items():
        found = _version(package)
        rows.append((package, found or "-", use if found else f"only for {use}: pip install {package}"))
    chromium = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    rows.append(
        ("chromium", "yes" if chromium else "-", "" if chromium else "only for tests of the page, which install it")
    )
    return [{"what": what, "found": found, "told": told} for what, found, told in rows]


def _cuda() -> tuple[str, str]:
    import torch

    if not torch.cuda.is_available():
        return "none", "pictures are drawn on the CPU"
    return torch.cuda.get_device_name(), f"float16, {_gigabytes(torch.cuda.get_device_properties(0).total_memory)}"


def _backbone(name: str, spec: Spec) -> dict[str, str]:
    """One backbone: is it here, how is it drawn, and will it run?"""
    folder = folder_of(spec)
    row = {
        "backbone": public_name(name), "family": "-", "weights": "fetched from the hub on first use", "from": str(spec.source),
        "commit": (spec.revision or "-")[:8], "size": f"{spec.size} px" if spec.size else "-",
        "GPU memory": f"about {spec.memory} GB (an estimate)" if spec.memory else "-", "runs": "-", "licence": spec.licence,
    }  # fmt: skip
    if isinstance(spec.source, Path):
        row["from"] = spec.source.name
    elif not spec.revision:
        row["commit"] = "not pinned: say ID@COMMIT"
    if folder is None:
        return row
    try:
        row |= {"family": family_of(name, Spec(folder)).title, "weights": "here"}
        needed = memory_needed(folder, spec.size)
    except SteerError as error:
        print(f"{name}: {error}")
        return row | {"weights": "not usable, see above"}
    half, whole = (size * (needed.weights + needed.drawing) for size in (2, 4))
    return row | {
        "size": f"{needed.size} px",
        "GPU memory": f"{_gigabytes(half)} (by its files)",
        "runs": _runs(half, whole),
    }


def _family(family: Family) -> dict[str, str]:
    """How backbones of a family are drawn unless the checkpoint or a person says otherwise."""
    return {
        "family": family.title, "class": family.pipeline, "edits change": family.reads, "its CLIP": family.clip,
        "steps": f"{family.steps}, distilled ones {DISTILLED_STEPS}",
        "guidance": f"{family.guidance:g}, distilled ones {DISTILLED_GUIDANCE:g}", "sampler": "the checkpoint's own",
    }  # fmt: skip


class Needed(NamedTuple):
    """What drawing a picture takes, in numbers to be kept at once; times 2 in half precision, 4 in float32: bytes."""

    weights: int
    """Of all parts, as their files have them."""
    drawing: int
    """Of the picture while it is decoded, where it takes most."""
    size: int
    """Pixels a side."""


def memory_needed(folder: Path, size: int | None = None) -> Needed:
    """What a checkpoint takes, read off its safetensors' headers and its configurations; no weight is loaded.

    The decoder's last block holds tensors of its first two widths at full size; four of them are taken for what lives at
    once. SteerError for a part without weights, and for a damaged file.
    """
    try:
        index, vae, unet = (
            json.loads((folder / file).read_text())
            for file in ("model_index.json", "vae/config.json", "unet/config.json")
        )
        widths = vae.get("decoder_block_out_channels") or vae["block_out_channels"]
        size = size or unet["sample_size"] * 2 ** (len(widths) - 1)
        drawing = 4 * max(widths[:2]) * size**2
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SteerError(f"{folder} is not whole ({first_line(error)}): fetch it again") from None
    weights = 0
    for part in sorted(path.parent for path in folder.glob("*/config.json") if path.parent.name in index):
        files = sorted(part.glob("*.safetensors"))
        if not files:
            raise SteerError(f"{part} holds no safetensors weights: fetch it again")
        whole = [path for path in files if ".fp16" not in path.name]  # beside the same in half precision, or alone
        weights += sum(map(_numbers, whole or files))
    return Needed(weights, drawing, size)


def _numbers(file: Path) -> int:
    """How many a safetensors file holds: its header says the shape of each tensor."""
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise SteerError(f"{file} is damaged ({first_line(error)}): fetch it again") from None


def _runs(half: int, whole: int) -> str:
    """Where something runs on this machine that takes so many bytes in half precision and in float32."""
    import torch

    if torch.cuda.is_available():
        fits = half < torch.cuda.get_device_properties(0).total_memory
        return "on the GPU" if fits else "on the GPU with --offload, if its largest part fits"
    if torch.backends.mps.is_available() and half < _memory():
        return "on the GPU"
    return "on the CPU" if whole < _memory() else f"no: float32 takes {_gigabytes(whole)}"


def _bank(folder: Path) -> dict[str, str]:
    from mmsteer.bank import FeatureBank

    try:
        bank = FeatureBank.load(folder)
        told = f"{len(bank.features)} features, {sum(f.named_by is not None for f in bank.features)} of them named"
        return {"bank": folder.name, "made for": str(bank.meta.get("backbone")), "told": told, "map": bank.faithfulness}
    except SteerError as error:
        return {"bank": folder.name, "made for": "-", "told": str(error), "map": "-"}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _wanted() -> dict[str, str]:
    """Versions that mmsteer is tested with, as requirements.txt has them."""
    lines = (ASSETS.parent / "requirements.txt").read_text().splitlines()
    return {
        name: version for line in lines if "==" in line for name, version in [line.split("#")[0].strip().split("==")]
    }


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
