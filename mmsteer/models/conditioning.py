"""What a denoiser reads of prompts. Pure data."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Conditioning(NamedTuple):
    """What a UNet reads of one or more prompts."""

    hidden: "torch.Tensor"
    """[B, T, d_text]: hidden states of the text encoder, of the layer that the UNet's cross-attention reads."""
    pooled: "torch.Tensor | None" = None
    """[B, d_pooled]: the second text encoder's projected vector (SDXL)."""
    image: "torch.Tensor | None" = None
    """[B, d_joint]: a CLIP image embedding, not scaled to unit length (unCLIP, image adapters)."""

    def repeated(self, count: int) -> "Conditioning":
        """The conditioning of one prompt, for `count` prompts."""
        pooled, image = (None if part is None else part.expand(count, -1) for part in (self.pooled, self.image))
        return Conditioning(self.hidden.expand(count, -1, -1), pooled, image)
