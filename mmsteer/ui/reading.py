"""What the judge of a backbone reads in before and after, in words. Only the embedded world has a judge."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmsteer.steer import Steered, Steerer
    from mmsteer.world.judge import Judge


class Reading:
    """A backbone's judge, loaded when first asked; silent for backbones that have none."""

    def __init__(self) -> None:
        self._judge: Judge | None = None

    def told(self, steerer: "Steerer", result: "Steered") -> str:
        """Which factors read differently after than before, as HTML."""
        folder = Path(steerer.backbone.spec.source) / "judge"
        if not folder.is_dir():
            return ""
        import numpy as np
        import torch

        from mmsteer.world.factors import DRAWN, INDEX, label, named
        from mmsteer.world.judge import Judge

        self._judge = self._judge or Judge.load(folder)
        pair = torch.stack([torch.from_numpy(np.array(p)).permute(2, 0, 1) for p in (result.before, result.after)])
        read = self._judge.read(pair)
        before, after = ({name: named(row)[name] for name in DRAWN if row[INDEX[name]] >= 0} for row in read)
        changed = [f"{label(n, before[n])} → {label(n, after[n])}" for n in after if before[n] != after[n]]
        told = ", ".join(changed) if changed else "the same in both"
        return f'<div class="mm-reading" role="status">The judge reads: {escape(told)}</div>'
