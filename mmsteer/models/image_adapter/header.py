"""What the header of a safetensors file says of an image adapter: how wide its tokens are, and what it reads. Reads no weights."""

from pathlib import Path
from typing import NamedTuple

from mmsteer.errors import SteerError, first_line
from mmsteer.models.weights_header import Shapes, read_header

EXAMPLE = "hub:h94/IP-Adapter"
CLIPS = {1024: "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", 1280: "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"}
"""The CLIP whose image embeddings published adapters read, by the width of these."""


class Kind(NamedTuple):
    """An adapter that reads one image embedding."""

    rows: int
    """How wide its tokens are: those of the UNet's own rows."""
    reads: int
    """d_joint of the image embedding that it reads."""

    def __str__(self) -> str:
        clip = CLIPS.get(self.reads)
        return f"tokens {self.rows} wide, from image embeddings {self.reads} wide" + (f" ({clip})" if clip else "")


def shapes_in(path: Path) -> Shapes:
    """The shapes of a file's tensors; SteerError if it is no safetensors file."""
    refuse_pickle(path.name)
    try:
        return read_header(path).shapes
    except (OSError, ValueError) as error:
        raise SteerError(f"cannot read the adapter {path} ({first_line(error)}): give a safetensors file") from error


def kind_of(name: str, shapes: Shapes) -> Kind:
    """What kind of adapter a file is; SteerError unless it reads one image embedding.

    Args:
        name: the file's, for the message.
        shapes: of its tensors.
    """
    parts = sorted({tensor.partition(".")[0] for tensor in shapes})
    if parts != ["image_proj", "ip_adapter"]:
        raise SteerError(
            f"{name} is no image adapter: it holds {', '.join(parts[:5])}, not image_proj and ip_adapter. Give an IP-Adapter, "
            f"for example {EXAMPLE}"
        )
    projection, norm = shapes.get("image_proj.proj.weight"), shapes.get("image_proj.norm.weight")
    if projection is None or norm is None:
        raise SteerError(
            f"{name} reads the patches of a picture or a face, as the variants `plus` and `face` do, not one image embedding: give "
            f"a plain IP-Adapter, for example {EXAMPLE}"
        )
    return Kind(int(norm[0]), int(projection[1]))


def refuse_pickle(name: str) -> None:
    """SteerError for a file whose format can run code as it is read."""
    if Path(name).suffix in (".bin", ".ckpt", ".pt", ".pth"):
        raise SteerError(
            f"{name} is a pickle, which can run code as it is read: give the .safetensors file of the same adapter "
            f"({EXAMPLE} has both), or write one with `safetensors.torch.save_file`"
        )
