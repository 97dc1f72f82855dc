"""Trains the world's autoencoder on windows of drawn scenes.

Two thirds of the windows lie around the sprite, or smooth backdrops would drown it. Latents are kept near zero mean and
unit variance, and noise on them teaches the decoder to tolerate the UNet's small errors. With a frozen encoder the
decoder alone trains further: all latents, and so all UNets, stay valid.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.draws import pictures, random_scenes
from mmsteer.world.models.autoencoder import CELL, build_autoencoder
from mmsteer.world.models.parts import replace_folder
from mmsteer.world.pairs import to_uint8
from mmsteer.world.training.loop import Budget, Task
from mmsteer.world.training.optimizers import muon_and_adamw
from mmsteer.world.training.pool import PoolSchedule, ScenePool
from mmsteer.world.training.sheet import save_sheet
from mmsteer.world.training.tasks.windows import cut, decodable, windows

CPU = Budget(batch=16, rate=1.5e-3, warm=50, decay=0.75, average=0.998, weight_decay=0.0)
GPU = Budget(batch=160, rate=2e-3, decay=0.75, average=0.998, weight_decay=0.0)
CPU_POOL, GPU_POOL = PoolSchedule(chunk=16, chunks=32, every=3), PoolSchedule(chunk=160, chunks=16)
_WINDOW, _DECODER_WINDOW = 8, 12  # cells a side
_NOISE = 0.2  # the largest standard deviation of the noise on latents
_REGULAR_WEIGHT = 0.01


def picture_loss(rebuilt: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """L1, L2, and L1 of pixel differences and of the picture at half size, where `mask [B, 1, H, W]` is 1."""
    error, share = (rebuilt - wanted) * mask, mask.mean()
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return {
        "l1": error.abs().mean() / share,
        "l2": 4 * error.square().mean() / share,
        "edges": 2 * edges / share,
        "half": F.avg_pool2d(error, 2).abs().mean() / share,
    }


class AutoencoderTask(Task):
    """Reconstruction of windows of pictures; with `decoder_only` the encoder is frozen."""

    name = "autoencoder"

    def __init__(
        self,
        budget: Budget,
        device: torch.device,
        seed: int,
        schedule: PoolSchedule,
        vae: Any = None,
        decoder_only: bool = False,
    ) -> None:
        super().__init__(budget, device, seed)
        self.vae: Any = (vae or build_autoencoder()).to(device, memory_format=torch.channels_last)
        self.model: nn.Module = self.vae
        self.decoder_only = decoder_only
        if decoder_only:
            self.name = "decoder"  # a run of its own, with checkpoints of its own
            self.vae.encoder.requires_grad_(False)
        self.pool = ScenePool(replace(schedule, seed=seed), self._chunk)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon inside, AdamW for the first and last layers of both halves."""
        last = {half: len(getattr(self.vae, half).layers) - 1 for half in ("encoder", "decoder")}
        ends = tuple(f"{half}.layers.{i}." for half, n in last.items() for i in (0, n))
        return muon_and_adamw(self.vae, self.budget.rate, self.budget.weight_decay, ends)

    def _chunk(self, number: int) -> dict[str, torch.Tensor]:
        """Pictures of one chunk as bytes, and their latents where the encoder is frozen."""
        values, _, nuisance = self.pool.schedule.scenes(number)
        drawn = pictures(values, nuisance, self.device)
        tensors = {"pictures": to_uint8(drawn / 2 + 0.5)}
        return tensors | ({"latents": self._encode(drawn)} if self.decoder_only else {})

    def _encode(self, drawn: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
            latents: torch.Tensor = self.vae.encode(drawn).latents.float()
        return latents

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The picture losses of one batch of windows, and how far its latents are from a standard normal distribution."""
        pool, rows = self.pool.at(step), rng.integers(0, len(self.pool.schedule), self.budget.batch)
        cells, side = pool["pictures"].shape[-1] // CELL, _DECODER_WINDOW if self.decoder_only else _WINDOW
        at = windows(rng, self.pool.schedule.rows(step, rows).values, cells, side)
        if self.decoder_only:  # into a corner, so that two of the four edges are edges of the picture
            at = np.where(2 * at > cells - side, cells - side, 0)
        corners, chosen = (torch.from_numpy(x).to(self.device, non_blocking=True) for x in (at, rows))
        wanted = cut(pool["pictures"][chosen], CELL * corners, CELL * side).float() / 127.5 - 1
        wanted = wanted.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            if self.decoder_only:
                latents, mask = cut(pool["latents"][chosen], corners, side), decodable(corners, cells, side)
            else:
                latents, mask = self.vae.encode(wanted).latents.float(), torch.ones_like(wanted[:, :1])
            random: dict[str, Any] = {"generator": generator, "device": self.device}
            noise = torch.randn(latents.shape, **random) * torch.rand((len(rows), 1, 1, 1), **random).square()
            noisy = (latents + _NOISE * noise).contiguous(memory_format=torch.channels_last)
            rebuilt = self.vae.decode(noisy).sample.float()
        return picture_loss(rebuilt, wanted, mask) | ({} if self.decoder_only else {"regular": _regular(latents)})

    def samples(self, path: Path) -> dict[str, float]:
        """Peak signal-to-noise ratio, in decibels, on fresh scenes; and a sheet of twelve, drawn and reconstructed."""
        values, _, nuisance = random_scenes(np.random.default_rng((self.seed, 99)), 64)
        drawn = pictures(values, nuisance, self.device)
        parts = [self.vae.decode(self._encode(part)).sample for part in torch.split(drawn, 16)]
        rebuilt = torch.cat(parts).clamp(-1, 1)
        save_sheet(path, torch.stack([drawn[:12], rebuilt[:12]]))
        return {"psnr": -10 * float(torch.log10(F.mse_loss(rebuilt, drawn) / 4))}

    def export(self, folder: Path) -> None:
        """Write the autoencoder to `vae` in half precision."""
        replace_folder(folder / "vae", self.vae.half().save_pretrained)


def _regular(latents: torch.Tensor) -> torch.Tensor:
    """How far latents `[B, C, h, w]` are from zero mean and unit variance."""
    mean, variance = latents.mean((0, 2, 3)), latents.var((0, 2, 3))
    return _REGULAR_WEIGHT * (mean.square().mean() + (variance + 1e-4).log().square().mean())
