"""Are the labels right? Every objective against the known factors of the world, with controls, nulls and seeds.

A feature is *identified* when its firing detects one factor value with F1 >= 0.7 on its stronger side: then its true
modality is known. On fresh pairs, per objective:
  precision  of identified features, the share whose label (`mmsteer.bank.mds.absolute_rule`) is the truth
  recall     of the factor values that a linear probe can read from the embeddings, the share with an identified and
             rightly labelled feature
  split      of cross values with an identified feature, the share with one labelled vision and one labelled language
Brackets are the lowest and the highest of the seeds; those of precision a 95 % interval over features of all seeds.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.bank import MODALITIES
from mmsteer.bank.mds import absolute_rule, separation, swap_null
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import Codes, FeatureLatents, encode_pairs
from mmsteer.labelling.known_names import LEAST_CONFIDENCE
from mmsteer.labelling.match import match_codes, match_latents
from mmsteer.studies.monosemanticity import cross_monosemanticity, monosemanticity, top_similarity
from mmsteer.studies.report import COLOURS, Share, share, table
from mmsteer.studies.truth import Found, Value, decodable, identify, values
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries, quality
from mmsteer.training.objectives import OBJECTIVES, train_dictionaries
from mmsteer.world.captions import captions
from mmsteer.world.embedding import embed_world, load_clip
from mmsteer.world.factors import FACTORS, INDEX, label
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.clip import tokens

TARGETS = {"precision": 0.98, "recall": 0.95, "split": 0.05}
DEFAULT = "matryoshka"
_RATES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
_TOP = (10, 20, 50, 100)


class Job(NamedTuple):
    """One training run, and the world it is measured in."""

    name: str
    objective: str
    read: bool
    """Whether single latents are read across (`mmsteer.labelling.cross_modal_probe`)."""
    world: str
    """`world`, `shuffled` (pictures with the captions of others) or `untrained` (a CLIP that learned
    nothing)."""
    seed: int
    steps: int


class Sample(NamedTuple):
    """Which pairs a study is made on."""

    folder: Path
    seed: int
    pairs: int
    held: int
    """Half of them to match on, half to score on."""

    def embed(self, world: str) -> tuple[Embedded, Embedded, Embedded]:
        """Pairs to train on, to match on, to score on; embedded once, then read from the folder."""
        clip = self.folder / "untrained" if world == "untrained" else MINI / "clip"
        train = embed_world(clip, self.seed + 1, self.pairs, self.folder)
        apart = embed_world(clip, self.seed + 2, self.held, self.folder)
        return train, apart.part(0, self.held // 2), apart.part(self.held // 2, self.held)


class Run(NamedTuple):
    """What a job led to."""

    job: Job
    seconds: float
    dictionaries: Dictionaries
    latents: list[FeatureLatents]
    features: list[Found]
    sides: dict[str, dict[str, float]]
    similarity: list[dict[str, Any]]


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Measure every objective over seeds; print tables; draw the figure."""
    pairs, held, steps, seeds = (3000, 2000, 40, 1) if quick else (30_000, 12_000, 1500, 3)
    kinds = [(name, name, objective.probe, "world") for name, objective in OBJECTIVES.items()]
    kinds.insert(1, (f"{DEFAULT}, nothing read", DEFAULT, False, "world"))
    kinds += [
        (f"{world} {of}", DEFAULT, OBJECTIVES[DEFAULT].probe, world)
        for world, of in (("shuffled", "pairs"), ("untrained", "clip"))
    ]
    jobs = [Job(*kind, seed=seed + s, steps=steps) for s in range(seeds) for kind in kinds]
    with TemporaryDirectory() as folder:
        sample = Sample(Path(folder), seed, pairs, held)
        _write_untrained(sample.folder / "untrained")
        _, matching, scoring = sample.embed("world")
        sample.embed("untrained")
        runs = []
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            for run in pool.map(partial(_run, sample=sample), jobs):
                runs.append(run)
                print(f"  {len(runs)}/{len(jobs)} {run.job.name}, seed {run.job.seed}   ", end="\r", flush=True)
    readable = decodable(matching, scoring)
    lost = [label(*v) for v in values() if v not in readable]
    print(
        f"linear probes read {len(readable)} factor values (F1 >= {LEAST_CONFIDENCE}, held out); not {', '.join(lost) or 'any'}\n"
    )
    rows = [_row([run for run in runs if run.job.name == kind[0]], readable) for kind in kinds]
    print(table([{k: v for k, v in row.items() if k not in ("confusion", "source")} for row in rows]))
    default = [run for run in runs if run.job.name == DEFAULT]
    nulls = [_nulls(run, scoring) for run in default]
    print("\nthe score against its null (sides of random pairs exchanged), and labels of one seed against another\n")
    agreement = _agreements(default, scoring)
    print(table(nulls + agreement))
    curve = _rates(default[0], scoring)
    print("\nidentified cross features of the default, the same pictures captioned anew: a share tells each factor\n")
    print(table(curve))
    similar = [row for run in runs if run.job.seed == seed and run.job.world == "world" for row in run.similarity]
    print("\nhow alike the samples are on which features fire, by the world's factors: means over features\n")
    print(table(similar))
    if figure:
        _figure(rows, default[0], curve, figure)
    return {
        "objectives": rows, "readable": sorted(label(*v) for v in readable), "not readable": lost, "nulls": nulls,
        "agreement": agreement, "rates": curve, "similarity": similar, "targets": TARGETS,
        "pairs": pairs, "held_out": held, "steps": steps, "seeds": seeds,
    }  # fmt: skip


