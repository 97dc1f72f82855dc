"""The judge: a small convolutional classifier that reads every drawn factor off a 128x128 picture.

It sees drawn scenes only, with a little pixel noise; it is the ruler by which studies measure pictures, so its own
error on fresh drawn scenes is reported beside every figure it gives (`python -m mmsteer study world`).
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.world.draws import READ, WAYS, pictures, random_scenes, shrink, small_pictures
from mmsteer.world.factors import DRAWN, FACTORS, INDEX
from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.loop import Budget, Task

CPU = Budget(batch=64, rate=1e-3, warm=50, average=0.995, weight_decay=0.05)
GPU = Budget(batch=512, rate=2e-3, average=0.995, weight_decay=0.05)
_NOISE = 0.03  # on the pixels it trains on
_CLASSES = {name: len(FACTORS[INDEX[name]].values) for name in DRAWN}


class Judge(nn.Module):
    """Pictures `[B, 3, 128, 128]` in [-1, 1] -> per drawn factor logits `[B, n_values]`."""

    def __init__(self, classes: dict[str, int] = _CLASSES, width: int = 32) -> None:
        super().__init__()
        self.classes, self.width = classes, width
        w = width
        self.body = nn.Sequential(
            nn.Conv2d(3, w, 5, 2, 2), nn.GroupNorm(4, w), nn.SiLU(),
            nn.Conv2d(w, 2 * w, 3, 2, 1), nn.GroupNorm(4, 2 * w), nn.SiLU(),
            nn.Conv2d(2 * w, 3 * w, 3, 2, 1), nn.GroupNorm(4, 3 * w), nn.SiLU(),
            nn.Conv2d(3 * w, 3 * w, 3, 1, 1), nn.GroupNorm(4, 3 * w), nn.SiLU(),
            nn.Conv2d(3 * w, 4 * w, 3, 2, 1), nn.GroupNorm(4, 4 * w), nn.SiLU(),
            nn.Conv2d(4 * w, w, 1), nn.SiLU(), nn.Flatten(),
            nn.Linear(w * 64, 512), nn.SiLU(),
        )  # fmt: skip
        self.heads = nn.ModuleDict({name: nn.Linear(512, n) for name, n in classes.items()})

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = self.body(pictures)
        return {name: head(seen) for name, head in self.heads.items()}

    @torch.no_grad()
    def read(self, pictures: torch.Tensor, batch: int = 128) -> np.ndarray:
        """Pictures `uint8 [B, 3, S, S]` -> the value seen of each factor, `int64 [B, n_factors]`, -1 where none is drawn.

        S is 128 or a multiple of it: larger pictures are made smaller by area first. SteerError otherwise.
        """
        side = pictures.shape[-1]
        if side % READ or pictures.shape[-2] != side:
            raise SteerError(
                f"the judge reads square pictures of {READ} pixels a side or a multiple of it, not "
                f"{side}x{pictures.shape[-2]}: draw them at such a size"
            )
        seen = np.full((len(pictures), len(FACTORS)), -1)
        for i in range(0, len(pictures), batch):
            logits = self(shrink(pictures[i : i + batch].float() / 127.5 - 1))
            for name, scores in logits.items():
                seen[i : i + batch, INDEX[name]] = scores.argmax(1).numpy()
        return seen

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors (half precision)."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"classes": self.classes, "width": self.width}, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Judge":
        """Read a judge saved by `save`; SteerError names what is missing."""
        from safetensors.torch import load_file

        try:
            config = json.loads((folder / "config.json").read_text())
            judge = cls(config["classes"], config["width"])
            judge.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
        except Exception as error:
            raise SteerError(
                f"cannot read the judge in {folder} ({error}): restore the folder from the repository, or train it "
                "with `python -m mmsteer world train judge`"
            ) from error
        return judge.eval()


class JudgeTask(Task):
    """Cross-entropy summed over the drawn factors, on pictures made in every way that pictures of this size come about."""

    name = "judge"

    def __init__(self, budget: Budget, device: torch.device, seed: int, judge: Judge | None = None) -> None:
        super().__init__(budget, device, seed)
        self.judge: Judge = (judge or Judge()).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: nn.Module = self.judge

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        values, _, chance = random_scenes(rng, self.budget.batch)
        seen = small_pictures(values, chance, self.device, int(rng.integers(WAYS)))
        seen = seen + _NOISE * torch.randn(seen.shape, generator=generator, device=self.device)
        truth = torch.from_numpy(values).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.judge(seen.contiguous(memory_format=torch.channels_last))
        return {name: F.cross_entropy(x.float(), truth[:, INDEX[name]]) for name, x in logits.items()}

    def samples(self, path: Path) -> dict[str, float]:
        """Share of fresh scenes of which each factor is read right."""
        values, _, chance = random_scenes(np.random.default_rng((self.seed, 98)), 4 * self.budget.batch)
        right: dict[str, list[np.ndarray]] = {name: [] for name in self.judge.classes}
        for i in range(0, len(values), self.budget.batch):
            rows = slice(i, i + self.budget.batch)
            for name, scores in self.judge(shrink(pictures(values[rows], chance[rows], self.device))).items():
                right[name].append(scores.argmax(1).cpu().numpy() == values[rows, INDEX[name]])
        return {f"{name} right": float(np.concatenate(hits).mean()) for name, hits in right.items()}

    def export(self, folder: Path) -> None:
        replace_folder(folder / "judge", self.judge.save)
