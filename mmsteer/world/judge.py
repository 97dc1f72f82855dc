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
from mmsteer.world.factors import DRAWN, FACTORS, INDEX
from mmsteer.world.pairs import DrawnScenes
from mmsteer.world.training import Budget, Task

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
        """Pictures `uint8 [B, 3, 128, 128]` -> the value seen of each factor, `int64 [B, n_factors]`, -1 where none is drawn."""
        seen = np.full((len(pictures), len(FACTORS)), -1)
        for i in range(0, len(pictures), batch):
            logits = self(pictures[i : i + batch].float() / 127.5 - 1)
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
    """Cross-entropy summed over the drawn factors."""

    name = "judge"

    def __init__(self, scenes: DrawnScenes, steps: int = 3000, device: str = "cpu", start: Path | None = None) -> None:
        self.budget = Budget(steps=steps, batch=64, rate=1e-3, decay=0.6, average=0.995, weight_decay=0.05)
        self.scenes, self.device = scenes, device
        torch.manual_seed(0)
        judge = Judge() if start is None else Judge.load(start)
        self.judge: Judge = judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: nn.Module = self.judge

    def loss(self, rng: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
        rows = rng.integers(0, len(self.scenes), self.budget.batch)
        pictures = self.scenes.floats(rows)
        pictures = pictures + 0.03 * torch.randn(pictures.shape, generator=generator)
        truth = torch.from_numpy(self.scenes.values[rows]).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            logits = self.judge(pictures.to(self.device).contiguous(memory_format=torch.channels_last))
        losses = {n: F.cross_entropy(v.float(), truth[:, INDEX[n]]) for n, v in logits.items()}
        self.right = {n: (v.argmax(1) == truth[:, INDEX[n]]).float().mean().item() for n, v in logits.items()}
        return torch.stack(list(losses.values())).sum()

    def samples(self, folder: Path, step: int) -> None:
        print("   ", {k: round(v, 2) for k, v in self.right.items()}, flush=True)

    def export(self, folder: Path) -> None:
        self.judge.save(folder / "judge")