def _write_untrained(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    torch.manual_seed(0)
    CLIPModel(CLIPConfig.from_pretrained(MINI / "clip")).save_pretrained(folder)
    for part in (CLIPTokenizer, CLIPImageProcessorPil):
        part.from_pretrained(MINI / "clip").save_pretrained(folder)


def _run(job: Job, sample: Sample) -> Run:
    train, matching, scoring = sample.embed(job.world)
    told = scoring
    if job.world == "shuffled":
        train, matching, told = (_shuffled(part) for part in (train, matching, scoring))
        scoring = scoring._replace(text=told.text)
    began = monotonic()
    sizes, config = DictionarySizes(), TrainingConfig(job.steps, seed=job.seed)
    dictionaries = train_dictionaries(job.objective, train.image, train.text, sizes, config)
    dictionaries, latents = match_latents(dictionaries, matching, train if job.read else None)
    seconds = monotonic() - began
    active = encode_pairs(dictionaries, scoring).of(latents)
    values = identify(active, scoring, told)
    features = [Found(absolute_rule(s), s, v) for s, v in zip(active.scores(resamples=1), values, strict=True)]
    sides = {"image": quality(dictionaries.image, scoring.image), "text": quality(dictionaries.text, scoring.text)}
    return Run(job, seconds, dictionaries, latents, features, sides, _similarity(job.name, active, scoring))


def _shuffled(pairs: Embedded) -> Embedded:
    """Captions of other pictures: text, captions and what they tell in another order; pictures as they were."""
    order = np.random.default_rng(0).permutation(len(pairs.captions))
    return Embedded(
        pairs.image, pairs.text[torch.from_numpy(order)], [pairs.captions[i] for i in order], pairs.factors[order],
        pairs.mentioned[order],
    )  # fmt: skip


def _row(runs: list[Run], readable: set[Value]) -> dict[str, Any]:
    """One objective over its seeds."""
    right, identified, splits, recalls = 0, 0, [], {m: [] for m in MODALITIES}  # type: ignore[var-annotated]
    confusion = {truth: dict.fromkeys(MODALITIES, 0) for truth in MODALITIES}
    for run in runs:
        named = [f for f in run.features if f.value is not None]
        identified += len(named)
        right += sum(f.label == f.truth for f in named)
        for feature in named:
            confusion[feature.truth][feature.label] += 1  # type: ignore[index]
        for modality in MODALITIES:
            wanted = {v for v in readable if FACTORS[INDEX[v[0]]].modality == modality}
            got = {f.value for f in named if f.label == modality} & wanted
            recalls[modality].append(len(got) / len(wanted))
        labels = {v: {f.label for f in named if f.value == v} for v in {f.value for f in named if f.truth == "cross"}}
        if labels:
            splits.append(float(np.mean([{"vision", "language"} <= s for s in labels.values()])))
    recall = {m: over_seeds(values) for m, values in recalls.items()}

    def mean(side: str, key: str) -> float:
        return float(np.mean([run.sides[side][key] for run in runs]))

    job = runs[0].job
    return {
        "objective": job.name, "source": OBJECTIVES[job.objective].source, "identified": round(identified / len(runs)),
        "precision": share(right, identified), **{f"recall {m}": recall[m] for m in MODALITIES},
        "macro": float(np.mean([r.value for r in recall.values()])), "split": float(np.mean(splits)) if splits else float("nan"),
        "FVU image": mean("image", "fvu"), "FVU text": mean("text", "fvu"), "L0 image": mean("image", "l0"),
        "L0 text": mean("text", "l0"), "dead": (mean("image", "dead") + mean("text", "dead")) / 2,
        "s": round(float(np.mean([run.seconds for run in runs]))), "confusion": confusion,
    }  # fmt: skip


def over_seeds(values: list[float]) -> Share:
    """The mean, and between which values seeds lie."""
    return Share(float(np.mean(values)), min(values), max(values), len(values))


def _nulls(run: Run, scoring: Embedded) -> dict[str, Any]:
    """How well MDS tells one-sided from cross features, as it is and with sides exchanged."""
    active = encode_pairs(run.dictionaries, scoring).of(run.latents)
    image, text = swap_null(active.image, active.text)
    truth = np.array([f.truth or "" for f in run.features])
    figures = []
    for some in (active, active._replace(image=image, text=text)):
        scores = np.array([s.mds for s in some.scores(resamples=1)])
        figures.append(separation(scores[(truth == "vision") | (truth == "language")], scores[truth == "cross"]))
    return {"compared": f"seed {run.job.seed}, its null", "AUC of |MDS - 1/2|": figures[0], "of the null": figures[1],
            "features matched": "-", "same label": "-"}  # fmt: skip


def _agreements(runs: list[Run], scoring: Embedded) -> list[dict[str, Any]]:
    """Features of two seeds matched by activation on both sides (correlation >= 0.5): how many agree in label."""
    sides = []
    for run in runs:
        active = encode_pairs(run.dictionaries, scoring).of(run.latents)
        sides.append(torch.from_numpy(np.concatenate([active.image, active.text])))
    rows = []
    for a, b in combinations(range(len(runs)), 2):
        pairs = match_codes(sides[a], sides[b], min_correlation=0.5)
        same = sum(
            runs[a].features[i].label == runs[b].features[j].label for i, j in zip(pairs.image, pairs.text, strict=True)
        )
        rows.append({
            "compared": f"seeds {runs[a].job.seed} and {runs[b].job.seed}", "AUC of |MDS - 1/2|": "-", "of the null": "-",
            "features matched": share(len(pairs.image), min(len(runs[a].features), len(runs[b].features))),
            "same label": share(same, len(pairs.image)),
        })  # fmt: skip
    return rows


def _rates(run: Run, scoring: Embedded) -> list[dict[str, Any]]:
    """MDS where the very same pictures are captioned anew, each factor told in a share of captions."""
    cross = [k for k, f in enumerate(run.features) if f.truth == "cross" and f.value and f.value[0] != "gender"]
    told_factors = [INDEX[name] for name in ("thing", "place", "position", "size")]
    clip, tokenizer = load_clip(MINI / "clip")
    rows = []
    for rate in _RATES:
        rng = np.random.default_rng(int(1000 * rate))
        told = scoring.mentioned.copy()
        told[:, told_factors] = rng.random((len(told), len(told_factors))) < rate
        ids = tokens(tokenizer, captions(rng, scoring.factors, told))
        with torch.no_grad():
            text = torch.cat([clip.get_text_features(part).pooler_output for part in ids.split(512)])
        active = encode_pairs(run.dictionaries, scoring._replace(text=F.normalize(text, dim=1))).of(
            [run.latents[k] for k in cross]
        )
        scores = active.scores(resamples=1)
        rows.append({
            "told": rate, "1 - told/2": 1 - rate / 2, "MDS": float(np.mean([s.mds for s in scores])),
            "MDS where both fire": float(np.nanmean([s.both for s in scores])),
            "P(both | either)": float(np.mean([s.p_both for s in scores])),
            "labelled cross": share(sum(absolute_rule(s) == "cross" for s in scores), len(scores)),
            "MDS alone would say": share(sum(0.2 <= s.mds <= 0.8 for s in scores), len(scores)),
        })  # fmt: skip
    return rows


def _similarity(name: str, active: Codes, pairs: Embedded) -> list[dict[str, Any]]:
    """Interpretability metrics of both sides, the world's factors as the embedding: two samples are as alike as the share
    of drawn (or told) factors on which they agree.
    """
    every = np.ones_like(pairs.mentioned)
    drawn = _alike(pairs.factors, every, [i for i, f in enumerate(FACTORS) if f.modality != "language"])
    told = _alike(pairs.factors, pairs.mentioned, [i for i, f in enumerate(FACTORS) if f.modality != "vision"])
    cross = [i for i, f in enumerate(FACTORS) if f.modality == "cross"]
    shared = [_alike(pairs.factors, seen, cross) for seen in (every, pairs.mentioned)]
    z_image, z_text = torch.from_numpy(active.image), torch.from_numpy(active.text)
    mms = float(cross_monosemanticity(z_image, shared[0], z_text, shared[1]).nanmean())
    rows = []
    for side, z, e in (("image", z_image, drawn), ("text", z_text, told)):
        tops = {m: top_similarity(z, e, m) for m in _TOP}
        rows.append(
            {"objective": name, "side": side}
            | {f"EmbSim {m}": float(t.emb_sim.nanmean()) for m, t in tops.items()}
            | {f"WinRate {m}": float(t.win_rate.nanmean()) for m, t in tops.items()}
            | {"MS": float(monosemanticity(z, e).nanmean()), "MMS": mms}
        )
    return rows


def _alike(values: np.ndarray, seen: np.ndarray, factors: list[int]) -> torch.Tensor:
    """Samples `[N, n_values]` as which of the factors' values they show: one-hot, zeros for what is not seen."""
    columns = [(values[:, i, None] == np.arange(len(FACTORS[i].values))) & seen[:, i, None] for i in factors]
    return torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))


