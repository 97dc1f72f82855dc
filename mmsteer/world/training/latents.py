"""Scenes as a UNet of the world trains on them: latents of the autoencoder, embeddings of CLIP."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.draws import other_look, pictures, shrink
from mmsteer.world.training.pool import Ring

_BATCH = 256  # pictures read together


class SceneReader:
    """Frozen models that read drawn scenes: CLIP, and the autoencoder where latents are asked for."""

    def __init__(self, clip: Any, vae: Any, device: torch.device) -> None:
        self.clip, self.device = clip.to(device).eval(), device
        self.vae: Any = vae and vae.to(device, memory_format=torch.channels_last).eval()

    @torch.no_grad()
    def embed(self, seen: torch.Tensor) -> torch.Tensor:
        """Pictures `[B, 3, S, S]` in [-1, 1] -> unit embeddings `[B, d_joint]`."""
        with torch.autocast(self.device.type, torch.bfloat16):
            x = self.clip.get_image_features(shrink(seen)).pooler_output
        return F.normalize(x.float(), dim=-1)

    @torch.no_grad()
    def image_norm(self, values: np.ndarray, chance: np.ndarray) -> float:
        """How long CLIP's embeddings of drawn scenes are before they are brought to unit length, on average."""
        seen = shrink(pictures(values, chance, self.device))
        return float(self.clip.get_image_features(seen).pooler_output.norm(dim=-1).mean())

    def look(self, values: np.ndarray, chance: np.ndarray) -> torch.Tensor:
        """Embeddings of any number of drawn scenes, `[N, d_joint]`."""
        parts = [slice(i, i + _BATCH) for i in range(0, len(values), _BATCH)]
        return torch.cat([self.embed(pictures(values[rows], chance[rows], self.device)) for rows in parts])

    @torch.no_grad()
    def encode(self, seen: torch.Tensor) -> torch.Tensor:
        """Pictures `[B, 3, 256, 256]` in [-1, 1] -> latents `[B, C, 16, 16]`."""
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.vae.encode(seen).latents

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents `[B, C, 16, 16]` -> pictures `[B, 3, 256, 256]` in [-1, 1]."""
        return self.vae.decode(latents.contiguous(memory_format=torch.channels_last)).sample.clamp(-1, 1)

    def chunk(self, ring: Ring, number: int, latents: bool) -> dict[str, torch.Tensor]:
        """What the pool keeps of one chunk: `image` and `twin` `[n, d_joint]`, and, if asked for, `latents [n, C, 16, 16]`.

        A twin is the same scene with its vision factors drawn anew: the difference of the two embeddings is what a
        vision-only feature means.
        """
        values, _, chance = ring.scenes(number)
        seen = pictures(values, chance, self.device)
        twin = other_look(np.random.default_rng((ring.seed, 3, number)), values)
        kept = {"image": self.embed(seen), "twin": self.embed(pictures(twin, chance, self.device))}
        return kept | ({"latents": self.encode(seen).half()} if latents else {})
