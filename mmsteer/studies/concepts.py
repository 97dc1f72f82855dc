"""When do labels go wrong? Every objective on synthetic vectors whose concepts, and their directions, are known.

No CLIP, no pictures: a pair is a sum of concepts on either side. A cross concept is in both vectors, along two
directions whose cosine is set; the others are in one. As cross directions part, a shared dictionary learns a concept
twice, once per modality ("Same Concept, Different Directions", 2606.29888), and its two halves are labelled vision and
language. Figures as in `mmsteer.studies.labels`: a feature is identified by F1 >= 0.7 against a concept.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import MODALITIES, Modality
from mmsteer.bank.mds import absolute_rule
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import encode_pairs
from mmsteer.labelling.known_names import LEAST_CONFIDENCE, f1
from mmsteer.labelling.match import match_latents
from mmsteer.studies.labels import over_seeds
from mmsteer.studies.report import COLOURS, table
from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
from mmsteer.training.dictionaries import fvu
from mmsteer.training.objectives import OBJECTIVES, train_dictionaries

COSINES = (1.0, 0.8, 0.5)
WIDTH, CROSS, SINGLE, AT_ONCE = 48, 24, 12, 2
"""Width of vectors; cross concepts; concepts of either side alone; how many of each kind are in a vector."""
_COUNTS: dict[Modality, int] = {"cross": CROSS, "vision": SINGLE, "language": SINGLE}
KINDS = [kind for kind, count in _COUNTS.items() for _ in range(count)]
"""The true modality of each concept."""
_GROUPS = (MatryoshkaGroup(12, 2), MatryoshkaGroup(36, 2))
_SIZES = DictionarySizes(_GROUPS, _GROUPS)


class Concepts(NamedTuple):
    """Pairs made of known concepts."""

    pairs: Embedded
    image: np.ndarray
    """bool [N, n_concepts]: which are in the picture's vector"""
    text: np.ndarray


def draw_concepts(seed: int, cosine: float, count: int) -> Concepts:
    """`count` pairs: AT_ONCE concepts of each kind that a side can hold, of strength 0.5 to 1.5 and a little noise. Sides
    have an offset of their own, and captions are shorter than pictures by 0.7: what a modality gap looks like.
    """
    world, rng = np.random.default_rng((seed, round(100 * cosine))), np.random.default_rng((seed, count))
    rows = world.standard_normal((2, len(KINDS), WIDTH))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    # the caption's direction of a cross concept: turned away from the picture's within a plane, by the cosine asked for
    first, other = rows[0, :CROSS], rows[1, :CROSS]
    other = other - (other * first).sum(1, keepdims=True) * first
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    rows[1, :CROSS] = cosine * first + np.sqrt(1 - cosine**2) * other
    offset = world.standard_normal((2, WIDTH)) / np.sqrt(WIDTH)
    present = {kind: _some(rng, count, KINDS.count(kind)) for kind in MODALITIES}
    nothing = np.zeros((count, SINGLE), bool)
    there = [
        np.concatenate([present["cross"], present["vision"], nothing], 1),
        np.concatenate([present["cross"], nothing, present["language"]], 1),
    ]
    sides = []
    for side, scale in ((0, 1.0), (1, 0.7)):
        strength = there[side] * rng.uniform(0.5, 1.5, there[side].shape)
        x = scale * (strength @ rows[side]) + offset[side] + 0.02 * rng.standard_normal((count, WIDTH))
        sides.append(torch.from_numpy(x.astype(np.float32)))
    empty = np.zeros((count, 0), np.int64)
    return Concepts(Embedded(sides[0], sides[1], [""] * count, empty, empty.astype(bool)), there[0], there[1])


def _some(rng: np.random.Generator, count: int, of: int) -> np.ndarray:
    """Bool [count, of], AT_ONCE of each row true."""
    return rng.random((count, of)).argsort(1).argsort(1) < AT_ONCE


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Measure every objective at each cosine; print a table; draw the figure."""
    count, steps, seeds = (6000, 800, 1) if quick else (20_000, 3000, 3)
    jobs = [(name, cosine, s) for name in OBJECTIVES for cosine in COSINES for s in range(seeds)]
    measure = partial(_measure, seed=seed, count=count, steps=steps)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        found = list(pool.map(measure, jobs))
    rows = []
    for name in OBJECTIVES:
        for cosine in COSINES:
            some = [f for job, f in zip(jobs, found, strict=True) if job[:2] == (name, cosine)]
            rows.append({"objective": name, "cosine": cosine} | {
                key: over_seeds([f[key] for f in some]) for key in some[0]
            })  # fmt: skip
    print(table(rows))
    if figure:
        _figure(rows, figure)
    return {"concepts": rows, "pairs": count, "steps": steps, "seeds": seeds}


def _measure(job: tuple[str, float, int], seed: int, count: int, steps: int) -> dict[str, float]:
    name, cosine, number = job
    train, matching, scoring = (draw_concepts(seed + number, cosine, count + n) for n in (0, 1, 2))
    config = TrainingConfig(steps, batch_size=256, seed=number)
    found = train_dictionaries(name, train.pairs.image, train.pairs.text, _SIZES, config)
    found, latents = match_latents(found, matching.pairs, train.pairs if OBJECTIVES[name].probe else None)
    active = encode_pairs(found, scoring.pairs).of(latents)
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
        "FVU": (fvu(found.image, scoring.pairs.image) + fvu(found.text, scoring.pairs.text)) / 2,
    }  # fmt: skip


def _figure(rows: list[dict[str, Any]], path: Path) -> None:
    """Recall of each kind of concept against the cosine, a panel an objective."""
    from matplotlib.figure import Figure

    sheet = Figure((12, 6), layout="constrained")
    panels = sheet.subplots(2, -(-len(OBJECTIVES) // 2), sharex=True, sharey=True).flat
    for panel, name in zip(panels, OBJECTIVES, strict=True):
        some = [row for row in rows if row["objective"] == name]
        for modality in MODALITIES:
            reached = [row[f"recall {modality}"].value for row in some]
            panel.plot(COSINES, reached, "o-", color=COLOURS[modality], label=modality)
        panel.set(title=name, ylim=(-0.03, 1.03), xlim=(1.03, 0.47), xticks=COSINES)
    sheet.supxlabel("cosine of a cross concept's direction in pictures and in captions")
    sheet.supylabel("share of concepts found and rightly labelled")
    sheet.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)
