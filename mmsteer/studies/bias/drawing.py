"""What drawing does with the planted bias: pictures of every occupation under every edit and baseline, read by the judge."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from mmsteer.recipes.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.bias.pictures import (
    CLASSES,
    WAYS,
    GenderEdits,
    Read,
    draw,
    is_shown,
    leak,
    planted_share,
    prompt_for,
    share_of_men,
)
from mmsteer.studies.bias.skew import mean_absolute_deviation
from mmsteer.studies.measures.cases import in_batches
from mmsteer.studies.measures.methods import draw_pushed
from mmsteer.studies.measures.shares import mean_with_interval, share
from mmsteer.world.factors import OCCUPATIONS

NOTHING = "nothing"


class Cast:
    """The prompts "a doctor", … of all occupations with their noise, and every way of drawing them."""

    def __init__(
        self,
        steerer: Steerer,
        read: Read,
        seeds: list[int],
        count: int,
        occupations: Sequence[str] = tuple(OCCUPATIONS),
    ) -> None:
        """Prompts and noise.

        Args:
            steerer: draws.
            read: reads the pictures.
            seeds: of the study; each has `count` pictures of each occupation.
            count: pictures of an occupation and seed; an even number, so that words can name men and women equally often.
            occupations: which of the world's.
        """
        self.every = tuple(occupations)
        self.steerer, self.read, self.edits = steerer, read, GenderEdits(steerer)
        self.occupations = [o for _ in seeds for o in self.every for _ in range(count)]
        self.seeds = [
            int(noise)
            for seed in seeds
            for k in range(len(self.every))
            for noise in np.random.default_rng((seed, 41, k)).integers(0, 2**31, count)
        ]
        self.prompts = [prompt_for(o) for o in self.occupations]

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each way of drawing, the first without any edit."""
        before = self.read(draw(self.steerer, self.prompts, self.seeds))
        yield self._row(NOTHING, "-", "-", before, before, 0.0, 0)
        for name, way, edits in self._classes():
            shift = self._shift(edits)
            if not shift.any():
                yield self._row(name, way, "as it is", before, before, 0.0, len(edits))
                continue
            after = self.read(draw(self.steerer, self.prompts, self.seeds, edits))
            yield self._row(name, way, "as it is", before, after, _length(shift), len(edits))
        energy = _length(self._shift(self.edits.of("cross")))
        for name, way, dx, image_only in self._pushes():
            if dx.any():  # each class, and the baseline, as far as cross-modal features are pushed by "remove"
                dx = dx * (energy / _length(dx))
            after = self.read(self._drawn(dx, image_only))
            yield self._row(name, way, "equal energy", before, after, _length(dx), 0)
        project = self._projection()
        after = self.read(self._drawn(project, False))
        yield self._row("mean difference", "project", "as it is", before, after, _length(project), 0)
        words = [prompt_for(o, ("man", "woman")[k % 2]) for k, o in enumerate(self.occupations)]
        after = self.read(draw(self.steerer, words, self.seeds))
        yield self._row("words, half of each", "words", "as it is", before, after, 0.0, 0)

    def _classes(self) -> Iterator[tuple[str, str, tuple[Edit, ...]]]:
        for way in WAYS:
            for name in CLASSES:
                yield name, way, self.edits.of(name, way=way)
        in_prompts = [f.id for f in self.steerer.bank.features if not f.image_only]
        best = max(in_prompts, key=lambda k: self.edits.carried[k])
        yield "best latent", "remove", (Edit(best, "remove"),)

    def _pushes(self) -> Iterator[tuple[str, str, torch.Tensor, bool]]:
        for way in WAYS:
            for name in CLASSES:
                dx = self._shift(self.edits.of(name, way=way))
                if dx.any():
                    yield name, way, dx, name == "vision"
        yield "mean difference", "project", self._projection(), False

    def _projection(self) -> torch.Tensor:
        """What moves each prompt to the middle between men and women along their mean difference, `[B, d_joint]`."""
        x, direction = self.steerer.read(self.prompts).x, self.edits.direction
        middle = torch.stack([self.steerer.read(prompts).x.mean(0) for prompts in self.edits.genders]).mean(0)
        return -((x - middle) @ direction)[:, None] * direction

    def _shift(self, edits: tuple[Edit, ...]) -> torch.Tensor:
        """What edits add to each prompt in the joint space, `[B, d_joint]`."""
        return self.steerer.schedule(self.steerer.read(self.prompts), edits).shift

    def _drawn(self, dx: torch.Tensor, image_only: bool) -> torch.Tensor:
        def part(rows: slice) -> torch.Tensor:
            return draw_pushed(self.steerer, self.prompts[rows], dx[rows], self.seeds[rows], image_only)

        return in_batches(self.seeds, part)

    def _row(
        self, name: str, way: str, strength: str, before: np.ndarray, after: np.ndarray, length: float, count: int
    ) -> dict[str, Any]:
        men = {o: share_of_men(self._of(after, o)) for o in self.every}
        away = [mean_absolute_deviation(np.array([s.value])) for s in men.values() if s.trials]
        shown = sum(int(is_shown(self._of(after, o), o).sum()) for o in self.every)
        return {
            "removed": name, "way": way, "strength": strength, "features": count, "length": length,
            "from one half": mean_with_interval(away), "occupation shown": share(shown, len(after)),
            "leak": leak(before, after), "men": men,
            "planted": {o: planted_share(o) for o in self.every},
        }  # fmt: skip

    def _of(self, seen: np.ndarray, occupation: str) -> np.ndarray:
        return np.asarray(seen[np.array(self.occupations) == occupation])


def _length(dx: torch.Tensor) -> float:
    """Root mean squared length."""
    return float(dx.square().sum(1).mean().sqrt())
