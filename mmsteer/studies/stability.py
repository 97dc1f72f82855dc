"""Does a bank come back, and do activations stay put? Builds with other seeds, and tiny changes of pictures and captions.

Three builds with the same settings: the shipped bank, and two whose seeds, and with them pairs and initial weights, are
others. Per build, features are matched one to one by the cosine of their steering vectors, taken on the side on which the
shipped feature acts. Only cosines of at least `SAME` can match; a feature with a match is found there. The null beside it:
the highest cosine with any feature that is known to be of another concept.
  3 of 3      share of features found in both other builds
  same label  of the features found anywhere, the share labelled alike (`mmsteer.bank.mds.absolute_rule`) in every build with them
  same name   the same for names, with numbers left out and wordings of one factor value ("dog", "hound") taken as one
  hit         of pictures that did not show the value a feature is named after, the share that does once it is added at
              strength 1; here, and in the other builds for the match, on the same prompts and noise
  spread      highest minus lowest hit of a feature over the builds with it, mean over features
Tiny changes: pixel noise of standard deviation `NOISE` on pictures; the same facts in another wording for captions. What
moves is |change of activation| over the activation scale (mean activation where the feature fires on the sample), of
features that fire before or after; for captions also that of presence (`mmsteer.steering.presence`). Beside it, the same between
unrelated pictures and captions.
Intervals are 95 %: of shares by Wilson, of means by bootstrap over features, of quantiles by bootstrap over pairs.
"""

import argparse
import re
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.cli import bank as bank_command
from mmsteer.errors import SteerError
from mmsteer.labelling.known_names import agrees
from mmsteer.models.clip import Clip
from mmsteer.steering.edit import Edit
from mmsteer.steering.presence import Presence
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.cases import index, intent, read
from mmsteer.studies.report import COLOURS, Share, mean_with_interval, share, table
from mmsteer.training.objectives import objective_name
from mmsteer.world.captions import caption, captions
from mmsteer.world.draws import READ
from mmsteer.world.factors import DRAWN, FACTORS, INDEX, THINGS, draw_factors
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.pairs import Batch, WorldPairs
from mmsteer.world.scheme import SCHEME

SAME = 0.8
"""Cosine of steering vectors from which on two builds have the same feature: the nearest feature of another concept
reaches it in about one case of twenty."""
NOISE = 8.0
"""Standard deviation of the noise on every pixel and channel, where values go from 0 to 255."""
_RESAMPLES = 200
_SETTINGS = ("objective", "levels", "steps", "pairs", "held_out")  # what two builds must share, beside their CLIP


class Prompts(NamedTuple):
    """Prompts, the noise they are drawn from, and *before* as the judge reads it."""

    texts: list[str]
    seeds: list[int]
    before: np.ndarray
    """[B, n_factors], -1 for language factors"""


def study(seed: int, quick: bool, figure: Path | None, work: Path, write: bool) -> dict[str, Any]:
    """Build, match, draw and disturb; print tables; with `write` note in the shipped bank where its features were found.

    SteerError for `write` with `quick`, whose small builds say nothing of the shipped settings.
    """
    if write and quick:
        raise SteerError("--write is for the full run: leave --quick out")
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    others = [_built(bank, bank.meta["seed"] + k, quick, work) for k in (1, 2)]
    cosines = [cosine_matrix(bank, other) for other in others]
    partners = [
        [None if column is None else other.features[column] for column in best_matches(cosine)]
        for other, cosine in zip(others, cosines, strict=True)
    ]
    features: list[dict[str, Any]] = [
        {
            "id": f.id, "name": f.name, "modality": f.modality, "named": f.named_by is not None,
            "found in": 1 + sum(there[k] is not None for there in partners),
            "nearest": [round(float(cosine[k].max()), 3) for cosine in cosines],
            "names": [g.name if (g := there[k]) else None for there in partners],
            "labels": [g.modality if (g := there[k]) else None for there in partners],
        }
        for k, f in enumerate(bank.features)
    ]  # fmt: skip
    _add_hits(features, bank, others, partners, seed, quick)
    rows = _rows(bank.features, partners, features)
    print(table(rows))
    nulls = [
        {"build": f"seed {other.meta['seed']}"} | _null(bank, other, cosine)
        for other, cosine in zip(others, cosines, strict=True)
    ]
    print(
        "\ncosines of named features with the nearest of another build; the null: with the nearest of another concept\n"
    )
    print(table(nulls))
    changes = _changes(bank, seed, 150 if quick else 2000)
    print(f"\n|change of activation| in activation scales: pixel noise of {NOISE:g} of 255, captions in other words\n")
    print(table(changes))
    if figure:
        _figure(features, figure)
    if write:
        bank.set_found_in({row["id"]: (row["found in"], 1 + len(others)) for row in features})
    return {
        "builds": [{"seed": b.meta["seed"], **_settings(b)} for b in (bank, *others)],
        "same": SAME, "noise": NOISE, "summary": rows, "null": nulls, "changes": changes, "features": features,
    }  # fmt: skip


