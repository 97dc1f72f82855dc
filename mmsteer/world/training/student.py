"""The student: the teacher's UNet taught to draw in 4 steps without guidance.

It follows the teacher's guided flow (guidance distillation, Meng et al., 2210.03142) over several of the teacher's steps
at once (progressive distillation, Salimans & Ho, 2202.00512), from the states that it draws itself (as in DAgger,
Ross et al., 1011.0686), so that it learns to put its own mistakes right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor

from mmsteer.models.backbone import STEERABLE
from mmsteer.world.models.null_space import SETTLING, blind, settle
from mmsteer.world.models.parts import read_clip, read_unet
from mmsteer.world.models.unet import GUIDANCE, LATENT, SHIFT, STUDENT_STEPS, build_scheduler, guided, velocity
from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.conditioning import Conditioning, Counts
from mmsteer.world.training.conditions import Conditions
from mmsteer.world.training.latents import SceneReader
from mmsteer.world.training.loop import Budget
from mmsteer.world.training.pool import Ring
from mmsteer.world.training.unet_task import UnetTask

CPU = Budget(batch=24, rate=5e-4, warm=50, decay=0.7, average=0.99)
GPU = Budget(batch=512, rate=1e-3, warm=50, decay=0.7, average=0.995)
# the chunks of a student's pool last as many rollouts, not steps
CPU_RING, GPU_RING = Ring(chunk=24, chunks=20, every=8), Ring(chunk=256, chunks=64, every=2)
_TEACHER_STEPS = 4  # of the teacher in one of the student's


@dataclass(frozen=True)
class Settling:
    """How the pooled reading is settled at the export."""

    steps: int = SETTLING
    batch: int = 48
    ring: Ring = Ring(chunk=64, chunks=8)
    """The scenes it reads conditions of, always the same."""


def follow(
    flow: Callable[[torch.Tensor, float], torch.Tensor], state: torch.Tensor, start: float, end: float
) -> torch.Tensor:
    """Where `flow(state, share)` leads a state from noise share `start` to `end`: Adams-Bashforth of order 2.

    The steps are even in time before its shift towards noise, as those of the scheduler are.
    """
    first, last = (share / (SHIFT - (SHIFT - 1) * share) for share in (start, end))
    evenly = np.linspace(first, last, _TEACHER_STEPS + 1)
    shares = [float(share) for share in SHIFT * evenly / (1 + (SHIFT - 1) * evenly)]
    before, length = None, 0.0
    for share, following in zip(shares[:-1], shares[1:], strict=True):
        now, step = flow(state, share), following - share
        slope = now if before is None else now + 0.5 * step / length * (now - before)
        state, before, length = state + step * slope, now, step
    return state


class StudentTask(UnetTask):
    """Mean squared error between the student's velocity and the way its teacher goes from the student's own state."""

    name, part = "student", "unet"
    steps, guidance = STUDENT_STEPS, 1.0
    rollout = STUDENT_STEPS

    def __init__(
        self, budget: Budget, device: torch.device, seed: int, ring: Ring, unet: Any, clip: Any, tokenizer: Any, vae: Any,
        teacher: Any, workers: int = 0, counts: Counts = Counts(),  # noqa: B008 (frozen)
        settling: Settling = Settling(),  # noqa: B008
    ) -> None:  # fmt: skip
        super().__init__(budget, device, seed, ring, unet, clip, tokenizer, vae, workers, counts)
        self.teacher = teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        if device.type == "cpu":
            self.teacher.set_attn_processor(AttnProcessor())
        self.empty = self.conditions.read([""])[0]
        scheduler = build_scheduler(solver_order=1)
        scheduler.set_timesteps(STUDENT_STEPS)
        self.shares = [float(s) for s in scheduler.sigmas]
        self.times = [float(t) / 1000 for t in scheduler.timesteps]  # what the UNet is given for them, rounded down
        self._settling = settling

    def _chunk(self, ring: Ring, number: int) -> dict[str, torch.Tensor]:
        return self.reader.chunk(ring, number, latents=False)

    def target(self, state: torch.Tensor, hidden: torch.Tensor, i: int) -> torch.Tensor:
        """The velocity that leads `state [B, C, 16, 16]` in the student's step `i` where the teacher would come to."""
        start, end = self.shares[i : i + 2]
        empty = self.empty.expand_as(hidden)

        def flow(at: torch.Tensor, share: float) -> torch.Tensor:
            return guided(self.teacher, at, at.new_full((len(at),), share), hidden, empty, GUIDANCE)

        with torch.no_grad():
            return (state - follow(flow, state, start, end)) / (start - end)

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        self.keep_blind(step)
        rollout, i = divmod(step, STUDENT_STEPS)
        if i == 0:
            words = self.words.get(rollout)
            _, self._hidden = self.conditioning(words, self.pool.at(rollout), generator, wide=True)
            shape = len(self._hidden), self.unet.config.in_channels, LATENT, LATENT
            self._state = torch.randn(shape, generator=generator, device=self.device)
        target = self.target(self._state, self._hidden, i)
        share = self._state.new_full((len(self._state),), self.times[i])
        said = velocity(self.unet, self._state, share, self._hidden)
        self._state = self._state - (self.shares[i] - self.shares[i + 1]) * said.detach()
        return {"loss": F.mse_loss(said, target)}

    def export(self, folder: Path) -> None:
        print(f"{self.name}  settling its pooled reading", flush=True)
        blind(self.unet, self.undrawn)
        standing = self.conditioning.standing(self.reader, self._settling.ring, self._settling.batch)
        settle(self.unet, self.undrawn, standing, self._settling.steps)
        self.unet.register_to_config(**{STEERABLE: True})
        replace_folder(folder / self.part, self.unet.half().save_pretrained)


def settle_folder(
    unet: Path,
    clip: Path,
    out: Path,
    settling: Settling = Settling(),
    counts: Counts = Counts(),  # noqa: B008 (frozen)
) -> None:
    """Blind and settle the UNet in one folder for the CLIP in another, and write it to `out` in half precision.

    SteerError where one of them cannot be read.
    """
    model, device = read_unet(unet), torch.device("cpu")
    conditions = Conditions(*read_clip(clip), device)
    reader, undrawn = SceneReader(conditions.clip, None, device), conditions.undrawn(counts.undrawn)
    blind(model, undrawn)
    standing = Conditioning(conditions, reader, counts).standing(reader, settling.ring, settling.batch)
    settle(model, undrawn, standing, settling.steps)
    replace_folder(out, model.half().save_pretrained)
