"""Drawn scenes as UNet training reads them: latents of the autoencoder, embeddings of CLIP."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.draws import pictures, redraw_vision_factors, shrink
from mmsteer.world.training.pool import PoolSchedule

_BATCH = 256  # pictures embedded together


class SceneReader:
    """Frozen models that read pictures.

    Args:
        clip: A CLIPModel.
        vae: An AutoencoderTiny; None where no latents are needed.
        device: Where they run.
    """

    def __init__(self, clip: Any, vae: Any, device: torch.device) -> None:
        self.clip, self.device = clip.to(device).eval(), device
        self.vae: Any = vae and vae.to(device, memory_format=torch.channels_last).eval()

    @torch.no_grad()
    def embed(self, drawn: torch.Tensor) -> torch.Tensor:
        """Pictures `[B, 3, S, S]` in [-1, 1] to unit embeddings `[B, d_joint]`."""
        with torch.autocast(self.device.type, torch.bfloat16):
            x = self.clip.get_image_features(shrink(drawn)).pooler_output
        return F.normalize(x.float(), dim=-1)

    @torch.no_grad()
    def image_norm(self, values: np.ndarray, nuisance: np.ndarray) -> float:
        """Mean length of CLIP's embeddings of scenes before they are scaled to unit length."""
        small = shrink(pictures(values, nuisance, self.device))
        return float(self.clip.get_image_features(small).pooler_output.norm(dim=-1).mean())

    def embed_scenes(self, values: np.ndarray, nuisance: np.ndarray) -> torch.Tensor:
        """Embeddings of any number of scenes, `[N, d_joint]`."""
        parts = [slice(i, i + _BATCH) for i in range(0, len(values), _BATCH)]
        return torch.cat([self.embed(pictures(values[rows], nuisance[rows], self.device)) for rows in parts])

    @torch.no_grad()
    def encode(self, drawn: torch.Tensor) -> torch.Tensor:
        """Pictures `[B, 3, 256, 256]` in [-1, 1] to latents `[B, C, 16, 16]`."""
        with torch.autocast(self.device.type, torch.bfloat16):
            latents: torch.Tensor = self.vae.encode(drawn).latents
        return latents

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents `[B, C, 16, 16]` to pictures `[B, 3, 256, 256]` in [-1, 1]."""
        decoded: torch.Tensor = self.vae.decode(latents.contiguous(memory_format=torch.channels_last)).sample
        return decoded.clamp(-1, 1)

    def chunk(self, schedule: PoolSchedule, number: int, latents: bool) -> dict[str, torch.Tensor]:
        """The tensors of one chunk of a pool.

        A counterfactual is the same scene with other vision factors: the difference of the two embeddings is what a
        vision-only feature means.

        Args:
            schedule: The pool's schedule.
            number: The chunk's number.
            latents: Whether to encode pictures as well.

        Returns:
            `image` and `counterfactual` `[n, d_joint]`; with `latents` also `latents [n, C, 16, 16]` in half precision.
        """
        values, _, nuisance = schedule.scenes(number)
        drawn = pictures(values, nuisance, self.device)
        changed = redraw_vision_factors(np.random.default_rng((schedule.seed, 3, number)), values)
        tensors = {
            "image": self.embed(drawn),
            "counterfactual": self.embed(pictures(changed, nuisance, self.device)),
        }
        return tensors | ({"latents": self.encode(drawn).half()} if latents else {})
