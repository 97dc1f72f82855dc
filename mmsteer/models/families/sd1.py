"""Stable Diffusion 1.x: cross-attention to the last hidden state of OpenAI's CLIP ViT-L/14, the very layer CLIP projects."""

from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.families.family import Family


class StableDiffusion1(Family):
    """Told from 2.x by the activation of the text encoder: OpenAI's CLIPs have quick_gelu, OpenCLIP's gelu."""

    chunks = True

    def matches(self, checkpoint: Checkpoint) -> bool:
        """A `StableDiffusionPipeline` whose text encoder is OpenAI's."""
        return (
            super().matches(checkpoint)
            and checkpoint.read("text_encoder/config.json").get("hidden_act", "quick_gelu") != "gelu"
        )


FAMILY = StableDiffusion1(
    title="Stable Diffusion 1.x",
    pipeline="StableDiffusionPipeline",
    reads="last hidden state of CLIP ViT-L/14",
    clip="openai/clip-vit-large-patch14",
)
