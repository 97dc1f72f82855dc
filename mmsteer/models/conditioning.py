"""What a denoiser reads of prompts. Pure data."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Conditioning(NamedTuple):
    """What a UNet or a transformer reads of one or more prompts."""

    hidden: "torch.Tensor"
    """[B, T, d_text]: hidden states of the text encoder, of the layer that the UNet's cross-attention reads."""
    pooled: "torch.Tensor | None" = None
    """[B, d_pooled]: one vector for the whole prompt (SDXL, SD3, FLUX.1)."""
    image: "torch.Tensor | None" = None
    """[B, d_joint]: a CLIP image embedding, not scaled to unit length (unCLIP, image adapters)."""
    t5: "torch.Tensor | None" = None
    """[B, T_t5, d_t5]: rows of a T5 beside CLIP, which no edit changes (SD3, FLUX.1)."""

    def repeated(self, count: int) -> "Conditioning":
        """The conditioning of one prompt, for `count` prompts."""
        hidden, *others = (None if part is None else part.expand(count, *part.shape[1:]) for part in self)
        assert hidden is not None
        return Conditioning(hidden, *others)
