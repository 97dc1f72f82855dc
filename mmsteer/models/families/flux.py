"""FLUX.1: a transformer that reads a prompt's words by T5, and CLIP as one vector that modulates every layer."""

from typing import TYPE_CHECKING, Any

from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families.family import Family

if TYPE_CHECKING:
    import torch


class Flux1(Family):
    """Edits change the vector alone, for the whole picture. dev reads the guidance scale as a number; schnell was distilled further and
    reads none.
    """

    from_picture = "FluxImg2ImgPipeline"
    denoiser = "transformer"
    drawing = ("transformer", "vae", "image_encoder", "text_encoder_2", "tokenizer_2")
    half = "bfloat16"  # in float16 its activations overflow
    distilled_steps = 4
    compares = False
    words = False
    note = (
        "FLUX.1 reads the words of a prompt by T5, which no edit changes. Edits act on CLIP's one vector for the whole prompt: they are "
        "global and gentle; --pooled-guidance makes them stronger."
    )
    pooled = True
    pooled_is_last = True
    pooled_callback = None

    def t5(self, pipeline: Any) -> tuple[Any, int] | None:
        """The second tokenizer."""
        rows = 256 if self.distilled(pipeline) else 512
        return None if pipeline.text_encoder_2 is None else (pipeline.tokenizer_2, rows)

    def encode(self, pipeline: Any, ids: "list[torch.Tensor]") -> Conditioning:
        """CLIP's last hidden states and the normed end-of-text row among them, before projection; last layer of the T5."""
        clip = pipeline.text_encoder(ids[0])
        t5 = None if pipeline.text_encoder_2 is None else pipeline.text_encoder_2(ids[1])[0]
        return Conditioning(clip.last_hidden_state, clip.pooler_output, t5=t5)

    def distilled(self, pipeline: Any) -> bool:
        """Whether it is schnell, whose transformer reads no guidance scale."""
        return pipeline.transformer is not None and not pipeline.transformer.config.guidance_embeds

    def rows(self, conditioning: Conditioning) -> "torch.Tensor":
        """Those of the T5."""
        assert conditioning.t5 is not None
        return conditioning.t5

    def unpacked(self, pipeline: Any, latents: "torch.Tensor", side: int) -> "torch.Tensor":
        """Four latents make a token."""
        unpacked: torch.Tensor = pipeline._unpack_latents(latents, side, side, pipeline.vae_scale_factor)
        return unpacked


FAMILY = Flux1(
    title="FLUX.1",
    pipeline="FluxPipeline",
    reads="the pooled vector of CLIP ViT-L/14; words are read by T5, so edits are global",
    clip="openai/clip-vit-large-patch14",
    steps=28,
    guidance=3.5,
)
