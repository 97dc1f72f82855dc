"""The world's UNet: an ordinary UNet2DConditionModel, the scheduler it is drawn with, and pictures drawn by both.

Teacher and student have this one shape; `teacher.py` and `student.py` train them.
"""

from typing import Any, NamedTuple

import torch

from mmsteer.world.models.autoencoder import CHANNELS
from mmsteer.world.models.clip import WIDTH

LATENT = 16  # cells a side
SHIFT = 3.0  # of the time steps towards noise (Esser et al., 2403.03206, section 5.3.2)
TEACHER_STEPS, STUDENT_STEPS = 12, 4


class UnetShape(NamedTuple):
    """How large a UNet is."""

    channels: tuple[int, ...]
    """A level."""
    plain: int
    """Upper levels without attention to the words."""


FULL, SMALL = UnetShape((96, 192), 0), UnetShape((64, 128), 1)
GUIDANCE = 4.0  # of the teacher (Ho & Salimans, 2207.12598); the student draws without


def build_unet(shape: UnetShape = FULL) -> Any:
    """An untrained UNet."""
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
        attention_head_dim=4,  # in UNets of this family: the number of heads
        # The words also reach every layer as a scale and a shift (FiLM, 1709.07871): at this size attention alone
        # learns slowly where a picture is.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def build_scheduler(solver_order: int = 2) -> Any:
    """Flow matching as stock diffusers samples it: DPM-Solver++ over x_t = (1 - s) x_0 + s noise.

    Order 2 for the teacher. Order 1 for the student, whose every step is the straight way to the next.
    """
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT, steps_offset=1,
        solver_order=solver_order,
    )  # fmt: skip


def velocity(
    unet: Any, noisy: torch.Tensor, share: torch.Tensor, hidden: torch.Tensor, image: torch.Tensor | None = None
) -> torch.Tensor:
    """What the UNet says of `noisy [B, C, 16, 16]` at noise shares `share [B]`, given `hidden [B, T, d_text]` and, where it has
    an image adapter, `image [B, d_joint]`: noise - clean.
    """
    more = {} if image is None else {"added_cond_kwargs": {"image_embeds": [image[:, None]]}}
    with torch.autocast(noisy.device.type, torch.bfloat16):
        return unet(noisy.contiguous(memory_format=torch.channels_last), 1000 * share, hidden, **more).sample.float()


def guided(
    unet: Any,
    noisy: torch.Tensor,
    share: torch.Tensor,
    hidden: torch.Tensor,
    empty: torch.Tensor,
    guidance: float,
    image: torch.Tensor | None = None,
) -> torch.Tensor:
    """`velocity` with classifier-free guidance; `empty [B, T, d_text]` is the reading of the empty prompt."""
    both = velocity(
        unet, torch.cat([noisy, noisy]), torch.cat([share, share]), torch.cat([empty, hidden]),
        None if image is None else torch.cat([torch.zeros_like(image), image]),
    )  # fmt: skip
    without, with_words = both.chunk(2)
    return without + guidance * (with_words - without)


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
    """Noise `[B, C, 16, 16]` -> latents drawn for `hidden [B, T, d_text]`, and for embeddings `image [B, d_joint]` where the UNet
    has an adapter: guided as the teacher, or at 1 as the student.
    """
    scheduler = build_scheduler(solver_order=1 if guidance == 1 else 2)
    scheduler.set_timesteps(steps, device=noise.device)
    latents, empty = noise, empty.expand_as(hidden)
    for t in scheduler.timesteps:
        share = (t / 1000).expand(len(latents))
        if guidance == 1:
            flow = velocity(unet, latents, share, hidden, image)
        else:
            flow = guided(unet, latents, share, hidden, empty, guidance, image)
        latents = scheduler.step(flow, t, latents).prev_sample
    return latents
