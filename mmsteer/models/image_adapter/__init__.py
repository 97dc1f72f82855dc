"""Image adapters: a few tokens made from CLIP's image embedding, which a UNet reads beside the text (IP-Adapter, Ye et al.,
2308.06721). `source` finds the file, `header` tells what it fits, `weights` reads it and puts it into a UNet.
"""

from mmsteer.models.image_adapter.header import CLIPS, Kind, kind_of, shapes_in
from mmsteer.models.image_adapter.source import find_adapter
from mmsteer.models.image_adapter.weights import Weights, arguments, attach, image_width, read_adapter

__all__ = [
    "CLIPS",
    "Kind",
    "Weights",
    "arguments",
    "attach",
    "find_adapter",
    "image_width",
    "kind_of",
    "read_adapter",
    "shapes_in",
]
