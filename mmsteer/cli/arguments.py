"""Arguments that several commands, and the page, share."""

import argparse

from mmsteer.models.backbone import DTYPES
from mmsteer.models.registry import BACKBONES


def add_backbone(parser: argparse.ArgumentParser) -> None:
    """Arguments that name a backbone, and where it runs."""
    parser.add_argument(
        "--backbone", default="mini", help=f"{', '.join(BACKBONES)}, a folder saved by diffusers, or a hub id[@commit]"
    )
    add_adapter(parser)
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--dtype", choices=DTYPES, help="precision (default: float32 on a CPU, float16 on a GPU)")
    parser.add_argument(
        "--offload", action="store_true", help="keep only the part at work on the GPU: less memory, slower"
    )


def add_adapter(parser: argparse.ArgumentParser) -> None:
    """The argument that names an image adapter."""
    parser.add_argument(
        "--ip-adapter", "--adapter", dest="adapter", metavar="ADAPTER",
        help="an image adapter for the backbone, on which vision-only features act: an IP-Adapter's safetensors file, a folder with "
        "some, or hub:OWNER/NAME[@REVISION], for example hub:h94/IP-Adapter, of which the one is taken that fits",
    )  # fmt: skip
