"""A strip of attacked pictures, with what changed below each."""

from collections.abc import Sequence
from pathlib import Path

import torch

from mmsteer.studies.attacks.channel import SCOPES
from mmsteer.studies.attacks.tally import Cell
from mmsteer.studies.report import save_strips

AMPLIFIED = 16
"""How many times larger the strip shows a difference than it is."""


def save_attacked(clean: torch.Tensor, attacks: Sequence[tuple[Cell, torch.Tensor]], path: Path) -> None:
    """Draw pictures, the same pictures attacked through each modality, and the amplified difference below each.

    Args:
        clean: `uint8 [B, 3, S, S]`.
        attacks: attacked pictures; of each channel the attack with the most steps is shown.
        path: the file.
    """
    last = {cell.through: (cell, pictures) for cell, pictures in sorted(attacks, key=lambda one: one[0].steps)}
    rows = [("picture", clean)]
    for name in SCOPES:
        cell, pictures = last[name]
        change = (128 + AMPLIFIED * (pictures.int() - clean.int())).clamp(0, 255).to(torch.uint8)
        rows += [
            (f"{name}\n{cell.budget} of 255\n{cell.steps} steps", pictures),
            (f"difference\ntimes {AMPLIFIED}", change),
        ]
    save_strips(rows, path)
