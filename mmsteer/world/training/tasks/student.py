"""Trains the student: the teacher's UNet distilled to draw in 4 steps without guidance.

It follows the teacher's guided flow (guidance distillation, Meng et al., 2210.03142) over several of the teacher's steps
at once (progressive distillation, Salimans & Ho, 2202.00512), from states that the student has drawn itself (as in
DAgger, Ross et al., 1011.0686), so that it learns to correct its own errors.
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
from mmsteer.world.models.null_space import project_out, train_pooled_invariance
from mmsteer.world.models.parts import read_clip, read_unet, replace_folder
from mmsteer.world.models.unet import GUIDANCE, LATENT, SHIFT, STUDENT_STEPS, build_scheduler, guided_velocity, velocity
from mmsteer.world.training.caption_encoder import CaptionEncoder
from mmsteer.world.training.conditioning import Conditioning, Counts
from mmsteer.world.training.loop import Budget
from mmsteer.world.training.pool import PoolSchedule
from mmsteer.world.training.scene_reader import SceneReader
from mmsteer.world.training.tasks.unet import UnetTask

CPU = Budget(batch=24, rate=5e-4, warm=50, decay=0.7, average=0.99)
GPU = Budget(batch=512, rate=1e-3, warm=50, decay=0.7, average=0.995)
# A student's pool counts rollouts, not steps
CPU_POOL = PoolSchedule(chunk=24, chunks=20, every=8)
GPU_POOL = PoolSchedule(chunk=256, chunks=64, every=2)
_TEACHER_STEPS = 4  # of the teacher in one step of the student


@dataclass(frozen=True)
class PooledInvariance:
    """How the pooled text embedding is trained at the export (`train_pooled_invariance`)."""

    steps: int = 2000
    batch: int = 48
    schedule: PoolSchedule = PoolSchedule(chunk=64, chunks=8)
    """The scenes whose conditions it reads; they are never replaced."""


def follow(
    flow: Callable[[torch.Tensor, float], torch.Tensor], state: torch.Tensor, start: float, end: float
) -> torch.Tensor:
    """Integrate a flow by Adams-Bashforth of order 2.

    The steps are even in time before its shift towards noise, like those of the scheduler.

    Args:
        flow: The velocity at a state and a noise share.
        state: Where to start, `[B, C, 16, 16]`.
        start: Noise share of `state`.
        end: Noise share of the result.

    Returns:
        The state at `end`, in the shape of `state`.
    """
    first, last = (share / (SHIFT - (SHIFT - 1) * share) for share in (start, end))
    times = np.linspace(first, last, _TEACHER_STEPS + 1)
    shares = [float(share) for share in SHIFT * times / (1 + (SHIFT - 1) * times)]
    before, length = None, 0.0
    for share, following in zip(shares[:-1], shares[1:], strict=True):
        now, step = flow(state, share), following - share
        slope = now if before is None else now + 0.5 * step / length * (now - before)
        state, before, length = state + step * slope, now, step
    return state


class StudentTask(UnetTask):
    """Mean squared error between the student's velocity and the line to where its teacher leads from the same state.

    Arguments are those of `UnetTask`, and the `teacher` and how the pooled text embedding becomes invariant at the end.
    """

    name, part = "student", "unet"
    steps, guidance = STUDENT_STEPS, 1.0
    rollout = STUDENT_STEPS

    def __init__(
        self, budget: Budget, device: torch.device, seed: int, schedule: PoolSchedule, unet: Any, clip: Any, tokenizer: Any,
        vae: Any, teacher: Any, workers: int = 0, counts: Counts = Counts(),  # noqa: B008 (frozen)
        invariance: PooledInvariance = PooledInvariance(),  # noqa: B008
    ) -> None:  # fmt: skip
        super().__init__(budget, device, seed, schedule, unet, clip, tokenizer, vae, workers, counts)
        self.teacher = teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        if device.type == "cpu":
            self.teacher.set_attn_processor(AttnProcessor())
        self.empty = self.encoder.encode([""]).hidden
        scheduler = build_scheduler(solver_order=1)
        scheduler.set_timesteps(STUDENT_STEPS)
        self.shares = [float(s) for s in scheduler.sigmas]
        self.times = [float(t) / 1000 for t in scheduler.timesteps]  # the UNet reads them rounded down
        self._invariance = invariance

    def _chunk(self, schedule: PoolSchedule, number: int) -> dict[str, torch.Tensor]:
        return self.reader.chunk(schedule, number, latents=False)

    def target(self, state: torch.Tensor, hidden: torch.Tensor, i: int) -> torch.Tensor:
        """The velocity that leads `state [B, C, 16, 16]` in the student's step `i` to where the teacher would lead it."""
        start, end = self.shares[i : i + 2]
        empty = self.empty.expand_as(hidden)

        def flow(at: torch.Tensor, share: float) -> torch.Tensor:
            return guided_velocity(self.teacher, at, at.new_full((len(at),), share), hidden, empty, GUIDANCE)

        with torch.no_grad():
            return (state - follow(flow, state, start, end)) / (start - end)

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The distillation loss of one step of a rollout; the student's own step leads to the next state."""
        self.project_out_language(step)
        rollout, i = divmod(step, STUDENT_STEPS)
        if i == 0:
            arrays = self.batches.get(rollout)
            _, self._hidden = self.conditioning(arrays, self.pool.at(rollout), generator, wide=True)
            shape = len(self._hidden), self.unet.config.in_channels, LATENT, LATENT
            self._state = torch.randn(shape, generator=generator, device=self.device)
        target = self.target(self._state, self._hidden, i)
        share = self._state.new_full((len(self._state),), self.times[i])
        predicted = velocity(self.unet, self._state, share, self._hidden)
        self._state = self._state - (self.shares[i] - self.shares[i + 1]) * predicted.detach()
        return {"loss": F.mse_loss(predicted, target)}

    def export(self, folder: Path) -> None:
        """Write the UNet to `unet` in half precision, projected, its pooled embedding invariant, marked as steerable."""
        print(f"{self.name}  making its pooled text embedding invariant", flush=True)
        _make_invariant(self.unet, self.language_directions, self.conditioning, self.reader, self._invariance)
        self.unet.register_to_config(**{STEERABLE: True})
        replace_folder(folder / self.part, self.unet.half().save_pretrained)


