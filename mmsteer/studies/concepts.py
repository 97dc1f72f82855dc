"""When do labels go wrong? Every objective on synthetic vectors with known concepts and known directions.

There are no pictures and no CLIP: each side of a pair is a sum of concepts. A cross-modal concept is in both vectors, along two
directions with a given cosine; the others are in one vector. As the two directions part, a shared dictionary learns a concept
twice, once per modality ("Same Concept, Different Directions", 2606.29888), and its halves are labelled vision-only and
language-only. Figures as in `mmsteer.studies.labels`: a feature is identified by F1 >= 0.7 against a concept.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import MODALITIES, Modality
from mmsteer.bank.mds import absolute_rule
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import encode_pairs
from mmsteer.labelling.detection import f1
from mmsteer.labelling.match import match_latents
from mmsteer.labelling.naming.known_names import LEAST_CONFIDENCE
from mmsteer.studies.measures.shares import mean_over_seeds
from mmsteer.studies.report import table
from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
from mmsteer.training.dictionaries import fvu
from mmsteer.training.objectives import OBJECTIVES, train_dictionaries

COSINES = (1.0, 0.8, 0.5)
WIDTH, CROSS, SINGLE, AT_ONCE = 48, 24, 12, 2
"""Width of vectors; cross-modal concepts; concepts of each side alone; how many of each kind are in a vector."""
_COUNTS: dict[Modality, int] = {"cross": CROSS, "vision": SINGLE, "language": SINGLE}
KINDS = [kind for kind, count in _COUNTS.items() for _ in range(count)]
"""The true modality of each concept."""
_GROUPS = (MatryoshkaGroup(12, 2), MatryoshkaGroup(36, 2))
_SIZES = DictionarySizes(_GROUPS, _GROUPS)


class Concepts(NamedTuple):
    """Pairs with the concepts that they are sums of."""

    pairs: Embedded
    image: np.ndarray
    """bool [N, n_concepts]: which are in the picture's vector"""
    text: np.ndarray
    """bool [N, n_concepts]: which are in the caption's vector"""


def draw_concepts(seed: int, cosine: float, count: int) -> Concepts:
    """Pairs of vectors with AT_ONCE concepts of each kind a side can have, of strength 0.5 to 1.5, and a little noise.

    As in a modality gap, each side has an offset, and vectors of captions are shorter by a factor of 0.7.

    Args:
        seed: of the concepts' directions; with `count`, of the pairs.
        cosine: between the two directions of a cross-modal concept.
        count: how many pairs.
    """
    world, rng = np.random.default_rng((seed, round(100 * cosine))), np.random.default_rng((seed, count))
    rows = world.standard_normal((2, len(KINDS), WIDTH))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    # the caption's direction of a cross-modal concept: the picture's, turned within a plane
    first, other = rows[0, :CROSS], rows[1, :CROSS]
    other = other - (other * first).sum(1, keepdims=True) * first
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    rows[1, :CROSS] = cosine * first + np.sqrt(1 - cosine**2) * other
    offset = world.standard_normal((2, WIDTH)) / np.sqrt(WIDTH)
    drawn = {kind: _draw_present(rng, count, KINDS.count(kind)) for kind in MODALITIES}
    nothing = np.zeros((count, SINGLE), bool)
    present = [
        np.concatenate([drawn["cross"], drawn["vision"], nothing], 1),
        np.concatenate([drawn["cross"], nothing, drawn["language"]], 1),
    ]
    sides = []
    for side, scale in ((0, 1.0), (1, 0.7)):
        strength = present[side] * rng.uniform(0.5, 1.5, present[side].shape)
        x = scale * (strength @ rows[side]) + offset[side] + 0.02 * rng.standard_normal((count, WIDTH))
        sides.append(torch.from_numpy(x.astype(np.float32)))
    empty = np.zeros((count, 0), np.int64)
    return Concepts(Embedded(sides[0], sides[1], [""] * count, empty, empty.astype(bool)), present[0], present[1])


def _draw_present(rng: np.random.Generator, count: int, concepts: int) -> np.ndarray:
    """Bool `[count, concepts]`, AT_ONCE of each row true."""
    return np.asarray(rng.random((count, concepts)).argsort(1).argsort(1) < AT_ONCE)


def study(seed: int, quick: bool) -> dict[str, Any]:
    """Measure every objective at each cosine; print a table.

    Args:
        seed: the first of the seeds.
        quick: one seed, fewer pairs and steps.

    Returns:
        The figures, for JSON.
    """
    count, steps, seeds = (6000, 800, 1) if quick else (20_000, 3000, 3)
    jobs = [(name, cosine, s) for name in OBJECTIVES for cosine in COSINES for s in range(seeds)]
    measure = partial(_measure, seed=seed, count=count, steps=steps)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        results = dict(zip(jobs, pool.map(measure, jobs), strict=True))
    rows = []
    for name in OBJECTIVES:
        for cosine in COSINES:
            per_seed = [results[name, cosine, s] for s in range(seeds)]
            means = {key: mean_over_seeds([figures[key] for figures in per_seed]) for key in per_seed[0]}
            rows.append({"objective": name, "cosine": cosine} | means)
    print(table(rows))
    return {"concepts": rows, "pairs": count, "steps": steps, "seeds": seeds}


def _measure(job: tuple[str, float, int], seed: int, count: int, steps: int) -> dict[str, float]:
    name, cosine, number = job
    train, matching, scoring = (draw_concepts(seed + number, cosine, count + n) for n in (0, 1, 2))
    config = TrainingConfig(steps, batch_size=256, seed=number)
    trained = train_dictionaries(name, train.pairs.image, train.pairs.text, _SIZES, config)
    dictionaries, latents = match_latents(trained, matching.pairs, train.pairs if OBJECTIVES[name].probe else None)
    active = encode_pairs(dictionaries, scoring.pairs).of(latents)
    scores = np.maximum(f1(active.image > 0, scoring.image), f1(active.text > 0, scoring.text))
    best, concept = scores.max(1), scores.argmax(1)
    labels = [absolute_rule(s) for s in active.scores(resamples=1)]
    identified = np.flatnonzero(best >= LEAST_CONFIDENCE)
    right = {int(concept[k]) for k in identified if labels[k] == KINDS[concept[k]]}
    halves = {side: {int(concept[k]) for k in identified if labels[k] == side} for side in MODALITIES}
    seen = {int(concept[k]) for k in identified if KINDS[concept[k]] == "cross"}
    return {
        "precision": float(np.mean([labels[k] == KINDS[concept[k]] for k in identified])) if len(identified) else 0.0,
        **{f"recall {m}": len([c for c in right if KINDS[c] == m]) / KINDS.count(m) for m in MODALITIES},
        "split": len(seen & halves["vision"] & halves["language"]) / max(1, len(seen)),
        "FVU": (fvu(dictionaries.image, scoring.pairs.image) + fvu(dictionaries.text, scoring.pairs.text)) / 2,
    }  # fmt: skip
