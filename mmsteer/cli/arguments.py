"""Arguments that several commands, and the page, share."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmsteer.errors import SteerError
from mmsteer.models.backbone import DTYPES
from mmsteer.models.registry import BACKBONES


def add_backbone(parser: argparse.ArgumentParser) -> None:
    """Arguments that name a backbone, and where it runs."""
    parser.add_argument(
        "--backbone",
        default="mini",
        help=f"{', '.join(BACKBONES)}, a folder saved by diffusers, a .safetensors file of a whole checkpoint, or a hub id[@commit]",
    )
    add_adapter(parser)
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument(
        "--dtype", choices=DTYPES, help="precision (default: float32 on a CPU, float16 on a GPU, bfloat16 for FLUX.1)"
    )
    parser.add_argument(
        "--offload", action="store_true", help="keep only the part at work on the GPU: less memory, slower"
    )
    parser.add_argument(
        "--compile", action="store_true", dest="compiled",
        help="compile the denoiser with torch.compile: the first picture of each size takes minutes longer, later ones less",
    )  # fmt: skip


def add_adapter(parser: argparse.ArgumentParser) -> None:
    """The argument that names an image adapter."""
    parser.add_argument(
        "--ip-adapter", "--adapter", dest="adapter", metavar="ADAPTER",
        help="an image adapter for the backbone, on which vision-only features act: an IP-Adapter's safetensors file, a folder with "
        "some, or hub:OWNER/NAME[@REVISION], for example hub:h94/IP-Adapter, of which the one is taken that fits",
    )  # fmt: skip


def check_target(option: str, path: Path, endings: Sequence[str] = ()) -> None:
    """SteerError unless a file that an option names can be written and has one of some endings; before any work is done."""
    last = " or ".join(filter(None, (", ".join(endings[:-1]), *endings[-1:])))  # ".png, .gif or .mp4"
    allowed = f"give a file that ends in {last}" if endings else "give a file"
    if path.is_dir():
        raise SteerError(f"{option} is {path}, which is a folder: {allowed}")
    if endings and path.suffix.lower() not in endings:
        raise SteerError(f"{option} is {path}: {allowed}")
    if not path.parent.is_dir():
        raise SteerError(f"there is no folder {path.parent}: make it, or give {option} another place")
