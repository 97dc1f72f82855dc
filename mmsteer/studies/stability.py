"""Does a bank come back, and do activations stay put? Builds with other seeds, and tiny changes of pictures and captions.

Three builds with the same settings are compared: the shipped bank, and two with other seeds and so other pairs and initial
weights (`mmsteer.studies.measures.rebuilds`). A feature with a match is found in that build. The null: the highest cosine with
any feature that is known to be of another concept.
  3 of 3      share of features found in both other builds
  same label  of the features with a match, the share labelled alike (`mmsteer.bank.mds.absolute_rule`) in every build that has one
  same name   the same for names, with numbers left out and wordings of one factor value ("dog", "hound") taken as one
  hit         of the pictures that did not show the value that a feature is named after, the share that shows it once the feature
              is added at strength 1; for the match in other builds, with the same prompts and noise
  spread      highest minus lowest hit of a feature over the builds that have it, mean over features
Tiny changes are measured in `mmsteer.studies.measures.tiny_changes`.
Intervals are 95 %: of shares by Wilson, of means by bootstrap over features, of quantiles by bootstrap over pairs.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.recipes.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import Value, concept_of, index, read
from mmsteer.studies.measures.rebuilds import (
    SAME,
    Build,
    best_matches,
    cosine_matrix,
    null_cosines,
    rebuilt,
    same_name,
    settings,
)
from mmsteer.studies.measures.shares import Share, mean_with_interval, share
from mmsteer.studies.measures.tiny_changes import NOISE, tiny_changes
from mmsteer.studies.report import table
from mmsteer.world.captions import captions
from mmsteer.world.factors import DRAWN, FACTORS, INDEX, THINGS, draw_factors
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

_RESAMPLES = 200
Partners = list[Feature | None]
"""For each feature of the shipped bank, its match in another build."""


class Prompts(NamedTuple):
    """Prompts, the noise from which they are drawn, and *before* as the judge reads it."""

    texts: list[str]
    seeds: list[int]
    before: np.ndarray
    """[B, n_factors], -1 for language factors"""


def study(seed: int, quick: bool, work: Path, write: bool, build: Build) -> dict[str, Any]:
    """Build, match, draw and disturb; print tables.

    Args:
        seed: of prompts, noise and the pairs of tiny changes.
        quick: small builds, few prompts.
        work: the folder of the builds.
        write: write into the shipped bank in how many builds each feature is found.
        build: runs `bank build`.

    Returns:
        The figures, for JSON.

    Raises:
        SteerError: `write` with `quick`, whose small builds say nothing about the shipped settings.
    """
    if write and quick:
        raise SteerError("--write is for the full run: leave --quick out")
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    others = [rebuilt(bank, bank.meta["seed"] + k, quick, work, build) for k in (1, 2)]
    cosines = [cosine_matrix(bank, other) for other in others]
    partners: list[Partners] = [
        [None if column is None else other.features[column] for column in best_matches(cosine)]
        for other, cosine in zip(others, cosines, strict=True)
    ]
    features = _feature_rows(bank, partners, cosines)
    _add_hits(features, bank, others, partners, seed, quick)
    rows = summary_rows(bank.features, partners, features)
    print(table(rows))
    nulls = [
        {"build": f"seed {other.meta['seed']}"} | null_cosines(bank, other, cosine)
        for other, cosine in zip(others, cosines, strict=True)
    ]
    print(
        "\ncosines of named features with the nearest of another build; the null: with the nearest of another concept\n"
    )
    print(table(nulls))
    changes = tiny_changes(bank, seed, 150 if quick else 2000)
    print(f"\n|change of activation| in activation scales: pixel noise of {NOISE:g} of 255, captions in other words\n")
    print(table(changes))
    if write:
        bank.set_found_in({row["id"]: (row["found in"], 1 + len(others)) for row in features})
    return {
        "builds": [{"seed": b.meta["seed"], **settings(b)} for b in (bank, *others)],
        "same": SAME, "noise": NOISE, "summary": rows, "null": nulls, "changes": changes, "features": features,
    }  # fmt: skip


def _feature_rows(bank: FeatureBank, partners: list[Partners], cosines: list[np.ndarray]) -> list[dict[str, Any]]:
    """What each feature of the shipped bank is called and labelled in every build."""
    return [
        {
            "id": f.id, "name": f.name, "modality": f.modality, "named": f.named_by is not None,
            "found in": 1 + sum(build[k] is not None for build in partners),
            "nearest": [round(float(cosine[k].max()), 3) for cosine in cosines],
            "names": [g.name if (g := build[k]) else None for build in partners],
            "labels": [g.modality if (g := build[k]) else None for build in partners],
        }
        for k, f in enumerate(bank.features)
    ]  # fmt: skip


def _add_hits(
    features: list[dict[str, Any]], bank: FeatureBank, others: list[FeatureBank], partners: list[Partners], seed: int, quick: bool,
) -> None:  # fmt: skip
    """Add `hits` to each row, one a build: of features named after a drawn value and of their matches, else None. With `quick`
    two features of each modality are measured.
    """
    judge, steerer = Judge.load(MINI / "judge"), Steerer.load("mini")
    steerers = [Steerer(steerer.backbone, b) for b in (bank, *others)]
    count = 4 if quick else 6
    prompts = {people: _prompts(steerer, judge, seed, count, people) for people in (False, True)}
    concepts = {k: c for k, f in enumerate(bank.features) if (c := concept_of(f)) is not None and c[0] in DRAWN}
    if quick:
        first = [k for m in MODALITIES for k in [k for k in concepts if bank.features[k].modality == m][:2]]
        concepts = {k: concepts[k] for k in first}
    for row in features:
        row["hits"] = [None] * len(steerers)
    for number, (k, concept) in enumerate(concepts.items()):
        for build, feature in enumerate((bank.features[k], *(matches[k] for matches in partners))):
            if feature is not None:
                asked = prompts[concept[0] == "gender"]
                features[k]["hits"][build] = _hit(steerers[build], judge, asked, feature, concept)
        print(f"  {number + 1}/{len(concepts)} {bank.features[k].name}   ", end="\r", flush=True)


def _prompts(steerer: Steerer, judge: Judge, seed: int, count: int, people: bool) -> Prompts:
    """Fresh prompts that mention a thing; or that mention people and leave man or woman open."""
    rng = np.random.default_rng((seed, 31, people))
    values, mentioned = draw_factors(rng, count)
    thing, gender = INDEX["thing"], INDEX["gender"]
    mentioned[:, thing] = True
    if people:
        values[:, thing] = rng.integers(len(THINGS), len(FACTORS[thing].values), count)
        mentioned[:, gender] = False
    texts, seeds = captions(rng, values, mentioned), [int(s) for s in rng.integers(0, 2**31, count)]
    return Prompts(texts, seeds, read(steerer, judge, texts, seeds))


def _hit(steerer: Steerer, judge: Judge, prompts: Prompts, feature: Feature, concept: Value) -> Share:
    k, value = INDEX[concept[0]], index(concept)
    after = read(steerer, judge, prompts.texts, prompts.seeds, [Edit(feature.id)])
    absent = prompts.before[:, k] != value
    return share(int((absent & (after[:, k] == value)).sum()), int(absent.sum()))


def summary_rows(bank: list[Feature], partners: list[Partners], features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for the named features of each modality, and one for those without a sure name.

    Args:
        bank: the features of the shipped bank.
        partners: their matches, a list for each other build.
        features: a row for each feature, with "found in" and "hits".
    """
    groups: dict[str, list[int]] = {
        m: [k for k, f in enumerate(bank) if f.modality == m and f.named_by is not None] for m in MODALITIES
    }
    groups["no sure name"] = [k for k, f in enumerate(bank) if f.named_by is None]
    rows = []
    for title, group in groups.items():
        matches = {k: [g for build in partners if (g := build[k]) is not None] for k in group}
        back = [k for k in group if matches[k]]
        hits = [features[k]["hits"] for k in group if features[k]["hits"][0] is not None]
        named = title != "no sure name"
        rows.append({
            "features": title, "count": len(group),
            **{f"{n} of 3": share(sum(features[k]["found in"] == n for k in group), len(group)) for n in (3, 2, 1)},
            "same label": share(sum(all(g.modality == bank[k].modality for g in matches[k]) for k in back), len(back)),
            "same name": share(sum(all(same_name(bank[k], g) for g in matches[k]) for k in back), len(back) if named else 0),
            "hit": _pooled([row[0] for row in hits]),
            "hit of matches": _pooled([hit for row in hits for hit in row[1:] if hit is not None]),
            "spread": mean_with_interval([s for row in hits if (s := spread(row)) is not None], _RESAMPLES),
        })  # fmt: skip
    return rows


def spread(hits: list[Share | None]) -> float | None:
    """Highest minus lowest hit over the builds that have one; None where fewer than two do."""
    values = [hit.value for hit in hits if hit is not None and hit.trials]
    return max(values) - min(values) if len(values) > 1 else None


def _pooled(shares: list[Share]) -> Share:
    return share(round(sum(s.value * s.trials for s in shares if s.trials)), sum(s.trials for s in shares))
