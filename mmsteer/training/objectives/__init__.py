"""What dictionaries can be trained to: the default, the paper's objective, and those of neighbouring work.

Each objective turns matched rows of both sides into `Dictionaries`. Either latent k of one side *is* latent k of the
other, or the two dictionaries know nothing of each other and their latents are matched later by how they fire
(`mmsteer.labelling.match`). No source states the weights of its penalties for a joint space this small; they are those
of the comparison in the README.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from mmsteer.errors import SteerError
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.objectives.contrastive import fit_contrastive
from mmsteer.training.objectives.controls import fit_principal_axes, fit_random_decoders, fit_raw_axes
from mmsteer.training.objectives.matryoshka import fit_matryoshka
from mmsteer.training.objectives.paired import fit_paired_topk
from mmsteer.training.objectives.separate import fit_separate_topk
from mmsteer.training.objectives.shared import SharedDictionary
from mmsteer.training.rows import check_rows

Fit = Callable[[torch.Tensor, torch.Tensor, DictionarySizes, TrainingConfig], Dictionaries]
"""Rows `[N, d_joint]` of pictures and of their captions, sizes and training configuration -> dictionaries."""


@dataclass(frozen=True)
class Objective:
    """A way to train dictionaries, and where it comes from."""

    source: str
    fit: Fit
    probe: bool = False
    """Whether latents without a partner get a cross-modal probe (`mmsteer.labelling.cross_modal_probe`)."""


OBJECTIVES: dict[str, Objective] = {
    "matryoshka": Objective(
        "default: 2606.29888 with Matryoshka groups (2503.17547) and thresholds (2407.14435)",
        fit_matryoshka,
        probe=True,
    ),
    "matched": Objective("a TopK dictionary a side, matched (2606.29888)", fit_separate_topk),
    "shared": Objective("one TopK dictionary, raw rows (2502.14888, Sec. 2)", SharedDictionary(centred=False)),
    "batchtopk": Objective(
        "one BatchTopK dictionary, raw rows (2504.11695)", SharedDictionary(centred=False, batch_topk=True)
    ),
    "centred": Objective("shared, a mean and a scale for each modality", SharedDictionary()),
    "group": Objective(
        "centred, group-sparse, shared masking (2601.20028)", SharedDictionary(group_weight=0.05, masked=0.2)
    ),
    "aligned": Objective("centred, cosine of paired codes (2602.06218)", SharedDictionary(cosine_weight=0.1)),
    "global": Objective("one TopK for the pair, cross-reconstruction (2507.06265)", fit_paired_topk),
    "ncl": Objective("non-negative contrastive (2502.14888; 2403.12459)", fit_contrastive),
    "random": Objective("control: the default's encoders, random decoders", fit_random_decoders),
    "raw": Objective("control: the embeddings' own coordinates", fit_raw_axes),
    "pca": Objective("control: principal axes", fit_principal_axes),
}
_FORMER_NAMES = {"levels": "matryoshka"}  # as in older banks, figures and scripts


def objective_name(name: str) -> str:
    """The present name of an objective: older banks and figures may have a former one."""
    return _FORMER_NAMES.get(name, name)


def find_objective(name: str) -> Objective:
    """Get an objective by its present or a former name. SteerError lists all names."""
    if objective_name(name) not in OBJECTIVES:
        raise SteerError(f"there is no objective {name!r}: choose one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[objective_name(name)]


def train_dictionaries(
    objective: str, image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
) -> Dictionaries:
    """Train a dictionary for each side.

    Of the rows only `len`, `shape`, and rows by index or slice are read, so they may lie on disk.

    Args:
        objective: a name in `OBJECTIVES`.
        image: embeddings of pictures, `[N, d_joint]`.
        text: embeddings of their captions, in the same order.
        sizes: latents, and how many of them fire at once.
        config: how to train.

    Returns:
        Frozen dictionaries that take rows as they are: any centring and scaling is part of their weights.

    Raises:
        SteerError: for an unknown objective, sides of different shapes, fewer rows than latents, or a row that is zero or
            not finite.
    """
    fit = find_objective(objective).fit
    if image.shape != text.shape:
        raise SteerError(
            f"{tuple(image.shape)} picture rows and {tuple(text.shape)} caption rows: pairs need as many of each, equally wide"
        )
    for side, x in (("image", image), ("text", text)):
        check_rows(x, sizes.shared_latents, side)
    return fit(image, text, sizes, config)


def step_seconds(objective: str, width: int, sizes: DictionarySizes, device: str) -> float:
    """Measure how long one training step takes on this machine: on noise of that `width`, in this process alone."""
    rows, seconds = torch.randn(max(1024, sizes.shared_latents), width), []
    for steps in (1, 1, 4):  # the first warms up
        start = time.perf_counter()
        train_dictionaries(objective, rows, rows, sizes, TrainingConfig(steps, device=device))
        seconds.append(time.perf_counter() - start)
    return max(0.0, seconds[2] - seconds[1]) / 3
