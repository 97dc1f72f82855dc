"""Stable Diffusion XL: cross-attention to two text encoders side by side, and the pooled vector of the second (Podell et al.,
2307.01952, section 2.1).
"""

from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families.family import Family

if TYPE_CHECKING:
    import torch


class StableDiffusionXL(Family):
    """Base models with both text encoders; a refiner has one and cannot be steered."""

    from_picture = "StableDiffusionXLImg2ImgPipeline"
    chunks = True
    pooled = True

    def matches(self, checkpoint: Checkpoint) -> bool:
        """A `StableDiffusionXLPipeline`; SteerError for a refiner."""
        if not super().matches(checkpoint):
            return False
        if not checkpoint.index.get("text_encoder", [None])[0]:
            raise SteerError(
                f"{checkpoint.source} has one text encoder (a refiner?); mmsteer steers base models of Stable Diffusion XL. Name one."
            )
        return True

    def text_encoders(self, pipeline: Any) -> list[Any]:
        """CLIP ViT-L/14's and OpenCLIP ViT-bigG/14's."""
        return [pipeline.text_encoder, pipeline.text_encoder_2]

    def tokenizers(self, pipeline: Any) -> list[Any]:
        """One each."""
        return [pipeline.tokenizer, pipeline.tokenizer_2]

    def encode(self, pipeline: Any, ids: "list[torch.Tensor]") -> Conditioning:
        """Penultimate layers, before any norm, side by side."""
        import torch

        first, second = (
            encoder(tokens, output_hidden_states=True)
            for encoder, tokens in zip(self.text_encoders(pipeline), ids, strict=True)
        )
        hidden = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return Conditioning(hidden, second.text_embeds)

    def without_prompt(self, pipeline: Any, empty: Conditioning) -> Conditioning:
        """Zeros, for checkpoints trained that way."""
        import torch

        if not pipeline.config.force_zeros_for_empty_prompt:
            return empty
        assert empty.pooled is not None
        return Conditioning(torch.zeros_like(empty.hidden), torch.zeros_like(empty.pooled))


FAMILY = StableDiffusionXL(
    title="Stable Diffusion XL",
    pipeline="StableDiffusionXLPipeline",
    reads="penultimate layers of CLIP ViT-L/14 and OpenCLIP ViT-bigG/14 side by side, and the pooled vector of the latter",
    clip="laion/CLIP-ViT-bigG-14-laion2B-39B-b160k (or openai/clip-vit-large-patch14)",
    guidance=5.0,
)
