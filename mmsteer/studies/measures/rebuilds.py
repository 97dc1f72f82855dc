"""The shipped bank built again with other seeds, and which features of two builds are the same.

Features are matched one to one by the cosine of their steering vectors, taken on the side on which the shipped feature acts.
Knows which arguments `bank build` needs; the command itself is passed in.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmsteer.bank import Feature, FeatureBank
from mmsteer.labelling.naming.known_names import agrees
from mmsteer.studies.measures.cases import concept_of
from mmsteer.studies.measures.shares import share
from mmsteer.training.objectives import objective_name
from mmsteer.world.scheme import SCHEME

SAME = 0.8
"""Least cosine of the steering vectors of features that match: the nearest feature of another concept reaches it in about one
case of twenty."""
Build = Callable[[list[str]], None]
"""Runs `python -m mmsteer bank build` with these arguments."""
_SETTINGS = ("objective", "levels", "steps", "pairs", "held_out")


def settings(bank: FeatureBank) -> dict[str, Any]:
    """What two builds must share, beside their CLIP; the objective under its present name."""
    return {key: bank.meta[key] for key in _SETTINGS} | {"objective": objective_name(bank.meta["objective"])}


def rebuilt(bank: FeatureBank, seed: int, quick: bool, work: Path, build: Build) -> FeatureBank:
    """A bank built like another, with another seed.

    Args:
        bank: the bank whose settings are used.
        seed: of pairs and initial weights.
        quick: build a small one.
        work: a folder of builds; one with the same settings and seed is used again.
        build: runs the command.
    """
    wanted = settings(bank)
    if quick:
        wanted |= {"steps": 120, "pairs": 1200, "held_out": 400}
    folder = work / f"{'quick' if quick else 'full'}-seed-{seed}"
    if (folder / "bank.json").is_file():
        earlier = FeatureBank.load(folder)
        same_clip = earlier.meta["clip"]["digest"] == bank.meta["clip"]["digest"]
        if same_clip and earlier.meta["seed"] == seed and settings(earlier) == wanted:
            return earlier
    # small builds share their pairs: embedding is most of the work, and initial weights and the order of batches still differ
    pairs = f"world:{bank.meta['seed'] + 10}" if quick else "world"
    groups = wanted["levels"]
    build([
        "--pairs", pairs, "--seed", str(seed), "--objective", wanted["objective"], "--image", groups["image"],
        "--text", groups["text"], "--steps", str(wanted["steps"]), "--count", str(wanted["pairs"]),
        "--held-out", str(wanted["held_out"] / wanted["pairs"]), "--out", str(folder), "--work", str(work / "embeddings"),
        "--pictures", "0",
    ])  # fmt: skip
    return FeatureBank.load(folder)


def cosine_matrix(bank: FeatureBank, other: FeatureBank) -> np.ndarray:
    """Cosines of steering vectors, `[n_features, n_features of other]`, on the side on which each feature of `bank` acts.

    -1 where the other feature has no latent on that side. So features are compared on one side whatever their labels are.
    """
    theirs = {side: _vectors(other, side) for side in other.dictionaries}
    rows = [theirs[f.side] @ direction for f, direction in zip(bank.features, bank.directions, strict=True)]
    missing = {side: torch.tensor([latent_on(g, side) is None for g in other.features]) for side in other.dictionaries}
    return np.stack(
        [row.masked_fill(missing[f.side], -1.0).numpy() for f, row in zip(bank.features, rows, strict=True)]
    )


def _vectors(bank: FeatureBank, side: str) -> torch.Tensor:
    """Steering vectors of all features on one side, `[n_features, d_joint]` of unit length; of a feature without a latent on
    that side, the vector of latent 0.
    """
    steering: torch.Tensor = bank.tensors[f"steering_{side}"][[latent_on(f, side) or 0 for f in bank.features]].float()
    return torch.div(steering, steering.norm(dim=1, keepdim=True).clamp(min=1e-12))


def latent_on(feature: Feature, side: str) -> int | None:
    """A feature's latent on one side."""
    return feature.image_latent if side == "image" else feature.text_latent


def best_matches(cosine: np.ndarray, least: float = SAME) -> list[int | None]:
    """The one-to-one assignment with the largest sum of cosines (Kuhn, 1955).

    Cosines below `least` count for nothing, so a row without a partner takes nobody else's.

    Args:
        cosine: `[n, m]`.
        least: least cosine of a match.

    Returns:
        The column of each row, or None.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(cosine >= least, cosine, 0.0), maximize=True)
    matched = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if cosine[r, c] >= least}
    return [matched.get(row) for row in range(len(cosine))]


def same_name(one: Feature, other: Feature) -> bool:
    """Whether two names mean the same: alike but for their number, or wordings of one factor value ("bicycle", "bike")."""
    if one.named_by is None or other.named_by is None:
        return False
    plain = [one.concept, other.concept]
    return plain[0] == plain[1] or agrees(plain[0], plain[1], SCHEME) or agrees(plain[1], plain[0], SCHEME)


def null_cosines(bank: FeatureBank, other: FeatureBank, cosine: np.ndarray) -> dict[str, Any]:
    """How near the nearest feature is, over named features; and the nearest of another concept, where the concept is known."""
    concepts, theirs = ([concept_of(f) for f in b.features] for b in (bank, other))
    nearest = [float(row.max()) for feature, row in zip(bank.features, cosine, strict=True) if feature.named_by]
    same, wrong = [], []
    for k, concept in enumerate(concepts):
        if concept is not None:
            same += [max(cosine[k, j] for j, c in enumerate(theirs) if c == concept)] if concept in theirs else []
            wrong += [max(cosine[k, j] for j, c in enumerate(theirs) if c not in (None, concept))]
    return {
        "nearest, median": float(np.median(nearest)), "nearest, 10th percentile": float(np.quantile(nearest, 0.1)),
        "null, median": float(np.median(wrong)), "null, 95th percentile": float(np.quantile(wrong, 0.95)),
        f"null from {SAME} on": share(sum(c >= SAME for c in wrong), len(wrong)),
        f"same concept from {SAME} on": share(sum(c >= SAME for c in same), len(same)),
    }  # fmt: skip
