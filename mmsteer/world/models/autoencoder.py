"""The world's autoencoder: an ordinary AutoencoderTiny, 16 times down, 16 latent channels.

Trained on windows, two thirds of them around the sprite, or smooth backdrops would drown it. Latents are kept near zero
mean and unit variance, and noise on them teaches the decoder to forgive the UNet's small mistakes. With a frozen encoder
the decoder alone learns on: every latent, and so every UNet, stays valid.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.draws import pictures, random_scenes
from mmsteer.world.factors import INDEX
from mmsteer.world.pairs import to_uint8
from mmsteer.world.sheet import save_sheet
from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.loop import Budget, Task
from mmsteer.world.training.optimizers import muon_and_adamw
from mmsteer.world.training.pool import Pool, Ring

CHANNELS = 16  # of a latent
CELL = 16  # pixels a side of what one latent stands for
CPU = Budget(batch=16, rate=1.5e-3, warm=50, decay=0.75, average=0.998, weight_decay=0.0)
GPU = Budget(batch=160, rate=2e-3, decay=0.75, average=0.998, weight_decay=0.0)
CPU_RING, GPU_RING = Ring(chunk=16, chunks=32, every=3), Ring(chunk=160, chunks=16)
_WINDOW, _DECODER_WINDOW = 8, 12  # cells a side
_BORDER = 24  # pixels at a window's inner edges that a decoder without the cells beyond cannot know
_NOISE = 0.2  # the largest standard deviation of the noise on latents
_REGULAR_WEIGHT = 0.01


@dataclass(frozen=True)
class Shape:
    """Widths and blocks of the two halves; per level, from full resolution down in the encoder and up in the decoder."""

    encoder_width: int = 40
    encoder_blocks: tuple[int, ...] = (0, 1, 1, 3, 3)
    decoder_width: int = 48
    decoder_blocks: tuple[int, ...] = (8, 10, 2, 0, 0)
    """Most of the work at low resolution, where it is cheap."""


def build_autoencoder(shape: Shape = Shape()) -> Any:  # noqa: B008 (frozen)
    """An untrained AutoencoderTiny of the world's shape."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        latent_channels=CHANNELS,
        encoder_block_out_channels=(shape.encoder_width,) * len(shape.encoder_blocks),
        decoder_block_out_channels=(shape.decoder_width,) * len(shape.decoder_blocks),
        num_encoder_blocks=shape.encoder_blocks,
        num_decoder_blocks=shape.decoder_blocks,
        scaling_factor=1.0,
    )


def windows(rng: np.random.Generator, values: np.ndarray, cells: int, side: int) -> np.ndarray:
    """Upper left corners (x, y) of windows `side` cells wide in pictures `cells` wide, `int64 [2, B]`: two thirds of them
    around the sprite, the others anywhere. `values int64 [B, n_factors]`.
    """
    count, room = len(values), cells - side
    across = 4.5 + 3.5 * values[:, INDEX["position"]]  # middle of the sprite, in cells of a picture 16 wide
    down = 9 - 0.5 * values[:, INDEX["size"]]
    near = np.rint(np.stack([across, down]) * (cells / 16) - side / 2 + rng.integers(-2, 3, (2, count)))
    sprite = rng.random(count) < 2 / 3
    return np.where(sprite, near.clip(0, room), rng.integers(0, room + 1, (2, count))).astype(np.int64)