def _make_invariant(
    unet: Any, directions: torch.Tensor, conditioning: Conditioning, reader: SceneReader, invariance: PooledInvariance
) -> None:
    """Project directions out of a UNet and train its pooled text embedding to ignore what is left of them."""
    project_out(unet, directions)
    conditions = conditioning.of_fixed_scenes(reader, invariance.schedule, invariance.batch)
    train_pooled_invariance(unet, directions, conditions, invariance.steps)


def project_folder(
    unet: Path,
    clip: Path,
    out: Path,
    invariance: PooledInvariance = PooledInvariance(),  # noqa: B008 (frozen)
    counts: Counts = Counts(),  # noqa: B008
) -> None:
    """Make a UNet independent of language factors, as the student is at its export, without training it further.

    Args:
        unet: Folder of the UNet.
        clip: Folder of the CLIP that conditions it.
        out: Folder to replace with the result, in half precision.
        invariance: How the pooled text embedding is trained.
        counts: On how many captions and scenes constants are measured.

    Raises:
        SteerError: If one of the models is missing or damaged.
    """
    model, device = read_unet(unet), torch.device("cpu")
    encoder = CaptionEncoder(*read_clip(clip), device)
    reader, directions = SceneReader(encoder.clip, None, device), encoder.language_directions(counts.language)
    _make_invariant(model, directions, Conditioning(encoder, reader, counts), reader, invariance)
    replace_folder(out, model.half().save_pretrained)