# -- builds --


def _built(bank: FeatureBank, seed: int, quick: bool, work: Path) -> FeatureBank:
    """A bank built as `bank` was but with another seed, or with quick a small one; made where `work` has none yet."""
    wanted = _settings(bank)
    if quick:
        wanted |= {"steps": 120, "pairs": 1200, "held_out": 400}
    folder = work / f"{'quick' if quick else 'full'}-seed-{seed}"
    if (folder / "bank.json").is_file():
        found = FeatureBank.load(folder)
        same_clip = found.meta["clip"]["digest"] == bank.meta["clip"]["digest"]
        if same_clip and found.meta["seed"] == seed and _settings(found) == wanted:
            return found
    # small builds share their pairs, and only initial weights and the order of batches differ: embedding is most of the work
    pairs = f"world:{bank.meta['seed'] + 10}" if quick else "world"
    levels = wanted["levels"]
    parser = argparse.ArgumentParser()
    bank_command.add_arguments(parser)
    bank_command.run(parser.parse_args([
        "build", "--pairs", pairs, "--seed", str(seed), "--objective", wanted["objective"], "--image", levels["image"],
        "--text", levels["text"], "--steps", str(wanted["steps"]), "--count", str(wanted["pairs"]),
        "--held-out", str(wanted["held_out"] / wanted["pairs"]), "--out", str(folder), "--work", str(work / "embeddings"),
    ]))  # fmt: skip
    return FeatureBank.load(folder)


def _settings(bank: FeatureBank) -> dict[str, Any]:
    """What two builds must share, the objective by its present name."""
    return {key: bank.meta[key] for key in _SETTINGS} | {"objective": objective_name(bank.meta["objective"])}


# -- matching --


def cosine_matrix(bank: FeatureBank, other: FeatureBank) -> np.ndarray:
    """Cosines of steering vectors, `[n_features, n_features of other]`, on the side on which each feature of `bank` acts;
    -1 where the other feature has no latent there. So a feature with another label is still compared like with like.
    """
    theirs = {side: _vectors(other, side) for side in other.dictionaries}
    rows = [theirs[f.side] @ own for f, own in zip(bank.features, bank.directions, strict=True)]
    missing = {side: torch.tensor([_row(g, side) is None for g in other.features]) for side in other.dictionaries}
    return np.stack(
        [row.masked_fill(missing[f.side], -1.0).numpy() for f, row in zip(bank.features, rows, strict=True)]
    )


def _vectors(bank: FeatureBank, side: str) -> torch.Tensor:
    """Steering vectors of all features on one side, `[n_features, d_joint]` of unit length; of one without a latent
    there, that of latent 0.
    """
    steering = bank.tensors[f"steering_{side}"][[_row(f, side) or 0 for f in bank.features]].float()
    return steering / steering.norm(dim=1, keepdim=True).clamp(min=1e-12)


def _row(feature: Feature, side: str) -> int | None:
    return feature.image_latent if side == "image" else feature.text_latent


