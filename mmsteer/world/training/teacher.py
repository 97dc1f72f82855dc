"""The teacher: the world's UNet trained by flow matching, drawn in 12 guided steps."""

from typing import Any

import numpy as np
import torch

from mmsteer.world.factors import INDEX
from mmsteer.world.models.unet import GUIDANCE, LATENT, TEACHER_STEPS, velocity
from mmsteer.world.training.loop import Budget
from mmsteer.world.training.pool import Ring
from mmsteer.world.training.unet_task import UnetTask

CPU = Budget(batch=48, rate=1e-3, warm=50, average=0.998)
GPU = Budget(batch=1024, rate=2e-3, average=0.999)
CPU_RING, GPU_RING = Ring(chunk=24, chunks=20, every=4), Ring(chunk=256, chunks=128)
_SPRITE_WEIGHT = 3.0  # extra weight of the cells that hold the sprite: most of the work, least of the area


class TeacherTask(UnetTask):
    """Velocity matching (Lipman et al., 2210.02747) with logit-normal times (Esser et al., 2403.03206)."""

    name, part = "teacher", "teacher"
    steps, guidance = TEACHER_STEPS, GUIDANCE

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        self.keep_blind(step)
        pool = self.pool.at(step)
        batch, hidden = self.conditioning(self.words.get(step), pool, generator)
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
    """Flow matching on latents `clean [B, C, 16, 16]` of scenes `values [B, n_factors]`, given `hidden [B, T, d_text]` and, for
    a UNet with an adapter, embeddings `image [B, d_joint]`.
    """
    noise = torch.randn(clean.shape, generator=generator, device=clean.device)
    share = noise_shares(len(clean), generator)
    noisy = torch.lerp(clean, noise, share.view(-1, 1, 1, 1))
    error = (velocity(unet, noisy, share, hidden, image) - (noise - clean)).square()
    return (error * sprite_weights(values)).mean()


def noise_shares(count: int, generator: torch.Generator) -> torch.Tensor:
    """Noise shares `s [count]`: logit-normal, and 15 % spread over the noisiest twentieth.

    Latents of these scenes are so redundant that thing and place show through at s = 0.9; only above that has the
    caption anything to say. So the times lie far towards noise (the timestep shift of 2403.03206, section 5.3.2).
    """
    random: dict[str, Any] = {"generator": generator, "device": generator.device}
    share = torch.sigmoid(1.2 + 1.4 * torch.randn(count, **random))
    noisiest = 1 - 0.05 * torch.rand(count, **random)
    return torch.where(torch.rand(count, **random) < 0.15, noisiest, share)


def sprite_weights(values: torch.Tensor) -> torch.Tensor:
    """Weights of latent cells `[B, 1, 16, 16]`, mean 1 over a picture: more where the sprite stands; `values [B, n_factors]`."""
    position, big = (values[:, INDEX[name]].view(-1, 1, 1, 1) for name in ("position", "size"))
    half, at = 4 + 1.5 * big, torch.arange(LATENT, device=values.device) + 0.5
    inside = ((at - (4.5 + 3.5 * position)).abs() < half) & ((at.view(-1, 1) - 9).abs() < half)
    weights = 1 + _SPRITE_WEIGHT * inside.float()
    return weights / weights.mean((2, 3), keepdim=True)
