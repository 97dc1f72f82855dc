"""The world's autoencoder: an ordinary AutoencoderTiny, 8 times down, 12 latent channels.

Trained on 64-pixel crops on the 8-pixel grid, two thirds of them around the sprite, or smooth backdrops would drown
it. Latents are kept near zero mean and unit variance, and a little noise on them teaches the decoder to forgive the
UNet's small mistakes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.factors import INDEX
from mmsteer.world.pairs import DrawnScenes, to_uint8
from mmsteer.world.training import Budget, Task

CHANNELS = 12  # of a latent
_WIDTH = 32
_CROP = 64


def build_autoencoder() -> Any:
    """An untrained AutoencoderTiny of the world's shape: most of the work below full resolution, where it is cheap."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        latent_channels=CHANNELS,
        encoder_block_out_channels=(_WIDTH,) * 4,
        decoder_block_out_channels=(_WIDTH,) * 4,
        num_encoder_blocks=(0, 1, 3, 3),
        num_decoder_blocks=(4, 4, 1, 0),
        scaling_factor=1.0,
    )


def _differences(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


class AutoencoderTask(Task):
    """L1 + L2 + L1 of the differences between neighbouring pixels, on crops."""

    name = "autoencoder"

    def __init__(self, scenes: DrawnScenes, steps: int = 6000, device: str = "cpu") -> None:
        self.budget = Budget(steps=steps, batch=32, rate=2e-3, decay=0.5, average=0.998, weight_decay=0.0)
        self.scenes, self.device = scenes, device
        torch.manual_seed(0)
        self.vae: Any = build_autoencoder().to(memory_format=torch.channels_last)
        self.model: nn.Module = self.vae

    def _crops(self, rng: np.random.Generator) -> torch.Tensor:
        """Crops `[B, 3, 64, 64]` in [-1, 1], corners on the grid of 8, two thirds of them around the sprite."""
        rows = rng.integers(0, len(self.scenes), self.budget.batch)
        middle = 32 * self.scenes.values[rows, INDEX["position"]]
        near = np.clip(middle + 8 * rng.integers(-2, 3, len(rows)), 0, 64)
        low = 24 + 8 * rng.integers(0, 3, len(rows))
        anywhere = 8 * rng.integers(0, 9, (2, len(rows)))
        sprite = rng.random(len(rows)) < 2 / 3
        x, y = np.where(sprite, near, anywhere[0]), np.where(sprite, low, anywhere[1])
        crops = np.stack([
            self.scenes.pictures[r, :, b : b + _CROP, a : a + _CROP] for r, a, b in zip(rows, x, y, strict=True)
        ])  # fmt: skip
        return torch.from_numpy(crops).float() / 127.5 - 1

    def loss(self, rng: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
        crops = self._crops(rng).to(self.device)
        crops = crops.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16):
            latents = self.vae.encode(crops).latents.float()
            noisy = latents + 0.05 * torch.randn(latents.shape, generator=generator).to(self.device)
            rebuilt = self.vae.decode(noisy).sample.float()
        error = rebuilt - crops
        edges = sum((a - b).abs().mean() for a, b in zip(_differences(rebuilt), _differences(crops), strict=True))
        mean, variance = latents.mean((0, 2, 3)), latents.var((0, 2, 3))
        regular = mean.square().mean() + (variance + 1e-4).log().square().mean()
        self.parts = {"psnr": -10 * np.log10(error.square().mean().item() / 4), "regular": regular.item()}
        return error.abs().mean() + 4 * error.square().mean() + edges + 0.01 * regular

    def samples(self, folder: Path, step: int) -> None:
        from PIL import Image

        folder.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            pictures = self.scenes.floats(np.arange(32)).to(self.device)
            rebuilt = self.vae.decode(self.vae.encode(pictures).latents).sample.clamp(-1, 1)
        psnr = -10 * torch.log10(F.mse_loss(rebuilt, pictures) / 4).item()
        print(
            f"    psnr of crops in training {self.parts['psnr']:.1f}, of whole pictures {psnr:.2f} dB; regular {self.parts['regular']:.2f}",
            flush=True,
        )
        both = torch.cat([pictures[:12], rebuilt[:12]]).cpu()
        sheet = to_uint8(both / 2 + 0.5).view(2, 12, 3, 128, 128).permute(0, 3, 1, 4, 2).reshape(256, 12 * 128, 3)
        Image.fromarray(sheet.numpy()).save(folder / f"{step:07d}.png")

    def export(self, folder: Path) -> None:
        self.vae.half().save_pretrained(folder / "vae")
