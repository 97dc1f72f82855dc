"""Trains the judge on drawn scenes, made small in every way in which it will meet pictures."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.world.draws import WAYS, pictures, random_scenes, shrink, small_pictures
from mmsteer.world.factors import INDEX
from mmsteer.world.models.judge import Judge
from mmsteer.world.models.parts import replace_folder
from mmsteer.world.training.loop import Budget, Task

CPU = Budget(batch=64, rate=1e-3, warm=50, average=0.995, weight_decay=0.05)
GPU = Budget(batch=512, rate=2e-3, average=0.995, weight_decay=0.05)
_NOISE = 0.03  # on the pixels it trains on


class JudgeTask(Task):
    """Cross-entropy summed over the drawn factors."""

    name = "judge"

    def __init__(self, budget: Budget, device: torch.device, seed: int, judge: Judge | None = None) -> None:
        super().__init__(budget, device, seed)
        self.judge: Judge = (judge or Judge()).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: nn.Module = self.judge

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Cross-entropy of each drawn factor on fresh scenes."""
        values, _, nuisance = random_scenes(rng, self.budget.batch)
        seen = small_pictures(values, nuisance, self.device, int(rng.integers(WAYS)))
        seen = seen + _NOISE * torch.randn(seen.shape, generator=generator, device=self.device)
        truth = torch.from_numpy(values).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.judge(seen.contiguous(memory_format=torch.channels_last))
        return {name: F.cross_entropy(x.float(), truth[:, INDEX[name]]) for name, x in logits.items()}

    def samples(self, path: Path) -> dict[str, float]:
        """Accuracy of each factor on fresh scenes."""
        values, _, nuisance = random_scenes(np.random.default_rng((self.seed, 98)), 4 * self.budget.batch)
        right: dict[str, list[np.ndarray]] = {name: [] for name in self.judge.classes}
        for i in range(0, len(values), self.budget.batch):
            rows = slice(i, i + self.budget.batch)
            for name, scores in self.judge(shrink(pictures(values[rows], nuisance[rows], self.device))).items():
                right[name].append(scores.argmax(1).cpu().numpy() == values[rows, INDEX[name]])
        return {f"{name} right": float(np.concatenate(hits).mean()) for name, hits in right.items()}

    def export(self, folder: Path) -> None:
        """Write the judge to `judge`."""
        replace_folder(folder / "judge", self.judge.save)
