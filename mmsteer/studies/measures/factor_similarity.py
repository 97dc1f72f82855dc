"""How alike the samples are on which features fire, with the world's factors as the embedding.

Two samples are as similar as the share of drawn (or captioned) factors on which they agree.
"""

from typing import Any

import numpy as np
import torch

from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import Codes
from mmsteer.studies.measures.monosemanticity import cross_monosemanticity, monosemanticity, top_similarity
from mmsteer.world.factors import FACTORS

_TOP = (10, 20, 50, 100)


def similarity(name: str, active: Codes, pairs: Embedded) -> list[dict[str, Any]]:
    """EmbSim and WinRate of several numbers of top samples, MS and MMS, means over features: a row for each side.

    Args:
        name: of the objective.
        active: activations of its features on N pairs.
        pairs: the pairs, with their factors.
    """
    every = np.ones_like(pairs.mentioned)
    drawn = _one_hot(pairs.factors, every, [i for i, f in enumerate(FACTORS) if f.modality != "language"])
    captioned = _one_hot(pairs.factors, pairs.mentioned, [i for i, f in enumerate(FACTORS) if f.modality != "vision"])
    cross = [i for i, f in enumerate(FACTORS) if f.modality == "cross"]
    shared = [_one_hot(pairs.factors, visible, cross) for visible in (every, pairs.mentioned)]
    z_image, z_text = torch.from_numpy(active.image), torch.from_numpy(active.text)
    mms = float(cross_monosemanticity(z_image, shared[0], z_text, shared[1]).nanmean())
    rows = []
    for side, z, e in (("image", z_image, drawn), ("text", z_text, captioned)):
        tops = {m: top_similarity(z, e, m) for m in _TOP}
        rows.append(
            {"objective": name, "side": side}
            | {f"EmbSim {m}": float(t.emb_sim.nanmean()) for m, t in tops.items()}
            | {f"WinRate {m}": float(t.win_rate.nanmean()) for m, t in tops.items()}
            | {"MS": float(monosemanticity(z, e).nanmean()), "MMS": mms}
        )
    return rows


def _one_hot(values: np.ndarray, visible: np.ndarray, factors: list[int]) -> torch.Tensor:
    """Samples `[N, n_values]` by the values of some factors, one-hot; zeros where a factor is not visible."""
    columns = [(values[:, i, None] == np.arange(len(FACTORS[i].values))) & visible[:, i, None] for i in factors]
    return torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))
