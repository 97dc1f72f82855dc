"""`python -m mmsteer doctor`: what the machine has, what will run on it, and what is missing."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.families import FAMILIES, Family, family_of
from mmsteer.models.loading.distillation import UNGUIDED
from mmsteer.models.memory import memory_needed
from mmsteer.models.registry import BACKBONES, Spec, public_name

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
_OPTIONAL = {
    "pyarrow": "pairs from parquet",
    "datasets": "pairs from the hub that are not in tars",
    "playwright": "tests of the page",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "backbones", nargs="*", metavar="BACKBONE", help="list these too: folders, files, or hub ids that were fetched"
    )


def run(args: argparse.Namespace) -> None:
    """Print four tables: the machine, families of backbones, backbones, banks."""
    from mmsteer.studies.report import table

    print(table(_machine()), end="\n\n")
    print(table([_family(family) for family in FAMILIES]), end="\n\n")
    names = dict.fromkeys((*BACKBONES, *args.backbones))
    print(table([_backbone(Checkpoint(name)) for name in names]), end="\n\n")
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
        version, right = _version(package), wanted.get(package)
        if version is None:
            verdict = "missing: pip install -r requirements.txt"
        else:
            verdict = "ok" if right in (None, version.split("+")[0]) else f"tested with {right}"
        rows.append((package, version or "-", verdict))
    for package, use in _OPTIONAL.items():
        version = _version(package)
        rows.append((package, version or "-", use if version else f"only for {use}: pip install {package}"))
    chromium = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    rows.append(
        ("chromium", "yes" if chromium else "-", "" if chromium else "only for tests of the page, which install it")
    )
    return [{"what": what, "found": value, "verdict": verdict} for what, value, verdict in rows]


def _cuda() -> tuple[str, str]:
    import torch

    if not torch.cuda.is_available():
        return "none", "pictures are drawn on the CPU"
    return torch.cuda.get_device_name(), f"float16, {_gigabytes(torch.cuda.get_device_properties(0).total_memory)}"


def _backbone(checkpoint: Checkpoint) -> dict[str, str]:
    """One backbone: is it here, how is it drawn, and will it run?"""
    name, spec, file = checkpoint.name, checkpoint.spec, checkpoint.file
    row = {
        "backbone": public_name(name), "family": "-", "weights": "fetched from the hub on first use", "from": str(spec.source),
        "commit": (spec.revision or "-")[:8], "size": f"{spec.size} px" if spec.size else "-",
        "GPU memory": f"about {spec.memory} GB (an estimate)" if spec.memory else "-", "runs": "-", "licence": spec.licence,
    }  # fmt: skip
    if isinstance(spec.source, Path):
        row["from"] = spec.source.name
    elif not spec.revision:
        row["commit"] = "not pinned: say ID@COMMIT"
    try:
        folder = checkpoint.folder
        if folder is None:
            return row
        row |= {"family": family_of(Checkpoint(name, Spec(folder))).title, "weights": "here"}
        needed = memory_needed(folder, spec.size, file)
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
        "steps": f"{family.steps}, distilled ones {family.distilled_steps}",
        "guidance": f"{family.guidance:g}, distilled ones {UNGUIDED:g}", "sampler": "the checkpoint's own",
    }  # fmt: skip


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
        contents = f"{len(bank.features)} features, {sum(f.named_by is not None for f in bank.features)} of them named"
        return {
            "bank": folder.name,
            "made for": str(bank.meta.get("backbone")),
            "contents": contents,
            "map": bank.faithfulness,
        }
    except SteerError as error:
        return {"bank": folder.name, "made for": "-", "contents": str(error), "map": "-"}


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
