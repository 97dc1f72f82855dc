"""What the judge of a backbone reads in before and after, in words. Only the embedded world has a judge."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steer import Steered, Steerer
    from mmsteer.world.judge import Judge


class Reading:
    """A backbone's judge, loaded when first asked; silent for backbones that have none."""

    def __init__(self) -> None:
        self._judge: Judge | None = None

    def told(self, steerer: "Steerer", result: "Steered") -> str:
        """Which factors read differently after than before, as HTML."""
        read = self.between(steerer, result.before, result.after)
        return f'<div class="mm-reading" role="status">The judge reads: {escape(read)}</div>' if read else ""

    def between(self, steerer: "Steerer", before: "Image.Image", after: "Image.Image") -> str:
        """Which factors read differently in the second of two pictures, as text; empty where there is no judge."""
        folder = Path(steerer.backbone.spec.source) / "judge"
        if not folder.is_dir():
            return ""
        import numpy as np
        import torch

        from mmsteer.world.factors import DRAWN, INDEX, label, named
        from mmsteer.world.judge import Judge

        self._judge = self._judge or Judge.load(folder)
        pair = torch.stack([torch.from_numpy(np.array(p)).permute(2, 0, 1) for p in (before, after)])
        seen = ({n: named(row)[n] for n in DRAWN if row[INDEX[n]] >= 0} for row in self._judge.read(pair))
        first, second = seen
        changed = [f"{label(n, first[n])} → {label(n, second[n])}" for n in second if first[n] != second[n]]
        return ", ".join(changed) if changed else "the same in both"
