"""The judge: a small convolutional classifier that reads every drawn factor off a 128x128 picture.

Trained on drawn scenes alone, with a little pixel noise (`mmsteer.world.training.tasks.judge`). Studies measure pictures
with it, so `python -m mmsteer study world` reports its own error on fresh scenes.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.world.draws import READ, shrink
from mmsteer.world.factors import DRAWN, FACTORS, INDEX

_CLASSES = {name: len(FACTORS[INDEX[name]].values) for name in DRAWN}


class Judge(nn.Module):
    """Classifies each drawn factor of a picture.

    Args:
        classes: Number of values by name of the factor.
        width: Channels of the first layer.
    """

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
        """Pictures `[B, 3, 128, 128]` in [-1, 1] to logits `[B, n_values]` by name of the factor."""
        seen = self.body(pictures)
        return {name: head(seen) for name, head in self.heads.items()}

    @torch.no_grad()
    def read(self, pictures: torch.Tensor, batch: int = 128) -> np.ndarray:
        """Read the factors of pictures.

        Args:
            pictures: `uint8 [B, 3, S, S]`, S 128 or a multiple of it: larger pictures are first shrunk by area.
            batch: Pictures read together.

        Returns:
            The value read for each factor, `int64 [B, n_factors]`; -1 for factors that no picture shows.

        Raises:
            SteerError: For pictures of another size.
        """
        side = pictures.shape[-1]
        if side % READ or pictures.shape[-2] != side:
            raise SteerError(
                f"the judge reads square pictures of {READ} pixels a side or a multiple of it, not "
                f"{side}x{pictures.shape[-2]}: draw them at such a size"
            )
        values = np.full((len(pictures), len(FACTORS)), -1)
        for i in range(0, len(pictures), batch):
            logits = self(shrink(pictures[i : i + batch].float() / 127.5 - 1))
            for name, scores in logits.items():
                values[i : i + batch, INDEX[name]] = scores.argmax(1).numpy()
        return values

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
