"""Stable unCLIP: Stable Diffusion 2.x whose UNet also reads a CLIP image embedding (Ramesh et al., 2204.06125)."""

from typing import Any

from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families.family import Family


class StableUnCLIP(Family):
    """Its pipeline reads prompt and image embedding once, for the whole run."""

    from_picture = ""
    chunks = True
    image = True
    phases = False

    def image_width(self, pipeline: Any) -> int | None:
        """As wide as its normaliser."""
        return int(pipeline.image_normalizer.mean.shape[-1])

    def image_norm(self, pipeline: Any) -> float | None:
        """The root mean square length, by the normaliser's mean and standard deviation."""
        normalizer = pipeline.image_normalizer
        return float((normalizer.mean.float().square() + normalizer.std.float().square()).sum().sqrt())

    def image_arguments(self, conditioning: Conditioning, guided: bool) -> dict[str, Any]:
        """The embedding itself; the pipeline makes the unguided half."""
        return {"image_embeds": conditioning.image}


FAMILY = StableUnCLIP(
    title="Stable unCLIP",
    pipeline="StableUnCLIPImg2ImgPipeline",
    reads="penultimate layer of OpenCLIP ViT-H/14, normed, and a CLIP image embedding",
    clip="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    guidance=10.0,
)
