"""What a family of backbones is: one kind of conditioning, and how a pipeline of diffusers is called with it.

The class here describes pipelines with one CLIP text encoder, whose last hidden state the UNet reads; other families override
what differs. Knows nothing of features or edits.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mmsteer.errors import SteerError
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.conditioning import Conditioning

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Family:
    """Pipelines that are conditioned in one way."""

    title: str
    pipeline: str
    """Its class in diffusers."""
    reads: str
    """What of the prompt the UNet reads: what edits change. In words, for people."""
    clip: str
    """Hub id of the CLIP whose joint space a bank for it lives in."""
    steps: int = 25
    """Sampling steps, unless the checkpoint says otherwise."""
    guidance: float = 7.5
    """Classifier-free guidance scale, unless the checkpoint says otherwise."""

    from_picture: ClassVar[str] = "StableDiffusionImg2ImgPipeline"
    """Its class in diffusers that starts from a picture; empty if there is none."""
    denoiser = "unet"
    """The part of the pipeline that draws: the UNet, or a transformer."""
    drawing: ClassVar[tuple[str, ...]] = ("unet", "vae", "safety_checker", "image_encoder")
    """Parts that a prompt's way into the joint space does not need."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Parts that a checkpoint may lack."""
    half = "float16"
    """Precision on a GPU, unless a person says otherwise."""
    distilled_steps = 2
    """Sampling steps of distilled checkpoints (Turbo); they are drawn without guidance."""
    compares = True
    """Whether guidance compares with the prediction for the empty prompt; else the denoiser reads the scale as a number."""
    words = True
    """Whether edits can be bound to words; else they act on the whole prompt."""
    chunks = False
    """Whether a prompt that is too long for the text encoder is read in several chunks, side by side; else it is cut."""
    pooled = False
    """Whether the denoiser reads a pooled vector beside the hidden states."""
    pooled_is_last = False
    """Whether that vector is the end-of-text row itself: then one map leads to both."""
    pooled_callback: ClassVar[str | None] = "add_text_embeds"
    """What a callback at the end of a step calls it; None: no callback reaches it."""
    image = False
    """Whether the UNet reads a CLIP image embedding beside the hidden states, without an adapter."""
    note: ClassVar[str] = ""
    """What a visitor should know of its edits before the first one."""
    phases = True
    """Whether what the UNet reads can change during the sampling run."""

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is of this family.

        Args:
            checkpoint: of which only small JSON files are read.

        Raises:
            SteerError: it is nearly of this family, and the message says what is wrong with it.
        """
        return bool(checkpoint.index.get("_class_name") == self.pipeline)

    def text_encoders(self, pipeline: Any) -> list[Any]:
        """The text encoders whose hidden states the UNet reads, in the order in which they stand side by side."""
        return [pipeline.text_encoder]

    def tokenizers(self, pipeline: Any) -> list[Any]:
        """The tokenizer of each text encoder."""
        return [pipeline.tokenizer]

    def t5(self, pipeline: Any) -> tuple[Any, int] | None:
        """The tokenizer of a T5 beside CLIP, and how many rows the denoiser reads of it; None without a T5."""
        return None

    def encode(self, pipeline: Any, ids: "list[torch.Tensor]") -> Conditioning:
        """Run the text encoders on `ids`, one `[B, T]` each and a T5's last, and take what the denoiser reads."""
        (tokens,) = ids
        return Conditioning(pipeline.text_encoder(tokens).last_hidden_state)

    def without_prompt(self, pipeline: Any, empty: Conditioning) -> Conditioning:
        """What guidance steers away from, given the conditioning of the empty prompt."""
        return empty

    def image_width(self, pipeline: Any) -> int | None:
        """d_joint of the image embedding that the UNet reads by itself; None if it reads none."""
        return None

    def image_norm(self, pipeline: Any) -> float | None:
        """How long those image embeddings are; None if it reads none."""
        return None

    def distilled(self, pipeline: Any) -> bool:
        """Whether its schedule is that of Turbo: it starts at the last time. So do schedules with a signal-to-noise ratio of zero there
        (Lin et al., 2305.08891), which are for as many steps as any.
        """
        config = pipeline.scheduler.config
        zero_snr = config.get("rescale_betas_zero_snr") or config.get("prediction_type") == "v_prediction"
        return bool(config.get("timestep_spacing") == "trailing" and not zero_snr)

    def starting_from_picture(self, pipeline: Any) -> Any:
        """The pipeline of the same parts that starts from a picture; SteerError if there is none."""
        import diffusers

        if not self.from_picture:
            raise SteerError(
                f"pipelines of {self.title} start from noise alone: leave out the picture to start from, or take another backbone"
            )
        unchecked = "safety_checker" in pipeline.components and pipeline.safety_checker is None
        more = {"requires_safety_checker": False} if unchecked else {}  # or diffusers warns
        other = getattr(diffusers, self.from_picture)(**pipeline.components, **more)
        other.set_progress_bar_config(disable=True)
        return other

    def rows(self, conditioning: Conditioning) -> "torch.Tensor":
        """The rows that the denoiser's attention reads, `[B, T, d_text]`."""
        return conditioning.hidden

    def arguments(self, conditioning: Conditioning, empty: Conditioning, guided: bool) -> dict[str, Any]:
        """What the pipeline is called with.

        Args:
            conditioning: of B prompts, as the run begins.
            empty: what guidance steers away from, for B prompts.
            guided: whether there is guidance.
        """
        rows = {
            "prompt_embeds": self.rows(conditioning),
            "negative_prompt_embeds": self.rows(empty) if guided else None,
        }
        pooled = {
            "pooled_prompt_embeds": conditioning.pooled,
            "negative_pooled_prompt_embeds": empty.pooled if guided else None,
        }
        return rows | (pooled if self.pooled else {}) | self.image_arguments(conditioning, guided)

    def image_arguments(self, conditioning: Conditioning, guided: bool) -> dict[str, Any]:
        """The part of `arguments` that concerns image embeddings: here those that an image adapter reads."""
        import torch

        if conditioning.image is None:
            return {}
        # without a picture an adapter reads zeros, as in its training
        parts = [torch.zeros_like(conditioning.image), conditioning.image] if guided else [conditioning.image]
        return {"ip_adapter_image_embeds": [torch.cat(parts)[:, None]]}

    def unpacked(self, pipeline: Any, latents: "torch.Tensor", side: int) -> "torch.Tensor":
        """Latents of pictures of `side` pixels as the autoencoder reads them, `[B, C, h, w]`, from those between two steps."""
        return latents

    def next_tensors(self, conditioning: Conditioning, empty: Conditioning, guided: bool) -> "dict[str, torch.Tensor]":
        """What a callback at the end of a step returns so that the next step reads another conditioning."""
        import torch

        def stacked(negative: Any, positive: Any) -> "torch.Tensor":
            return torch.cat([negative, positive]) if guided else positive

        tensors = {"prompt_embeds": stacked(self.rows(empty), self.rows(conditioning))}
        if self.pooled and self.pooled_callback:
            tensors[self.pooled_callback] = stacked(empty.pooled, conditioning.pooled)
        return tensors
