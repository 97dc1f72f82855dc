"""What stands beside precision and recall of labels: nulls, agreement over seeds, captioning rates.

Every function takes features of a run and fresh pairs, and returns rows for a table.
"""

from itertools import combinations
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.bank.mds import absolute_rule, separation, swap_null
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import encode_pairs
from mmsteer.labelling.match import match_codes
from mmsteer.studies.measures.objective_runs import Run
from mmsteer.studies.measures.shares import share
from mmsteer.world.captions import captions
from mmsteer.world.embedding import load_clip
from mmsteer.world.factors import INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.clip import tokens

_RATES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)


def null(run: Run, scoring: Embedded) -> dict[str, Any]:
    """How well MDS separates one-sided from cross-modal features, as it is and with the sides of random pairs exchanged."""
    active = encode_pairs(run.dictionaries, scoring).of(run.latents)
    image, text = swap_null(active.image, active.text)
    truth = np.array([f.truth or "" for f in run.features])
    figures = []
    for measured in (active, active._replace(image=image, text=text)):
        scores = np.array([s.mds for s in measured.scores(resamples=1)])
        figures.append(separation(scores[(truth == "vision") | (truth == "language")], scores[truth == "cross"]))
    return {"compared": f"seed {run.job.seed}, its null", "AUC of |MDS - 1/2|": figures[0], "of the null": figures[1],
            "features matched": "-", "same label": "-"}  # fmt: skip


def agreements(runs: list[Run], scoring: Embedded) -> list[dict[str, Any]]:
    """Features of two seeds matched by activation on both sides (correlation >= 0.5): how many have the same label."""
    activations = []
    for run in runs:
        active = encode_pairs(run.dictionaries, scoring).of(run.latents)
        activations.append(torch.from_numpy(np.concatenate([active.image, active.text])))
    rows = []
    for a, b in combinations(range(len(runs)), 2):
        pairs = match_codes(activations[a], activations[b], min_correlation=0.5)
        same = sum(
            runs[a].features[i].label == runs[b].features[j].label for i, j in zip(pairs.image, pairs.text, strict=True)
        )
        rows.append({
            "compared": f"seeds {runs[a].job.seed} and {runs[b].job.seed}", "AUC of |MDS - 1/2|": "-", "of the null": "-",
            "features matched": share(len(pairs.image), min(len(runs[a].features), len(runs[b].features))),
            "same label": share(same, len(pairs.image)),
        })  # fmt: skip
    return rows


def captioning_rates(run: Run, scoring: Embedded) -> list[dict[str, Any]]:
    """MDS of cross-modal features where the same pictures get new captions, which mention each factor at a given rate."""
    cross = [k for k, f in enumerate(run.features) if f.truth == "cross" and f.value and f.value[0] != "gender"]
    varied = [INDEX[name] for name in ("thing", "place", "position", "size")]
    clip, tokenizer = load_clip(MINI / "clip")
    rows = []
    for rate in _RATES:
        rng = np.random.default_rng(int(1000 * rate))
        mentioned = scoring.mentioned.copy()
        mentioned[:, varied] = rng.random((len(mentioned), len(varied))) < rate
        ids = tokens(tokenizer, captions(rng, scoring.factors, mentioned))
        with torch.no_grad():
            text = torch.cat([clip.get_text_features(part).pooler_output for part in torch.split(ids, 512)])
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