def cut(whole: torch.Tensor, corners: torch.Tensor, side: int) -> torch.Tensor:
    """Windows `[B, C, side, side]` of `whole [B, C, H, W]` with upper left corners (x, y) `int64 [2, B]`."""
    span = torch.arange(side, device=whole.device)
    x, y = (corners[:, :, None] + span).unbind()
    row = torch.arange(len(whole), device=whole.device)[:, None, None]
    return whole.permute(0, 2, 3, 1)[row, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def known(corners: torch.Tensor, cells: int, side: int, cell: int = CELL) -> torch.Tensor:
    """1 where a window decoded alone must be right, 0 along its inner edges, `float32 [B, 1, side * cell, side * cell]`.

    `corners int64 [2, B]` in cells. At the picture's own edges it is right up to the last pixel.
    """
    at = torch.arange(side * cell, device=corners.device)
    before, after = (corners[..., None] > 0), (corners[..., None] + side < cells)
    inside = ~((before & (at < _BORDER)) | (after & (at >= side * cell - _BORDER)))
    across, down = inside.float().unbind()
    return (down[:, :, None] * across[:, None, :])[:, None]


def picture_loss(rebuilt: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """L1, L2, L1 of the differences between neighbours and of the picture half the size, where `mask [B, 1, H, W]` is 1."""
    error, share = (rebuilt - wanted) * mask, mask.mean()
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return {
        "l1": error.abs().mean() / share,
        "l2": 4 * error.square().mean() / share,
        "edges": 2 * edges / share,
        "half": F.avg_pool2d(error, 2).abs().mean() / share,
    }


class AutoencoderTask(Task):
    """Pictures rebuilt from their own latents, window by window; with `decoder_only` the encoder is not touched."""

    name = "autoencoder"

    def __init__(
        self, budget: Budget, device: torch.device, seed: int, ring: Ring, vae: Any = None, decoder_only: bool = False
    ) -> None:
        super().__init__(budget, device, seed)
        self.vae: Any = (vae or build_autoencoder()).to(device, memory_format=torch.channels_last)
        self.model: nn.Module = self.vae
        self.decoder_only = decoder_only
        if decoder_only:
            self.name = "decoder"  # a run of its own, with checkpoints of its own
            self.vae.encoder.requires_grad_(False)
        self.pool = Pool(replace(ring, seed=seed), self._chunk)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        last = {half: len(getattr(self.vae, half).layers) - 1 for half in ("encoder", "decoder")}
        ends = tuple(f"{half}.layers.{i}." for half, n in last.items() for i in (0, n))
        return muon_and_adamw(self.vae, self.budget.rate, self.budget.weight_decay, ends)

    def _chunk(self, number: int) -> dict[str, torch.Tensor]:
        values, _, chance = self.pool.ring.scenes(number)
        seen = pictures(values, chance, self.device)
        kept = {"pictures": to_uint8(seen / 2 + 0.5)}
        return kept | ({"latents": self._encode(seen)} if self.decoder_only else {})

    def _encode(self, seen: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
            return self.vae.encode(seen).latents.float()

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pool, rows = self.pool.at(step), rng.integers(0, len(self.pool.ring), self.budget.batch)
        cells, side = pool["pictures"].shape[-1] // CELL, _DECODER_WINDOW if self.decoder_only else _WINDOW
        at = windows(rng, self.pool.ring.rows(step, rows).values, cells, side)
        if self.decoder_only:  # into a corner, so that two edges of four are the picture's own
            at = np.where(2 * at > cells - side, cells - side, 0)
        corners, chosen = (torch.from_numpy(x).to(self.device, non_blocking=True) for x in (at, rows))
        wanted = cut(pool["pictures"][chosen], CELL * corners, CELL * side).float() / 127.5 - 1
        wanted = wanted.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            if self.decoder_only:
                latents, mask = cut(pool["latents"][chosen], corners, side), known(corners, cells, side)
            else:
                latents, mask = self.vae.encode(wanted).latents.float(), torch.ones_like(wanted[:, :1])
            random: dict[str, Any] = {"generator": generator, "device": self.device}
            noise = torch.randn(latents.shape, **random) * torch.rand((len(rows), 1, 1, 1), **random).square()
            noisy = (latents + _NOISE * noise).contiguous(memory_format=torch.channels_last)
            rebuilt = self.vae.decode(noisy).sample.float()
        return picture_loss(rebuilt, wanted, mask) | ({} if self.decoder_only else {"regular": _regular(latents)})

    def samples(self, path: Path) -> dict[str, float]:
        """Peak signal to noise, in decibel, of whole fresh scenes; twelve of them as drawn and as rebuilt."""
        values, _, chance = random_scenes(np.random.default_rng((self.seed, 99)), 64)
        drawn = pictures(values, chance, self.device)
        rebuilt = torch.cat([self.vae.decode(self._encode(part)).sample for part in drawn.split(16)]).clamp(-1, 1)
        save_sheet(path, torch.stack([drawn[:12], rebuilt[:12]]))
        return {"psnr": -10 * float(torch.log10(F.mse_loss(rebuilt, drawn) / 4))}

    def export(self, folder: Path) -> None:
        replace_folder(folder / "vae", self.vae.half().save_pretrained)


def _regular(latents: torch.Tensor) -> torch.Tensor:
    """How far latents `[B, C, h, w]` are from zero mean and unit variance."""
    mean, variance = latents.mean((0, 2, 3)), latents.var((0, 2, 3))
    return _REGULAR_WEIGHT * (mean.square().mean() + (variance + 1e-4).log().square().mean())
