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
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mmsteer.bank import MODALITIES
from mmsteer.labelling.known_names import LEAST_CONFIDENCE
from mmsteer.studies.measures.cases import Value
from mmsteer.studies.measures.label_controls import agreements, captioning_rates, null
from mmsteer.studies.measures.objective_runs import DatasetSplits, Job, Run, run_job, write_untrained
from mmsteer.studies.measures.shares import mean_over_seeds, share
from mmsteer.studies.measures.truth import LabelledFeature, decodable, values
from mmsteer.studies.report import COLOURS, table
from mmsteer.training.objectives import OBJECTIVES
from mmsteer.world.factors import FACTORS, INDEX, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TARGETS = {"precision": 0.98, "recall": 0.95, "split": 0.05}
DEFAULT = "matryoshka"
"""The objective of the shipped bank."""


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Measure every objective over seeds; print tables; draw the figure.

    Args:
        seed: of the pairs, and the first of the training seeds.
        quick: one seed, fewer pairs and steps.
        figure: where to draw the figure.

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
    if figure:
        _figure(rows, default[0], rates, figure)
    return {
        "objectives": rows, "readable": sorted(label(*v) for v in readable), "not readable": lost, "nulls": nulls,
        "agreement": agreement, "rates": rates, "similarity": similar, "targets": TARGETS,
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


def _figure(rows: list[dict[str, Any]], run: Run, rates: list[dict[str, Any]], path: Path) -> None:
    """Draw MDS of the default's features under both rules, the curve over captioning rates, labels per objective."""
    from matplotlib.figure import Figure

    sheet = Figure((12, 8.5), layout="constrained")
    panels = sheet.subplot_mosaic([["a", "b"], ["c", "c"]], height_ratios=(1, 1.25))
    _draw_histogram(panels["a"], run)
    _draw_rates(panels["b"], rates)
    _draw_confusion(panels["c"], rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)


def _draw_histogram(histogram: "Axes", run: Run) -> None:
    mds = np.array([f.score.mds for f in run.features])
    groups: list[tuple[str, list[float]]] = [
        (m, [f.score.mds for f in run.features if f.truth == m]) for m in MODALITIES
    ]
    groups.append(("not identified", [f.score.mds for f in run.features if f.truth is None]))
    histogram.hist(
        [g for _, g in groups], np.linspace(0, 1, 26).tolist(), stacked=True, label=[f"{m} ({len(g)})" for m, g in groups],
        color=[COLOURS.get(m, "#c8c8c8") for m, _ in groups],
    )  # fmt: skip
    for cut in (mds.mean() - mds.std(), mds.mean() + mds.std()):
        histogram.axvline(cut, color="black", linestyle=":", label="paper's rule" if cut < mds.mean() else None)
    for cut in (0.2, 0.8):
        histogram.axvline(cut, color="black", linestyle="--", label="0.2 and 0.8" if cut < 0.5 else None)
    histogram.set(title="MDS of the default's features, coloured by truth", ylabel="features")
    histogram.set_xlabel("captions only  ←  MDS  →  pictures only")
    histogram.legend(edgecolor="none", framealpha=1, fontsize=8, loc="upper right")


def _draw_rates(panel: "Axes", rates: list[dict[str, Any]]) -> None:
    shares = [row["told"] for row in rates]
    panel.plot(shares, [row["1 - told/2"] for row in rates], "k--", label="1 - share / 2")
    panel.plot(shares, [row["MDS"] for row in rates], "o-", color=COLOURS["vision"], label="MDS")
    both = [row["MDS where both fire"] for row in rates]
    panel.plot(shares, both, "s-", color=COLOURS["cross"], label="MDS where both fire")
    panel.set(title="Cross-modal concepts, captioned more or less often", ylim=(0, 1))
    panel.set_xlabel("share of captions that mention the concept")
    panel.legend(frameon=False)


def _draw_confusion(confusion: "Axes", rows: list[dict[str, Any]]) -> None:
    names, width = [row["objective"] for row in rows], 0.26
    for offset, truth in enumerate(MODALITIES):
        total = [sum(row["confusion"][truth].values()) for row in rows]
        for x, n in enumerate(total):
            confusion.text(x + (offset - 1) * width, 1.01, f"{truth[0]}\n{n}", ha="center", va="bottom", size=7)
        bottom = np.zeros(len(rows))
        for modality in MODALITIES:
            height = np.array([row["confusion"][truth][modality] for row in rows]) / np.maximum(total, 1)
            places, once = np.arange(len(rows)) + (offset - 1) * width, None if offset else f"labelled {modality}"
            confusion.bar(places, height, width * 0.92, bottom, color=COLOURS[modality], label=once)
            bottom += height
    confusion.set_title(
        "Labels of identified features by truth: vision, language, cross, and how many over all seeds", pad=24
    )
    confusion.set(ylabel="share", ylim=(0, 1))
    confusion.set_xticks(range(len(rows)), [name.replace(", ", ",\n").replace(" ", "\n", 1) for name in names])
    confusion.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.14))