def best_matches(cosine: np.ndarray, least: float = SAME) -> list[int | None]:
    """For each row of `cosine [n, m]` its column in the one-to-one assignment with the largest sum of cosines (Kuhn, 1955), or
    None. Cosines below `least` count for nothing, so a row that has no partner takes nobody else's.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(cosine >= least, cosine, 0.0), maximize=True)
    matched = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if cosine[r, c] >= least}
    return [matched.get(row) for row in range(len(cosine))]


def same_name(one: Feature, other: Feature) -> bool:
    """Whether two names say the same: alike but for their number, or wordings of one factor value ("bicycle", "bike")."""
    if one.named_by is None or other.named_by is None:
        return False
    plain = [re.sub(r" \d+$", "", feature.name) for feature in (one, other)]
    return plain[0] == plain[1] or agrees(plain[0], plain[1], SCHEME) or agrees(plain[1], plain[0], SCHEME)


def _null(bank: FeatureBank, other: FeatureBank, cosine: np.ndarray) -> dict[str, Any]:
    """How near the nearest feature is, over named ones; and the nearest of another concept, where the concept is known."""
    concepts, theirs = ([intent(f) for f in b.features] for b in (bank, other))
    nearest = [float(row.max()) for feature, row in zip(bank.features, cosine, strict=True) if feature.named_by]
    alike, wrong = [], []
    for k, concept in enumerate(concepts):
        if concept is not None:
            alike += [max(cosine[k, j] for j, c in enumerate(theirs) if c == concept)] if concept in theirs else []
            wrong += [max(cosine[k, j] for j, c in enumerate(theirs) if c not in (None, concept))]
    return {
        "nearest, median": float(np.median(nearest)), "nearest, 10th percentile": float(np.quantile(nearest, 0.1)),
        "null, median": float(np.median(wrong)), "null, 95th percentile": float(np.quantile(wrong, 0.95)),
        f"null from {SAME} on": share(sum(c >= SAME for c in wrong), len(wrong)),
        f"same concept from {SAME} on": share(sum(c >= SAME for c in alike), len(alike)),
    }  # fmt: skip


# -- hits --


def _add_hits(
    features: list[dict[str, Any]], bank: FeatureBank, others: list[FeatureBank], partners: list[list[Feature | None]],
    seed: int, quick: bool,
) -> None:  # fmt: skip
    """Measure the hit of features named after a drawn value, and of their matches: `hits` of each, one a build, None where
    there is none. With quick of two features a modality.
    """
    judge, steerer = Judge.load(MINI / "judge"), Steerer.load("mini")
    steerers = [Steerer(steerer.backbone, b) for b in (bank, *others)]
    count = 4 if quick else 6
    prompts = {people: _prompts(steerer, judge, seed, count, people) for people in (False, True)}
    chosen = [k for k, f in enumerate(bank.features) if (c := intent(f)) is not None and c[0] in DRAWN]
    if quick:
        chosen = [k for m in MODALITIES for k in [k for k in chosen if bank.features[k].modality == m][:2]]
    for row in features:
        row["hits"] = [None] * len(steerers)
    for number, k in enumerate(chosen):
        concept = intent(bank.features[k])
        assert concept is not None
        for build, feature in enumerate((bank.features[k], *(there[k] for there in partners))):
            if feature is not None:
                some = prompts[concept[0] == "gender"]
                features[k]["hits"][build] = _hit(steerers[build], judge, some, feature, concept)
        print(f"  {number + 1}/{len(chosen)} {bank.features[k].name}   ", end="\r", flush=True)


def _prompts(steerer: Steerer, judge: Judge, seed: int, count: int, people: bool) -> Prompts:
    """Fresh prompts, each of which names a thing; of `people` alone, man or woman left open."""
    rng = np.random.default_rng((seed, 31, people))
    values, told = draw_factors(rng, count)
    thing, gender = INDEX["thing"], INDEX["gender"]
    told[:, thing] = True
    if people:
        values[:, thing] = rng.integers(len(THINGS), len(FACTORS[thing].values), count)
        told[:, gender] = False
    texts, seeds = captions(rng, values, told), [int(s) for s in rng.integers(0, 2**31, count)]
    return Prompts(texts, seeds, read(steerer, judge, texts, seeds))


def _hit(steerer: Steerer, judge: Judge, prompts: Prompts, feature: Feature, concept: tuple[str, str]) -> Share:
    k, value = INDEX[concept[0]], index(concept)
    after = read(steerer, judge, prompts.texts, prompts.seeds, [Edit(feature.id)])
    absent = prompts.before[:, k] != value
    return share(int((absent & (after[:, k] == value)).sum()), int(absent.sum()))


# -- summary --


def _rows(
    bank: list[Feature], partners: list[list[Feature | None]], features: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row for the named features of each modality, and one for those without a sure name."""
    groups: dict[str, list[int]] = {
        m: [k for k, f in enumerate(bank) if f.modality == m and f.named_by is not None] for m in MODALITIES
    }
    groups["no sure name"] = [k for k, f in enumerate(bank) if f.named_by is None]
    rows = []
    for title, some in groups.items():
        there = {k: [g for found in partners if (g := found[k]) is not None] for k in some}
        back = [k for k in some if there[k]]
        hits = [features[k]["hits"] for k in some if features[k]["hits"][0] is not None]
        named = title != "no sure name"
        rows.append({
            "features": title, "count": len(some),
            **{f"{n} of 3": share(sum(features[k]["found in"] == n for k in some), len(some)) for n in (3, 2, 1)},
            "same label": share(sum(all(g.modality == bank[k].modality for g in there[k]) for k in back), len(back)),
            "same name": share(sum(all(same_name(bank[k], g) for g in there[k]) for k in back), len(back) if named else 0),
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


# -- tiny changes --


def _changes(bank: FeatureBank, seed: int, count: int) -> list[dict[str, Any]]:
    """Activations before and after a tiny change, by side and modality; beside it the same between unrelated inputs."""
    clip, rng = Clip(MINI / "clip"), np.random.default_rng((seed, 32))
    batch = next(WorldPairs(seed + 1, count, READ).batches(count))
    pictures = batch.pictures.float()
    noisy = (pictures + NOISE * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))).round()
    worded, other = rephrase(rng, batch)
    seen = [_see(clip, p) for p in (batch.pictures, noisy.clamp(0, 255).to(torch.uint8))]
    said = [clip.words([batch.captions[k] for k in worded]), clip.words(other)]
    dictionaries, presence = bank.dictionaries, Presence(bank)
    measures = (
        ("pictures, activation", "image", ("vision", "cross"), seen, dictionaries["image"].encode),
        ("captions, activation", "text", ("language", "cross"), said, dictionaries["text"].encode),
        ("captions, presence", "text", ("language", "cross"), said, lambda x: presence.of(x, "text")),
    )
    rows = []
    for title, side, modalities, (x, y), code_of in measures:
        for modality, known in product(modalities, (True, False)):
            some = [f for f in bank.features if f.modality == modality and (intent(f) is not None) == known]
            latents = [row for f in some if (row := _row(f, side)) is not None]
            before, after = (code_of(vectors)[:, latents].numpy() for vectors in (x, y))
            values, item = moved(before, after)
            apart, _ = moved(before, np.roll(before, 1, axis=0))
            median, tail = (quantile_with_interval(values, item, q) for q in (0.5, 0.95))
            rows.append({
                "what": title, "modality": modality, "features": f"{len(latents)} {'named after a factor' if known else 'others'}",
                "inputs": len(before), "median": median, "95th percentile": tail,
                "unrelated, median": float(np.median(apart)) if len(apart) else float("nan"),
            })  # fmt: skip
    return rows


