"""Image adapters: a few tokens made from CLIP's image embedding, which a UNet reads beside the text (IP-Adapter, Ye et al.,
2308.06721).

Knows the file format that diffusers reads; knows nothing of features or prompts.
"""

from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError, first_line

Weights = dict[str, dict[str, Any]]
"""`image_proj` and `ip_adapter`, each name -> tensor, as diffusers takes them."""


def read_adapter(path: Path) -> Weights:
    """The weights of an adapter; SteerError unless it is a safetensors file of an adapter that reads one image embedding."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise SteerError(f"cannot read the adapter {path} ({first_line(error)}): give a safetensors file") from error
    weights: Weights = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        weights.setdefault(kind, {})[rest] = tensor
    if set(weights) != {"image_proj", "ip_adapter"} or not weights["ip_adapter"]:
        raise SteerError(
            f"{path} is no image adapter: it holds {', '.join(sorted(weights))}, not image_proj and ip_adapter. Give an "
            "IP-Adapter, for example h94/IP-Adapter/models/ip-adapter_sd15.safetensors"
        )
    if "proj.weight" not in weights["image_proj"]:
        raise SteerError(
            f"{path} reads the patches of a picture or a face, not one image embedding: give a plain IP-Adapter, for example "
            "h94/IP-Adapter/models/ip-adapter_sd15.safetensors"
        )
    return weights


def attach(unet: Any, weights: Weights) -> None:
    """Put an adapter into a UNet; SteerError if it was made for another kind of UNet."""
    rows = unet.config.cross_attention_dim
    width = weights["image_proj"]["norm.weight"].shape[0]
    if width != rows:
        raise SteerError(
            f"the adapter makes tokens {width} wide, and this UNet reads rows {rows} wide: give an adapter for this checkpoint"
        )
    try:
        # `load_ip_adapter` of the pipelines does this too, but also wants an image encoder, which steering does not need
        unet._load_ip_adapter_weights([weights], low_cpu_mem_usage=False)
    except (KeyError, RuntimeError) as error:
        raise SteerError(
            f"the adapter does not go with this UNet ({first_line(error)}): give an adapter for this checkpoint"
        ) from error
    # diffusers sets this as an attribute, which the next entry into the configuration would lose
    unet.register_to_config(encoder_hid_dim_type="ip_image_proj")


def image_width(unet: Any) -> int | None:
    """d_joint of the image embeddings that a UNet's adapter reads; None for a UNet without one."""
    tokens = getattr(getattr(unet, "encoder_hid_proj", None), "image_projection_layers", None)
    return None if tokens is None else int(tokens[0].image_embeds.in_features)


def find_adapter(source: str | Path) -> Path:
    """The file of an adapter.

    Args:
        source: a file, or OWNER/NAME/PATH of one on the hub, which is downloaded.

    Raises:
        SteerError: there is no such file.
    """
    if Path(source).is_file():
        return Path(source)
    owner, _, rest = str(source).partition("/")
    name, _, file = rest.partition("/")
    if isinstance(source, Path) or not file or str(source).startswith((".", "/", "~")):
        raise SteerError(f"there is no adapter {source}: give a safetensors file, or OWNER/NAME/PATH of one on the hub")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(f"{owner}/{name}", file))
    except Exception as error:  # offline, gated, gone, misspelt: the library's words say which
        raise SteerError(
            f"cannot get {file} of {owner}/{name} from the hub or its cache: {first_line(error)}. Check the name and the "
            "network, or give a local file"
        ) from error
