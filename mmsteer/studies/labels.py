"""Are the labels right? Every objective against the known factors of the world, with controls, nulls and seeds.

A feature is *identified* when its firing detects one factor value with F1 >= 0.7 on its stronger side: then its true
modality is known. On fresh pairs, per objective:
  precision  of the identified features, the share whose label (`mmsteer.bank.mds.absolute_rule`) is the truth
  recall     of the factor values that a linear probe reads from the embeddings, the share with an identified and rightly
             labelled feature
  split      of the cross-modal values with an identified feature, the share with one labelled vision-only and one labelled
             language-only
Brackets are the lowest and the highest seed; those of precision a 95 % interval over the features of all seeds.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from mmsteer.bank import MODALITIES
from mmsteer.labelling.naming.known_names import LEAST_CONFIDENCE
from mmsteer.studies.measures.cases import Value
from mmsteer.studies.measures.label_controls import agreements, captioning_rates, null
from mmsteer.studies.measures.objective_runs import DatasetSplits, Job, Run, run_job, write_untrained
from mmsteer.studies.measures.shares import mean_over_seeds, share
from mmsteer.studies.measures.truth import LabelledFeature, decodable, values
from mmsteer.studies.report import table
from mmsteer.training.objectives import OBJECTIVES
from mmsteer.world.factors import FACTORS, INDEX, label

TARGETS = {"precision": 0.98, "recall": 0.95, "split": 0.05}
DEFAULT = "matryoshka"
"""The objective of the shipped bank."""


def study(seed: int, quick: bool) -> dict[str, Any]:
    """Measure every objective over seeds; print tables.

    Args:
        seed: of the pairs, and the first of the training seeds.
        quick: one seed, fewer pairs and steps.

    Returns:
        The figures, for JSON.
    """
    pairs, held_out, steps, seeds = (3000, 2000, 40, 1) if quick else (30_000, 12_000, 1500, 3)
    kinds = _kinds()
    jobs = [Job(*kind, seed=seed + s, steps=steps) for s in range(seeds) for kind in kinds]
    with TemporaryDirectory() as folder:
        splits = DatasetSplits(Path(folder), seed, pairs, held_out)
        write_untrained(splits.folder / "untrained")
        _, matching, scoring = splits.embed("world")
        splits.embed("untrained")
        runs = _run_all(jobs, splits)
    readable = decodable(matching, scoring)
    lost = [label(*v) for v in values() if v not in readable]
    print(
        f"linear probes read {len(readable)} factor values (F1 >= {LEAST_CONFIDENCE}, held out); not {', '.join(lost) or 'any'}\n"
    )
    rows = [_row([run for run in runs if run.job.name == kind[0]], readable) for kind in kinds]
    print(table([{k: v for k, v in row.items() if k not in ("confusion", "source")} for row in rows]))
    default = [run for run in runs if run.job.name == DEFAULT]
    nulls = [null(run, scoring) for run in default]
    print("\nthe score against its null (sides of random pairs exchanged), and labels of one seed against another\n")
    agreement = agreements(default, scoring)
    print(table(nulls + agreement))
    rates = captioning_rates(default[0], scoring)
    print(
        "\nidentified cross-modal features of the default, the same pictures with captions that mention a share of the factors\n"
    )
    print(table(rates))
    similar = [row for run in runs if run.job.seed == seed and run.job.world == "world" for row in run.similarity]
    print("\nhow alike the samples are on which features fire, by the world's factors: means over features\n")
    print(table(similar))
    return {
        "objectives": rows, "readable": sorted(label(*v) for v in readable), "not readable": lost, "nulls": nulls,
        "agreement": agreement, "rates": rates, "similarity": similar, "targets": TARGETS,
        "scores": [{"MDS": f.score.mds, "truth": f.truth} for f in default[0].features],
        "pairs": pairs, "held_out": held_out, "steps": steps, "seeds": seeds,
    }  # fmt: skip


def _kinds() -> list[tuple[str, str, bool, str]]:
    """Name, objective, whether the cross-modal probe is used, and world of what is compared: objectives, then controls."""
    kinds = [(name, name, objective.probe, "world") for name, objective in OBJECTIVES.items()]
    kinds.insert(1, (f"{DEFAULT}, no probe", DEFAULT, False, "world"))
    probe = OBJECTIVES[DEFAULT].probe
    return [
        *kinds,
        ("shuffled pairs", DEFAULT, probe, "shuffled"),
        ("untrained clip", DEFAULT, probe, "untrained"),
    ]


def _run_all(jobs: list[Job], splits: DatasetSplits) -> list[Run]:
    """Run jobs in as many processes as there are cores."""
    runs = []
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for done in pool.map(partial(run_job, splits=splits), jobs):
            runs.append(done)
            print(f"  {len(runs)}/{len(jobs)} {done.job.name}, seed {done.job.seed}   ", end="\r", flush=True)
    return runs


def _row(runs: list[Run], readable: set[Value]) -> dict[str, Any]:
    """One objective over its seeds."""
    identified = [[f for f in run.features if f.value is not None] for run in runs]
    every = [f for features in identified for f in features]
    confusion = {truth: dict.fromkeys(MODALITIES, 0) for truth in MODALITIES}
    for feature in every:
        assert feature.truth
        confusion[feature.truth][feature.label] += 1
    recall = {m: mean_over_seeds([_recall(features, readable, m) for features in identified]) for m in MODALITIES}
    splits = [split for features in identified if (split := _split(features)) is not None]

    def mean(side: str, key: str) -> float:
        return float(np.mean([run.sides[side][key] for run in runs]))

    job = runs[0].job
    return {
        "objective": job.name, "source": OBJECTIVES[job.objective].source, "identified": round(len(every) / len(runs)),
        "precision": share(sum(f.label == f.truth for f in every), len(every)),
        **{f"recall {m}": recall[m] for m in MODALITIES},
        "macro": float(np.mean([r.value for r in recall.values()])), "split": float(np.mean(splits)) if splits else float("nan"),
        "FVU image": mean("image", "fvu"), "FVU text": mean("text", "fvu"), "L0 image": mean("image", "l0"),
        "L0 text": mean("text", "l0"), "dead": (mean("image", "dead") + mean("text", "dead")) / 2,
        "s": round(float(np.mean([run.seconds for run in runs]))), "confusion": confusion,
    }  # fmt: skip


def _recall(identified: list[LabelledFeature], readable: set[Value], modality: str) -> float:
    wanted = {v for v in readable if FACTORS[INDEX[v[0]]].modality == modality}
    labelled = {f.value for f in identified if f.label == modality} & wanted
    return len(labelled) / len(wanted)


def _split(identified: list[LabelledFeature]) -> float | None:
    """Share of the cross-modal values with an identified feature that are split; None where there is no such value."""
    labels: dict[Value | None, set[str]] = {}
    for feature in identified:
        if feature.truth == "cross":
            labels.setdefault(feature.value, set()).add(feature.label)
    return float(np.mean([{"vision", "language"} <= of_value for of_value in labels.values()])) if labels else None
