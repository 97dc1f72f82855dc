"""What training the teacher and training the student have in common: frozen readers, conditions, optimizers, samples."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.models.backbone import STEERABLE
from mmsteer.world.models.null_space import blind
from mmsteer.world.models.unet import LATENT, draw_latents
from mmsteer.world.sheet import save_sheet
from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.conditioning import SHARES, Conditioning, ConditionWords, Counts
from mmsteer.world.training.conditions import Conditions
from mmsteer.world.training.latents import SceneReader
from mmsteer.world.training.loop import Budget, Task
from mmsteer.world.training.optimizers import muon_and_adamw
from mmsteer.world.training.pool import Pool, Ring
from mmsteer.world.training.workers import Workers

PROMPTS = (
    "a cat at night", "a big penguin in the snow", "please draw a small car on the left", "a strawberry",
    "a panda in the forest on the right", "a woman farmer in a meadow", "a rocket", "a big fish in the ocean",
    "a house at sunset", "a cactus in the desert", "a big man doctor", "a tiny dog on the beach",
    "a big fox in the middle in a meadow", "two owls", "a bicycle", "a big woman cook on the right at night",
)  # fmt: skip
_COLUMNS = 8  # of a sheet
_BLIND_EVERY = 20  # steps, in which the UNet opens its eyes a little


class UnetTask(Task):
    """A UNet that reads conditions of scenes of the pool."""

    part: str
    """The folder it is exported to."""
    steps: int
    guidance: float
    mixture: Mapping[str, float] = SHARES
    """What conditions a training picture, and how often."""

    def __init__(
        self, budget: Budget, device: torch.device, seed: int, ring: Ring, unet: Any, clip: Any, tokenizer: Any, vae: Any,
        workers: int = 0, counts: Counts = Counts(),  # noqa: B008 (frozen)
    ) -> None:  # fmt: skip
        from diffusers.models.attention_processor import AttnProcessor

        super().__init__(budget, device, seed)
        reads = vae.config.latent_channels, clip.config.text_config.hidden_size
        if (unet.config.in_channels, unet.config.cross_attention_dim) != reads:
            raise SteerError(
                f"a unet of {unet.config.in_channels} channels that reads rows {unet.config.cross_attention_dim} wide does "
                f"not go with an autoencoder of {reads[0]} channels and a CLIP {reads[1]} wide: take all three from one folder"
            )
        ring = replace(ring, seed=seed)
        self.conditions = Conditions(clip, tokenizer, device)
        self.undrawn = self.conditions.undrawn(counts.undrawn)
        self.reader = SceneReader(clip, vae, device)
        self.pool = Pool(ring, partial(self._chunk, ring))
        self.conditioning = Conditioning(self.conditions, self.reader, counts)
        self.words = Workers(ConditionWords(ring, budget.batch, tokenizer, self.mixture), workers)
        self.unet: Any = unet.to(device, memory_format=torch.channels_last)
        if device.type == "cpu":  # plain products: over 256 rows a fused kernel's backward costs more there
            self.unet.set_attn_processor(AttnProcessor())
        self.model: nn.Module = self.unet

    def _chunk(self, ring: Ring, number: int) -> dict[str, torch.Tensor]:
        return self.reader.chunk(ring, number, latents=True)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return muon_and_adamw(self.unet, self.budget.rate, self.budget.weight_decay, ("conv_in.", "conv_out."))

    def begin(self, step: int) -> None:
        self.words.start(step // self.rollout)

    def end(self) -> None:
        self.words.stop()

    def keep_blind(self, step: int) -> None:
        """Now and then, take out again what training has let in of what no picture shows."""
        if step % _BLIND_EVERY == 0:
            blind(self.unet, self.undrawn)

    def samples(self, path: Path) -> dict[str, float]:
        """A sheet of `PROMPTS`, always from the same noise."""
        hidden, empty = (self.conditions.read(texts)[0] for texts in (list(PROMPTS), [""]))
        shape = len(PROMPTS), self.unet.config.in_channels, LATENT, LATENT
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(self.device)
        latents = draw_latents(self.unet, hidden, empty, noise, self.steps, self.guidance)
        drawn = torch.cat([self.reader.decode(part) for part in latents.split(_COLUMNS)])
        save_sheet(path, drawn.unflatten(0, (-1, _COLUMNS)))
        return {}

    def export(self, folder: Path) -> None:
        blind(self.unet, self.undrawn)
        self.unet.register_to_config(**{STEERABLE: True})
        replace_folder(folder / self.part, self.unet.half().save_pretrained)
