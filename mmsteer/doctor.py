"""`python -m mmsteer doctor`: what the machine has, what will run on it, and what is missing."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

from mmsteer.backbone import ASSETS, BACKBONES, Spec, family_of
from mmsteer.errors import SteerError

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
    """It takes none."""


def run(args: argparse.Namespace) -> None:
    """Print three tables."""
    from mmsteer.studies.report import table

    print(table(_machine()), end="\n\n")
    print(table([_backbone(name, spec) for name, spec in BACKBONES.items()]), end="\n\n")
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
    """One known backbone: is it here, and how is it drawn?"""
    try:
        family, where = family_of(name, _offline(spec)).title, "here"
    except SteerError:
        family, where = (
            "-",
            "damaged: git checkout assets/mini"
            if isinstance(spec.source, Path)
            else "fetched from the hub on first use",
        )
    return {
        "backbone": name, "family": family, "weights": where, "from": spec.source.name if isinstance(spec.source, Path) else spec.source,
        "commit": (spec.revision or "-")[:8], "size": f"{spec.size} px", "GPU memory": spec.memory, "licence": spec.licence,
    }  # fmt: skip


def _offline(spec: Spec) -> Spec:
    """The checkpoint as a folder, without asking the hub: its own, or the one in the cache."""
    if isinstance(spec.source, Path):
        return spec
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(spec.source, "model_index.json", revision=spec.revision)
    return Spec(Path(index).parent if isinstance(index, str) else Path("not in the cache"))


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
    return f"{count / 2**30:.1f} GB"
