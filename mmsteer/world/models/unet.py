"""The world's UNet: an ordinary UNet2DConditionModel, its scheduler, and the latents they draw.

Teacher and student have this one shape; `teacher.py` and `student.py` in `mmsteer.world.training.tasks` train them.
"""

from typing import Any, NamedTuple

import torch

from mmsteer.world.models.autoencoder import CHANNELS
from mmsteer.world.models.clip import WIDTH

LATENT = 16  # cells a side
SHIFT = 3.0  # of the timesteps towards noise (Esser et al., 2403.03206, section 5.3.2)
TEACHER_STEPS, STUDENT_STEPS = 12, 4


class UnetShape(NamedTuple):
    """The size of a UNet."""

    channels: tuple[int, ...]
    """Channels of each level."""
    plain: int
    """How many of the upper levels have no cross-attention."""


FULL, SMALL = UnetShape((96, 192), 0), UnetShape((64, 128), 1)
GUIDANCE = 4.0  # of the teacher (classifier-free, Ho & Salimans, 2207.12598); the student draws without


def build_unet(shape: UnetShape = FULL) -> Any:
    """An untrained UNet of a shape."""
    from diffusers import UNet2DConditionModel

    channels, above = shape
    down, up = (("DownBlock2D", "CrossAttnDownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D"))
    return UNet2DConditionModel(
        sample_size=LATENT,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=(down[0],) * above + (down[1],) * (len(channels) - above),
        up_block_types=(up[1],) * (len(channels) - above) + (up[0],) * above,
        block_out_channels=channels,
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # in this class of diffusers: the number of heads
        # A pooled text embedding also scales and shifts every layer (FiLM, 1709.07871): at this size cross-attention
        # alone learns the layout of a picture slowly.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def build_scheduler(solver_order: int = 2) -> Any:
    """Flow matching as stock diffusers samples it: DPM-Solver++ over x_t = (1 - s) x_0 + s noise.

    Order 2 for the teacher; order 1 for the student, each of whose steps is a straight line.
    """
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT, steps_offset=1,
        solver_order=solver_order,
    )  # fmt: skip


def velocity(
    unet: Any, noisy: torch.Tensor, share: torch.Tensor, hidden: torch.Tensor, image: torch.Tensor | None = None
) -> torch.Tensor:
    """The velocity that the UNet predicts: noise - clean.

    Args:
        unet: A UNet2DConditionModel.
        noisy: Noisy latents, `[B, C, 16, 16]`.
        share: Their shares of noise, `[B]` in [0, 1].
        hidden: Hidden states, `[B, T, d_text]`.
        image: Image embeddings, `[B, d_joint]`, for a UNet with an image adapter.

    Returns:
        `float32 [B, C, 16, 16]`.
    """
    more = {} if image is None else {"added_cond_kwargs": {"image_embeds": [image[:, None]]}}
    with torch.autocast(noisy.device.type, torch.bfloat16):
        latents = noisy.contiguous(memory_format=torch.channels_last)
        predicted: torch.Tensor = unet(latents, 1000 * share, hidden, **more).sample.float()
    return predicted


def guided_velocity(
    unet: Any,
    noisy: torch.Tensor,
    share: torch.Tensor,
    hidden: torch.Tensor,
    empty: torch.Tensor,
    guidance: float,
    image: torch.Tensor | None = None,
) -> torch.Tensor:
    """`velocity` with classifier-free guidance; `empty [B, T, d_text]` are the hidden states of the empty prompt."""
    both = velocity(
        unet, torch.cat([noisy, noisy]), torch.cat([share, share]), torch.cat([empty, hidden]),
        None if image is None else torch.cat([torch.zeros_like(image), image]),
    )  # fmt: skip
    unconditional, conditional = both.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


@torch.no_grad()
def draw_latents(
    unet: Any,
    hidden: torch.Tensor,
    empty: torch.Tensor,
    noise: torch.Tensor,
    steps: int,
    guidance: float,
    image: torch.Tensor | None = None,
) -> torch.Tensor:
    """Draw latents from noise.

    Args:
        unet: A UNet2DConditionModel.
        hidden: Hidden states, `[B, T, d_text]`.
        empty: Those of the empty prompt, `[1, T, d_text]`.
        noise: `[B, C, 16, 16]`.
        steps: Sampling steps.
        guidance: 1 draws without guidance and with a solver of order 1, as the student; else as the teacher.
        image: Image embeddings, `[B, d_joint]`, for a UNet with an image adapter.

    Returns:
        Latents, `[B, C, 16, 16]`.
    """
    scheduler = build_scheduler(solver_order=1 if guidance == 1 else 2)
    scheduler.set_timesteps(steps, device=noise.device)
    latents, empty = noise, empty.expand_as(hidden)
    for t in scheduler.timesteps:
        share = (t / 1000).expand(len(latents))
        if guidance == 1:
            flow = velocity(unet, latents, share, hidden, image)
        else:
            flow = guided_velocity(unet, latents, share, hidden, empty, guidance, image)
        latents = scheduler.step(flow, t, latents).prev_sample
    return latents
