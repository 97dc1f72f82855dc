"""What all UNet training has in common: frozen models, conditions, optimizers, null-space projection, samples."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.models.backbone import STEERABLE
from mmsteer.world.models.null_space import project_out
from mmsteer.world.models.parts import replace_folder
from mmsteer.world.models.unet import LATENT, draw_latents
from mmsteer.world.training.caption_encoder import CaptionEncoder
from mmsteer.world.training.condition_batches import CONDITION_SHARES, ConditionBatches
from mmsteer.world.training.conditioning import Conditioning, Counts
from mmsteer.world.training.loop import Budget, Task
from mmsteer.world.training.optimizers import muon_and_adamw
from mmsteer.world.training.pool import PoolSchedule, ScenePool
from mmsteer.world.training.scene_reader import SceneReader
from mmsteer.world.training.sheet import save_sheet
from mmsteer.world.training.workers import Workers

PROMPTS = (
    "a cat at night", "a big penguin in the snow", "please draw a small car on the left", "a strawberry",
    "a panda in the forest on the right", "a woman farmer in a meadow", "a rocket", "a big fish in the ocean",
    "a house at sunset", "a cactus in the desert", "a big man doctor", "a tiny dog on the beach",
    "a big fox in the middle in a meadow", "two owls", "a bicycle", "a big woman cook on the right at night",
)  # fmt: skip
_COLUMNS = 8  # of a sheet
_PROJECT_EVERY = 20  # steps, in which training brings a little of the projected directions back


class UnetTask(Task):
    """A UNet in training on scenes of a pool, with frozen CLIP and autoencoder.

    Args:
        budget: How long and how fast to train.
        device: Where.
        seed: Of all random draws.
        schedule: Which scenes are in the pool.
        unet: The UNet to train. SteerError if it does not fit CLIP and autoencoder.
        clip: A CLIPModel.
        tokenizer: Its tokenizer.
        vae: An AutoencoderTiny.
        workers: Processes that write captions.
        counts: On how many captions and scenes the constants of the run are measured.
    """

    part: str
    """The folder it is exported to."""
    steps: int
    guidance: float
    condition_shares: Mapping[str, float] = CONDITION_SHARES
    """What conditions a training picture, and how often."""

    def __init__(
        self, budget: Budget, device: torch.device, seed: int, schedule: PoolSchedule, unet: Any, clip: Any, tokenizer: Any,
        vae: Any, workers: int = 0, counts: Counts = Counts(),  # noqa: B008 (frozen)
    ) -> None:  # fmt: skip
        from diffusers.models.attention_processor import AttnProcessor

        super().__init__(budget, device, seed)
        reads = vae.config.latent_channels, clip.config.text_config.hidden_size
        if (unet.config.in_channels, unet.config.cross_attention_dim) != reads:
            raise SteerError(
                f"a unet of {unet.config.in_channels} channels that reads rows {unet.config.cross_attention_dim} wide does "
                f"not go with an autoencoder of {reads[0]} channels and a CLIP {reads[1]} wide: take all three from one folder"
            )
        schedule = replace(schedule, seed=seed)
        self.encoder = CaptionEncoder(clip, tokenizer, device)
        self.language_directions = self.encoder.language_directions(counts.language)
        self.reader = SceneReader(clip, vae, device)
        self.pool = ScenePool(schedule, partial(self._chunk, schedule))
        self.conditioning = Conditioning(self.encoder, self.reader, counts)
        self.batches = Workers(ConditionBatches(schedule, budget.batch, tokenizer, self.condition_shares), workers)
        self.unet: Any = unet.to(device, memory_format=torch.channels_last)
        if device.type == "cpu":  # plain products: over 256 rows the backward of a fused kernel is slower on a CPU
            self.unet.set_attn_processor(AttnProcessor())
        self.model: nn.Module = self.unet

    def _chunk(self, schedule: PoolSchedule, number: int) -> dict[str, torch.Tensor]:
        return self.reader.chunk(schedule, number, latents=True)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon inside, AdamW for the first and the last layer."""
        return muon_and_adamw(self.unet, self.budget.rate, self.budget.weight_decay, ("conv_in.", "conv_out."))

    def begin(self, step: int) -> None:
        """Start the workers that write captions."""
        self.batches.start(step // self.rollout)

    def end(self) -> None:
        """Stop the workers."""
        self.batches.stop()

    def project_out_language(self, step: int) -> None:
        """Every few steps, project the language directions out of the UNet again."""
        if step % _PROJECT_EVERY == 0:
            project_out(self.unet, self.language_directions)

    def samples(self, path: Path) -> dict[str, float]:
        """A sheet of `PROMPTS`, always drawn from the same noise."""
        hidden, empty = (self.encoder.encode(texts).hidden for texts in (list(PROMPTS), [""]))
        shape = len(PROMPTS), self.unet.config.in_channels, LATENT, LATENT
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(self.device)
        latents = draw_latents(self.unet, hidden, empty, noise, self.steps, self.guidance)
        drawn = torch.cat([self.reader.decode(part) for part in torch.split(latents, _COLUMNS)])
        save_sheet(path, torch.unflatten(drawn, 0, (-1, _COLUMNS)))
        return {}

    def export(self, folder: Path) -> None:
        """Write the UNet to `part` in half precision, projected once more and marked as trained to be steered."""
        project_out(self.unet, self.language_directions)
        self.unet.register_to_config(**{STEERABLE: True})
        replace_folder(folder / self.part, self.unet.half().save_pretrained)
