"""The hidden states a UNet of the world is trained on, batch by batch: captions, and edits lifted into them.

An edit is a vector of the joint space, added to every row but the first: the operation by which
`mmsteer.steering.steerer` steers, along the same directions (mean with a value minus mean without it). So the UNet
learns to draw directions that no caption expresses (light, tilt, frame), and to let an injected feature outweigh a word
of the prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from mmsteer.world.captions import captions
from mmsteer.world.draws import random_scenes
from mmsteer.world.factors import FACTORS
from mmsteer.world.paraphrases import paraphrase
from mmsteer.world.training.caption_encoder import CaptionEncoder
from mmsteer.world.training.condition_batches import KINDS, ConditionBatches
from mmsteer.world.training.pool import PoolSchedule, ScenePool
from mmsteer.world.training.scene_reader import SceneReader
from mmsteer.world.training.workers import Arrays, on_device


@dataclass(frozen=True)
class Counts:
    """On how many captions and scenes the constants of a run are measured."""

    directions: int = 12_000
    """Captions, for `CaptionEncoder.caption_directions`."""
    language: int = 2_000
    """Captions, for `CaptionEncoder.language_directions`."""
    means: int = 1_000
    """Scenes, for the mean embeddings of both sides."""


class Conditioning:
    """Hidden states for batches of scenes of the pool, on the device."""

    def __init__(self, encoder: CaptionEncoder, reader: SceneReader, counts: Counts) -> None:
        self.encoder = encoder
        self._directions = encoder.caption_directions(counts.directions)
        # Mean embeddings of both sides: their difference is the modality gap
        rng = np.random.default_rng(0)
        values, mentioned, nuisance = random_scenes(rng, counts.means)
        self._mean_image = reader.embed_scenes(values, nuisance).mean(0)
        self._mean_text = encoder.embed(captions(rng, *paraphrase(rng, values, mentioned))).mean(0)

    def __call__(
        self, arrays: Arrays, pool: dict[str, torch.Tensor], generator: torch.Generator, wide: bool = False
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Hidden states for one batch.

        Args:
            arrays: The batch, of `ConditionBatches`.
            pool: `image` and `counterfactual` `[N, d_joint]`.
            generator: Draws on the device.
            wide: Scale each edit by a factor between 0.25 and 1.75.

        Returns:
            The batch on the device, and hidden states `[B, T, d_text]`.
        """
        batch = on_device(arrays, self.encoder.device)
        hidden, x, norm = self.encoder.encode_ids(batch["ids"])
        image, counterfactual = pool["image"][batch["rows"]], pool["counterfactual"][batch["rows"]]
        correction = self._correction(batch, generator)
        edits = {
            "text": correction,
            "language": correction,
            "image": (image - self._mean_image) - (x - self._mean_text),
            "vision": image - counterfactual,
        }
        dx = torch.zeros_like(x)
        for name, edit in edits.items():
            dx = torch.where(batch["kind"][:, None] == KINDS.index(name), edit, dx)
        amount = batch["amount"]
        if wide:
            amount = amount * (0.25 + 1.5 * torch.rand(amount.shape, generator=generator, device=amount.device))
        return batch, self.encoder.lift(hidden, dx * amount, norm)

    def _correction(self, batch: dict[str, torch.Tensor], generator: torch.Generator) -> torch.Tensor:
        """The edits that correct false captions, `[B, d_joint]`, with some noise."""
        factor = torch.arange(len(FACTORS), device=batch["values"].device)
        added = self._directions[factor, batch["values"]] * batch["add"][..., None]
        removed = self._directions[factor, batch["claimed"]] * batch["remove"][..., None]
        correction = (added - removed).sum(1)
        noise = torch.randn(correction.shape, generator=generator, device=correction.device)
        noise = noise * (correction.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True))
        mixed: torch.Tensor = correction + noise * batch["mix"]
        return mixed

    def of_fixed_scenes(self, reader: SceneReader, schedule: PoolSchedule, batch: int) -> Callable[[int], torch.Tensor]:
        """Hidden states `[B, T, d_text]` by the number of a batch alone, for scenes that are never replaced."""
        schedule = replace(schedule, every=None)
        batches = ConditionBatches(schedule, batch, self.encoder.tokenizer)
        pool = ScenePool(schedule, lambda number: reader.chunk(schedule, number, latents=False)).at(0)

        def hidden(number: int) -> torch.Tensor:
            generator = torch.Generator(self.encoder.device).manual_seed(number)
            return self(batches(number), pool, generator)[1]

        return hidden
