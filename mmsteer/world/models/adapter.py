"""The world's image adapter: decoupled cross-attention to a few tokens made of CLIP's image embedding.

IP-Adapter (Ye et al., 2308.06721, section 3.2), in the format of diffusers' `load_ip_adapter`. Real checkpoints have such
adapters, and through them features that no caption expresses reach a UNet trained on captions alone.
"""

from typing import Any

from torch import Tensor, nn

from mmsteer.models.image_adapter import Weights

FILE = "ip-adapter.safetensors"
TOKENS = 4  # made of one embedding: diffusers' default for this format


def initial_weights(unet: Any, width: int) -> Weights:
    """Weights that an adapter starts from.

    Keys and values of the image tokens start as those of the words, the projection to tokens at random. Numbers in the
    names count the UNet's attention layers, by twos from 1, as diffusers reads them.

    Args:
        unet: The UNet that the adapter is for.
        width: d_joint.
    """
    rows = unet.config.cross_attention_dim
    projection = nn.Linear(width, TOKENS * rows)
    norm = nn.LayerNorm(rows)
    tokens = {"proj": projection, "norm": norm}
    image = {
        f"{name}.{key}": value.clone() for name, part in tokens.items() for key, value in part.state_dict().items()
    }
    attention, number = {}, 1
    for name in unet.attn_processors:
        if name.endswith("attn2.processor"):
            layer = unet.get_submodule(name.removesuffix(".processor"))
            attention[f"{number}.to_k_ip.weight"] = layer.to_k.weight.detach().clone()
            attention[f"{number}.to_v_ip.weight"] = layer.to_v.weight.detach().clone()
            number += 2
    return {"image_proj": image, "ip_adapter": attention}


def weights_of(unet: Any) -> dict[str, Tensor]:
    """Weights of an attached adapter in half precision, by their names in its file."""
    tokens = unet.encoder_hid_proj.image_projection_layers[0]
    parts = {"image_proj.proj": tokens.image_embeds, "image_proj.norm": tokens.norm}
    weights = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    for i, layer in enumerate(attention_layers(unet)):
        weights[f"ip_adapter.{2 * i + 1}.to_k_ip.weight"] = layer.to_k_ip[0].weight
        weights[f"ip_adapter.{2 * i + 1}.to_v_ip.weight"] = layer.to_v_ip[0].weight
    return {name: value.detach().half().contiguous().cpu() for name, value in weights.items()}


def attention_layers(unet: Any) -> list[Any]:
    """The layers of an attached adapter that attend to its tokens."""
    return [part for part in unet.attn_processors.values() if hasattr(part, "to_k_ip")]
