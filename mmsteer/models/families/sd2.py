"""Stable Diffusion 2.x: cross-attention to the penultimate layer of OpenCLIP ViT-H/14, normed."""

from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.families.family import Family


class StableDiffusion2(Family):
    """The same pipeline class as 1.x, with the text encoder of OpenCLIP, cut before its last layer."""

    chunks = True

    def matches(self, checkpoint: Checkpoint) -> bool:
        """A `StableDiffusionPipeline` whose text encoder is OpenCLIP's."""
        return super().matches(checkpoint) and checkpoint.read("text_encoder/config.json").get("hidden_act") == "gelu"


FAMILY = StableDiffusion2(
    title="Stable Diffusion 2.x",
    pipeline="StableDiffusionPipeline",
    reads="penultimate layer of OpenCLIP ViT-H/14, normed",
    clip="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
)
