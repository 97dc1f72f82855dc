"""Trains an image adapter beside a frozen, ordinary UNet."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from mmsteer.models.image_adapter import Weights, attach
from mmsteer.world.draws import pictures, random_scenes
from mmsteer.world.models.adapter import FILE, attention_layers, initial_weights, weights_of
from mmsteer.world.models.parts import replace_folder
from mmsteer.world.models.unet import GUIDANCE, LATENT, TEACHER_STEPS, draw_latents
from mmsteer.world.training.condition_batches import CAPTIONS_ALONE
from mmsteer.world.training.loop import Budget
from mmsteer.world.training.pool import PoolSchedule
from mmsteer.world.training.sheet import save_sheet
from mmsteer.world.training.tasks.teacher import flow_loss
from mmsteer.world.training.tasks.unet import UnetTask

CPU = Budget(batch=48, rate=2e-3, warm=30, average=0.99)
GPU = Budget(batch=512, rate=2e-3, warm=50, average=0.995)
CPU_POOL, GPU_POOL = PoolSchedule(chunk=24, chunks=40, every=6), PoolSchedule(chunk=256, chunks=128)
_SAMPLES = 8  # scenes on a sheet
_NORM_SCENES = 64  # scenes on which the length of embeddings is measured
_DROPPED = 0.1  # share of pictures whose image embedding is dropped, for guidance


class AdapterTask(UnetTask):
    """The ordinary UNet's loss, given the embedding of the picture as well; only the adapter is trained."""

    name = part = "adapter"
    steps, guidance = TEACHER_STEPS, GUIDANCE
    condition_shares = CAPTIONS_ALONE

    def __init__(self, *arguments: Any, weights: Weights | None = None, **options: Any) -> None:
        """Attach an adapter of `weights`, else of initial ones; all other arguments are those of `UnetTask`."""
        super().__init__(*arguments, **options)
        self.unet.requires_grad_(False)
        attach(self.unet, weights or initial_weights(self.unet, self.encoder.clip.config.projection_dim))
        self.model = (
            nn.ModuleList([self.unet.encoder_hid_proj, *attention_layers(self.unet)])
            .to(self.device)
            .requires_grad_(True)
        )
        scenes = random_scenes(np.random.default_rng(0), _NORM_SCENES)
        self._norm = self.reader.image_norm(scenes.values, scenes.nuisance)  # adapters read unscaled embeddings

    def project_out_language(self, step: int) -> None:
        """Do nothing: the UNet is frozen."""

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for the adapter."""
        return [torch.optim.AdamW(self.model.parameters(), lr=self.budget.rate, betas=(0.9, 0.98), weight_decay=0.01)]

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The flow matching loss of one batch, with some image embeddings dropped."""
        pool = self.pool.at(step)
        batch, hidden = self.conditioning(self.batches.get(step), pool, generator)
        image = pool["image"][batch["rows"]]
        dropped = torch.rand((len(image), 1), generator=generator, device=self.device) < _DROPPED
        image = torch.where(dropped, 0.0, image * self._norm)
        loss = flow_loss(self.unet, pool["latents"][batch["rows"]].float(), hidden, batch["values"], generator, image)
        return {"loss": loss}

    def samples(self, path: Path) -> dict[str, float]:
        """A sheet of scenes, and below each a picture drawn from its embedding alone."""
        scenes = random_scenes(np.random.default_rng(1), _SAMPLES)
        drawn = pictures(scenes.values, scenes.nuisance, self.device)
        empty = self.encoder.encode([""]).hidden
        noise = torch.randn(
            (_SAMPLES, self.unet.config.in_channels, LATENT, LATENT), generator=torch.Generator().manual_seed(1)
        )
        latents = draw_latents(
            self.unet, empty.expand(_SAMPLES, -1, -1), empty, noise.to(self.device), self.steps, self.guidance,
            self.reader.embed(drawn) * self._norm,
        )  # fmt: skip
        save_sheet(path, torch.stack([drawn, self.reader.decode(latents)]))
        return {}

    def export(self, folder: Path) -> None:
        """Write the adapter to `adapter` as one safetensors file."""

        def write(into: Path) -> None:
            into.mkdir(parents=True, exist_ok=True)
            save_file(weights_of(self.unet), into / FILE)

        replace_folder(folder / self.part, write)
