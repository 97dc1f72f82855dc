"""Trains the teacher: the world's UNet by flow matching, to be drawn in 12 guided steps."""

from typing import Any

import numpy as np
import torch

from mmsteer.world.factors import INDEX
from mmsteer.world.models.unet import GUIDANCE, LATENT, TEACHER_STEPS, velocity
from mmsteer.world.training.loop import Budget
from mmsteer.world.training.pool import PoolSchedule
from mmsteer.world.training.tasks.unet import UnetTask

CPU = Budget(batch=48, rate=1e-3, warm=50, average=0.998)
GPU = Budget(batch=1024, rate=2e-3, average=0.999)
CPU_POOL, GPU_POOL = PoolSchedule(chunk=24, chunks=20, every=4), PoolSchedule(chunk=256, chunks=128)
_SPRITE_WEIGHT = 3.0  # extra weight of the cells around the sprite, which is the hardest part and the smallest


class TeacherTask(UnetTask):
    """Velocity matching (Lipman et al., 2210.02747) with logit-normal timesteps (Esser et al., 2403.03206)."""

    name, part = "teacher", "teacher"
    steps, guidance = TEACHER_STEPS, GUIDANCE

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The flow matching loss of one batch."""
        self.project_out_language(step)
        pool = self.pool.at(step)
        batch, hidden = self.conditioning(self.batches.get(step), pool, generator)
        clean = pool["latents"][batch["rows"]].float()
        return {"loss": flow_loss(self.unet, clean, hidden, batch["values"], generator)}


def flow_loss(
    unet: Any,
    clean: torch.Tensor,
    hidden: torch.Tensor,
    values: torch.Tensor,
    generator: torch.Generator,
    image: torch.Tensor | None = None,
) -> torch.Tensor:
    """The flow matching loss: squared error of the velocity, cells around the sprite weighted most.

    Args:
        unet: The UNet in training.
        clean: Latents of scenes, `[B, C, 16, 16]`.
        hidden: Hidden states, `[B, T, d_text]`.
        values: Factors of the scenes, `[B, n_factors]`.
        generator: Draws noise and timesteps.
        image: Image embeddings, `[B, d_joint]`, for a UNet with an adapter.
    """
    noise = torch.randn(clean.shape, generator=generator, device=clean.device)
    share = noise_shares(len(clean), generator)
    noisy = torch.lerp(clean, noise, share.view(-1, 1, 1, 1))
    error = (velocity(unet, noisy, share, hidden, image) - (noise - clean)).square()
    return (error * sprite_weights(values)).mean()


def noise_shares(count: int, generator: torch.Generator) -> torch.Tensor:
    """Noise shares `s [count]`: logit-normal, 15 % of them uniform over the noisiest twentieth.

    Latents of these scenes are so redundant that thing and place are visible at s = 0.9; the caption matters only above
    that. So the timesteps are shifted far towards noise (2403.03206, section 5.3.2).
    """
    random: dict[str, Any] = {"generator": generator, "device": generator.device}
    share = torch.sigmoid(1.2 + 1.4 * torch.randn(count, **random))
    noisiest = 1 - 0.05 * torch.rand(count, **random)
    return torch.where(torch.rand(count, **random) < 0.15, noisiest, share)


def sprite_weights(values: torch.Tensor) -> torch.Tensor:
    """Weights of latent cells `[B, 1, 16, 16]`, mean 1 a picture, larger around the sprite; `values [B, n_factors]`."""
    position, big = (values[:, INDEX[name]].view(-1, 1, 1, 1) for name in ("position", "size"))
    half, at = 4 + 1.5 * big, torch.arange(LATENT, device=values.device) + 0.5
    inside = ((at - (4.5 + 3.5 * position)).abs() < half) & ((at.view(-1, 1) - 9).abs() < half)
    weights = 1 + _SPRITE_WEIGHT * inside.float()
    return weights / weights.mean((2, 3), keepdim=True)
