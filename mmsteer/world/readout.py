"""What the world's judge reads in pictures, in plain words: the `readout` of the embedded backbones.

The page finds this module by its name in `mmsteer.models.registry.Spec`; it gets words, and knows no factors and no judge.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.pixels import to_pixels

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.world.models.judge import Judge


class Readout:
    """Reads pictures with a judge."""

    def __init__(self, judge: "Judge") -> None:
        self._judge = judge

    def __call__(self, pictures: "Sequence[Image.Image]") -> list[dict[str, str]]:
        """Describe pictures.

        Args:
            pictures: RGB pictures of one size, a multiple of 128 pixels a side. SteerError otherwise.

        Returns:
            For each picture, what the judge reads for each drawn factor: `{"thing": "cat", "light": "warm light", …}`.
        """
        import torch

        from mmsteer.world.factors import DRAWN, FACTORS, INDEX, label

        pixels = torch.stack([to_pixels(picture) for picture in pictures])
        return [
            {
                name: label(name, FACTORS[INDEX[name]].values[row[INDEX[name]]])
                for name in DRAWN
                if row[INDEX[name]] >= 0
            }
            for row in self._judge.read(pixels)
        ]


def load(folder: Path) -> Readout | None:
    """The readout of a backbone's folder; None if it has no judge. SteerError if its judge is damaged."""
    if not (folder / "judge").is_dir():
        return None
    from mmsteer.world.models.judge import Judge

    return Readout(Judge.load(folder / "judge"))