def rephrase(rng: np.random.Generator, batch: Batch) -> tuple[list[int], list[str]]:
    """Captions that tell the same in other words, and which captions of `batch` they are of: all that say anything and can
    be worded otherwise.
    """
    rows, texts = [], []
    for k, original in enumerate(batch.captions):
        tries = (caption(rng, batch.factors[k], batch.mentioned[k]) for _ in range(20))
        other = next((text for text in tries if text and text != original), None) if original else None
        if other is not None:
            rows.append(k)
            texts.append(other)
    return rows, texts


def moved(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|after - before| over the scale, of activations `[N, n]`, where a feature fires before or after; and the row of each
    value. The scale is a feature's mean activation where it fires before; features that never do are left out.
    """
    fires = before > 0
    scale = before.sum(0) / np.maximum(fires.sum(0), 1)
    item, feature = np.nonzero((fires | (after > 0)) & (scale > 0))
    return np.abs(after - before)[item, feature] / scale[feature], item


def quantile_with_interval(values: np.ndarray, item: np.ndarray, q: float) -> Share:
    """The quantile of `values`, with its bootstrap interval over the items they belong to."""
    if not len(values):
        return share(0, 0)
    rng, count = np.random.default_rng(0), int(item.max()) + 1
    drawn = (rng.multinomial(count, np.full(count, 1 / count)) for _ in range(_RESAMPLES))
    resampled = [np.quantile(np.repeat(values, weight[item]), q) for weight in drawn]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Share(float(np.quantile(values, q)), float(low), float(high), len(values))


def _see(clip: Clip, pictures: torch.Tensor) -> torch.Tensor:
    from PIL import Image

    shown = [Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in pictures]
    return torch.cat([clip.pictures(clip.prepare(shown[i : i + 128])) for i in range(0, len(shown), 128)]).cpu()


def _figure(features: list[dict[str, Any]], path: Path) -> None:
    """Left, cosines with the nearest feature of another build; right, the hit of each feature here and of its matches."""
    from matplotlib.figure import Figure

    sheet = Figure((11, 4.5), layout="constrained")
    left, right = sheet.subplots(1, 2)
    found = {
        m: [cosine for row in features if row["named"] and row["modality"] == m for cosine in row["nearest"]]
        for m in MODALITIES
    }
    left.hist(
        list(found.values()),
        np.linspace(-0.2, 1, 25),
        stacked=True,
        color=[COLOURS[m] for m in found],
        label=list(found),
    )
    left.axvline(SAME, color="black", dashes=(4, 4), lw=1)
    left.set(xlabel="cosine with the nearest feature of another build", ylabel="named features, two builds")
    left.legend(frameon=False)
    for row in features:
        own, *rest = row["hits"]
        for hit in rest:
            if own is not None and hit is not None:
                right.plot(own.value, hit.value, "o", color=COLOURS[row["modality"]], alpha=0.4)
    right.plot([0, 1], [0, 1], color=COLOURS["grey"], lw=1)
    right.set(xlabel="hit", ylabel="hit of its match", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)
