"""The weights of an image adapter: read from its file, put into a UNet, and asked for at another scale in one call.

Knows the file format that diffusers reads; knows nothing of features or prompts.
"""

from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError, first_line
from mmsteer.models.image_adapter.header import kind_of, shapes_in

Weights = dict[str, dict[str, Any]]
"""`image_proj` and `ip_adapter`, each name -> tensor, as diffusers takes them."""


def read_adapter(path: Path) -> Weights:
    """The weights of an adapter; SteerError unless it is a safetensors file of an adapter that reads one image embedding."""
    from safetensors.torch import load_file

    kind_of(str(path), shapes_in(path))
    weights: Weights = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(path).items():
        kind, _, rest = name.partition(".")
        weights[kind][rest] = tensor
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


def arguments(unet: Any, scale: float) -> dict[str, Any]:
    """What a pipeline is called with so that the adapter's tokens act `scale` times as strongly.

    `set_ip_adapter_scale` of diffusers would change the UNet, which all calls share. A mask of one value over the whole picture
    multiplies the same term, in one call alone.
    """
    import torch

    size = unet.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    mask = torch.full((1, 1, height, width), float(scale))  # 1 adapter, 1 picture
    return {"cross_attention_kwargs": {"ip_adapter_masks": [mask]}}
