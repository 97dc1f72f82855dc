"""The conditions a UNet of the world is trained on, batch by batch.

Besides captions it sees captions that are wrong or silent, with what puts them right, as a vector of the joint space,
lifted into every row but the first: the very operation, and the very directions (mean with a value minus mean without),
by which `mmsteer.steering.steerer` edits. So a direction that no caption expresses (light, tilt, frame) becomes something the UNet
can draw, and an injected feature outweighs the prompt's own word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from mmsteer.world.captions import captions, corrupt, retell
from mmsteer.world.draws import random_scenes
from mmsteer.world.factors import FACTORS
from mmsteer.world.models.clip import stray, tokens
from mmsteer.world.training.conditions import Conditions
from mmsteer.world.training.latents import SceneReader
from mmsteer.world.training.pool import Pool, Ring
from mmsteer.world.training.workers import Arrays, on_device

# What conditions a training picture, and how often.
SHARES = {"nothing": 0.10, "caption": 0.30, "vision": 0.12, "image": 0.06, "text": 0.34, "language": 0.08}
CAPTIONS_ALONE = {"nothing": 0.10, "caption": 0.90}
_KINDS = list(SHARES)
_LANGUAGE = np.array([factor.modality == "language" for factor in FACTORS])


@dataclass(frozen=True)
class Counts:
    """On how many captions and scenes what stays the same in a whole run is measured."""

    directions: int = 12_000
    undrawn: int = 2_000
    means: int = 1_000


@dataclass(frozen=True)
class ConditionWords:
    """One batch of scenes of the pool, what is said of them, and what would put it right; by (seed, step) alone."""

    ring: Ring
    batch: int
    tokenizer: Any
    mixture: Mapping[str, float] = field(default_factory=lambda: SHARES)

    def __call__(self, step: int) -> Arrays:
        rng = np.random.default_rng((self.ring.seed, 2, step))
        rows = rng.integers(0, len(self.ring), self.batch)
        scenes = self.ring.rows(step, rows)
        kind = rng.choice(list(self.mixture), self.batch, p=list(self.mixture.values()))
        values, told = retell(rng, scenes.values, scenes.told)
        true = ["" if k == "nothing" else text for k, text in zip(kind, captions(rng, values, told), strict=True)]
        said, said_told, false = _lies(rng, values, told, kind)
        lying = captions(rng, said, said_told)
        lies = np.isin(kind, ("text", "language")) | ((kind == "image") & (rng.random(self.batch) < 0.5))
        texts = [b if lie else a for a, b, lie in zip(true, lying, lies, strict=True)]
        # Most do both, as an added feature makes its rival in the prompt recede; some only add what is true, and must
        # outweigh the word, or only remove what is said.
        way = rng.random((self.batch, 1))
        # a share of the difference where the words are right; all of it, or more, where they lie
        amount = np.where(lies, rng.uniform(0.8, 1.4, self.batch), rng.uniform(0.3, 1.4, self.batch))
        return {
            "rows": rows,
            "ids": tokens(self.tokenizer, stray(rng, texts)).numpy(),
            "kind": np.array([_KINDS.index(k) for k in kind]),
            "values": values,
            "said": said,
            "add": false & (way < 0.8),
            "remove": false & said_told & (way > 0.25),
            "amount": amount.astype(np.float32)[:, None],
            # no dictionary gives a mean difference exactly: so much of any other direction is mixed in
            "mix": rng.uniform(0, 0.5, (self.batch, 1)).astype(np.float32),
        }


def _lies(
    rng: np.random.Generator, values: np.ndarray, told: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, told and what is false of captions that lie, each `[B, n_factors]`.

    Where `kind [B]` is "language" they lie in nothing but what no picture shows: of such a difference the UNet learns
    to take no notice.
    """
    said, said_told, false = corrupt(rng, values, told)
    only_words = np.ix_(kind == "language", ~_LANGUAGE)
    said[only_words], said_told[only_words], false[only_words] = values[only_words], told[only_words], False
    language = np.ix_(kind == "language", _LANGUAGE)
    false[language] = (values != said)[language]
    return said, said_told, false


class Conditioning:
    """Hidden states for batches of scenes of the pool, on the device."""

    def __init__(self, conditions: Conditions, reader: SceneReader, counts: Counts) -> None:
        self.conditions = conditions
        self._directions = conditions.directions(counts.directions)
        # the mean embeddings of both sides, for the gap between the modalities
        rng = np.random.default_rng(0)
        values, told, chance = random_scenes(rng, counts.means)
        self._mean_image = reader.look(values, chance).mean(0)
        self._mean_text = conditions.embed(captions(rng, *retell(rng, values, told))).mean(0)

    def __call__(
        self, words: Arrays, pool: dict[str, torch.Tensor], generator: torch.Generator, wide: bool = False
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """What `ConditionWords` made, on the device, and hidden states `[B, T, d_text]`, each by a kind drawn from SHARES.

        `pool` holds `image` and `twin` `[N, d_joint]`. With `wide`, strengths range from a quarter to almost twice.
        """
        batch = on_device(words, self.conditions.device)
        hidden, x, norm = self.conditions.read_ids(batch["ids"])
        image, twin = pool["image"][batch["rows"]], pool["twin"][batch["rows"]]
        right = self._put_right(batch, generator)
        towards = {
            "text": right,
            "language": right,
            "image": (image - self._mean_image) - (x - self._mean_text),
            "vision": image - twin,
        }
        dx = torch.zeros_like(x)
        for name, difference in towards.items():
            dx = torch.where(batch["kind"][:, None] == _KINDS.index(name), difference, dx)
        amount = batch["amount"]
        if wide:
            amount = amount * (0.25 + 1.5 * torch.rand(amount.shape, generator=generator, device=amount.device))
        return batch, self.conditions.lift(hidden, dx * amount, norm)

    def _put_right(self, batch: dict[str, torch.Tensor], generator: torch.Generator) -> torch.Tensor:
        """What sliders would do to put lying captions right, `[B, d_joint]`."""
        factor = torch.arange(len(FACTORS), device=batch["values"].device)
        added = self._directions[factor, batch["values"]] * batch["add"][..., None]
        removed = self._directions[factor, batch["said"]] * batch["remove"][..., None]
        right = (added - removed).sum(1)
        other = torch.randn(right.shape, generator=generator, device=right.device)
        other = other * (right.norm(dim=-1, keepdim=True) / other.norm(dim=-1, keepdim=True))
        return right + other * batch["mix"]

    def standing(self, reader: SceneReader, ring: Ring, batch: int) -> Callable[[int], torch.Tensor]:
        """Hidden states `[B, T, d_text]` by the number of the batch alone, over scenes that stay; worded in this process."""
        ring = replace(ring, every=None)
        words = ConditionWords(ring, batch, self.conditions.tokenizer)
        pool = Pool(ring, lambda number: reader.chunk(ring, number, latents=False)).at(0)

        def hidden(number: int) -> torch.Tensor:
            generator = torch.Generator(self.conditions.device).manual_seed(number)
            return self(words(number), pool, generator)[1]

        return hidden