def _figure(rows: list[dict[str, Any]], run: Run, curve: list[dict[str, Any]], path: Path) -> None:
    """MDS of the default's features under both rules, the curve over captioning rates, labels per objective."""
    from matplotlib.figure import Figure

    sheet = Figure((12, 8.5), layout="constrained")
    histogram, rates, confusion = sheet.subplot_mosaic([["a", "b"], ["c", "c"]], height_ratios=(1, 1.25)).values()
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

    told = [row["told"] for row in curve]
    rates.plot(told, [row["1 - told/2"] for row in curve], "k--", label="1 - share / 2")
    rates.plot(told, [row["MDS"] for row in curve], "o-", color=COLOURS["vision"], label="MDS")
    both = [row["MDS where both fire"] for row in curve]
    rates.plot(told, both, "s-", color=COLOURS["cross"], label="MDS where both fire")
    rates.set(title="Cross concepts, captioned more or less often", ylim=(0, 1))
    rates.set_xlabel("share of captions that tell the concept")
    rates.legend(frameon=False)

    names, width = [row["objective"] for row in rows], 0.26
    for offset, truth in enumerate(MODALITIES):
        total = [sum(row["confusion"][truth].values()) for row in rows]
        for x, n in enumerate(total):
            confusion.text(x + (offset - 1) * width, 1.01, f"{truth[0]}\n{n}", ha="center", va="bottom", size=7)
        bottom = np.zeros(len(rows))
        for said in MODALITIES:
            height = np.array([row["confusion"][truth][said] for row in rows]) / np.maximum(total, 1)
            places, told_once = np.arange(len(rows)) + (offset - 1) * width, None if offset else f"labelled {said}"
            confusion.bar(places, height, width * 0.92, bottom, color=COLOURS[said], label=told_once)
            bottom += height
    confusion.set_title(
        "Labels of identified features by truth: vision, language, cross, and how many over all seeds", pad=24
    )
    confusion.set(ylabel="share", ylim=(0, 1))
    confusion.set_xticks(range(len(rows)), [name.replace(", ", ",\n").replace(" ", "\n", 1) for name in names])
    confusion.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)
