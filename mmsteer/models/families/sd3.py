"""Stable Diffusion 3 and 3.5: joint attention to two CLIP text encoders side by side and a T5 below them (Esser et al., 2403.03206,
section 4).
"""

from typing import TYPE_CHECKING, Any

from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families.family import Family

if TYPE_CHECKING:
    import torch

_T5_ROWS = 256


class StableDiffusion3(Family):
    """The T5 is optional: without it, its rows are zero."""

    from_picture = "StableDiffusion3Img2ImgPipeline"
    denoiser = "transformer"
    drawing = ("transformer", "vae", "image_encoder", "text_encoder_3", "tokenizer_3")
    optional = ("text_encoder_3", "tokenizer_3")
    distilled_steps = 4
    pooled = True
    pooled_callback = "pooled_prompt_embeds"

    def text_encoders(self, pipeline: Any) -> list[Any]:
        """CLIP ViT-L/14's and OpenCLIP ViT-bigG/14's."""
        return [pipeline.text_encoder, pipeline.text_encoder_2]

    def tokenizers(self, pipeline: Any) -> list[Any]:
        """One each."""
        return [pipeline.tokenizer, pipeline.tokenizer_2]

    def t5(self, pipeline: Any) -> tuple[Any, int] | None:
        """The third tokenizer, if there is one."""
        return None if pipeline.text_encoder_3 is None else (pipeline.tokenizer_3, _T5_ROWS)

    def encode(self, pipeline: Any, ids: "list[torch.Tensor]") -> Conditioning:
        """Penultimate layers, before any norm, and the projected vectors of both CLIPs side by side; last layer of the T5."""
        import torch

        clips = [
            encoder(tokens, output_hidden_states=True)
            for encoder, tokens in zip(self.text_encoders(pipeline), ids, strict=False)
        ]
        hidden = torch.cat([clip.hidden_states[-2] for clip in clips], dim=-1)
        pooled = torch.cat([clip.text_embeds for clip in clips], dim=-1)
        if pipeline.text_encoder_3 is not None:
            return Conditioning(hidden, pooled, t5=pipeline.text_encoder_3(ids[-1])[0])
        if pipeline.transformer is None:  # nothing is to be drawn
            return Conditioning(hidden, pooled)
        return Conditioning(
            hidden, pooled, t5=hidden.new_zeros(len(hidden), _T5_ROWS, pipeline.transformer.config.joint_attention_dim)
        )

    def rows(self, conditioning: Conditioning) -> "torch.Tensor":
        """CLIP's rows, padded with zeros to the width of the T5's, and these below them, `[B, T + T_t5, d_t5]`."""
        import torch

        hidden, t5 = conditioning.hidden, conditioning.t5
        assert t5 is not None
        padded = torch.nn.functional.pad(hidden, (0, t5.shape[-1] - hidden.shape[-1]))
        return torch.cat([padded, t5], dim=-2)


FAMILY = StableDiffusion3(
    title="Stable Diffusion 3",
    pipeline="StableDiffusion3Pipeline",
    reads="penultimate layers of CLIP ViT-L/14 and OpenCLIP ViT-bigG/14 side by side, and the pooled vectors of both; not the rows of T5",
    clip="laion/CLIP-ViT-bigG-14-laion2B-39B-b160k (or openai/clip-vit-large-patch14)",
    steps=28,
    guidance=7.0,
)
