"""Gender bias by the class of features: how much there is, which features carry it, and what removing a class does to it.

  detect      zero-shot gender of balanced test people; whom occupation queries find in a balanced gallery; whom occupation prompts draw
  understand  what goes of each gap when one feature alone is removed; what a probe reads from the codes of one class
  mitigate    features of a class, or as many random ones, removed from pictures' codes, captions' codes or both, by zeroing, by
              projection and by pulling to the median; baselines; what each costs in other factors and retrieval; and while drawing
With `pictures`, detection and mitigation on anyone's own CLIP, bank and pictures instead (`mmsteer.studies.bias.own`).

Figures are means over seeds and occupations (R@1: over seeds and batches), intervals 95 % by bootstrap over these; random choices
are averaged first. Differences are paired.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mmsteer.assets import ASSETS
from mmsteer.bank import FeatureBank
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.bias import verdict
from mmsteer.studies.bias.carriers import probes, single_removals, worst_cell
from mmsteer.studies.bias.drawing import Cast
from mmsteer.studies.bias.mitigation import BASELINES, LABELS, Arm, Outcome, arms
from mmsteer.studies.bias.own import study_own
from mmsteer.studies.bias.trial import Figures, Sizes, Trial, new_trial, summary
from mmsteer.studies.report import table
from mmsteer.world.factors import BIAS
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

SEEDS = 3
QUICK, FULL = Sizes(16, 16, 256, 8, 2, 2), Sizes(48, 32, 1024, 24, 5, 12)
SHOWN = ("accuracy", "gap by occupation", "usual in top K", "MaxSkew", "NDKL", "other factors", "R@1")
"""The figures of the mitigation table."""
COMPARED = ("men", "women", "gap", "gap by occupation", "MaxSkew", "other factors", "R@1")
"""The figures of which differences are written."""
Outcomes = dict[Arm, list[Outcome]]


def study(
    seed: int,
    quick: bool,
    clip: str | None = None,
    bank: Path | None = None,
    pictures: Path | None = None,
    attribute: str | None = None,
    occupation: str | None = None,
) -> dict[str, Any]:
    """Measure the planted bias, or with `pictures` the bias of one's own CLIP on them.

    Args:
        seed: the first of the seeds.
        quick: fewer people and pictures.
        clip: one's own CLIP, a folder or a hub id.
        bank: a bank of that CLIP.
        pictures: a folder with metadata.csv.
        attribute: its column with the group of each person.
        occupation: its column with the occupation, if there is one.

    Returns:
        The figures, for JSON; `text` has the sentences.
    """
    given = {
        "--clip": clip,
        "--bank": bank,
        "--pictures": pictures,
        "--attribute": attribute,
        "--occupation": occupation,
    }
    if any(value is not None for value in given.values()):
        return study_own(seed, given, 2 if quick else 5)
    shipped, sizes = FeatureBank.load(ASSETS / "banks" / "mini"), QUICK if quick else FULL
    trials = [new_trial(shipped, seed + k, sizes) for k in range(SEEDS)]
    untouched = [trial.figures({}) for trial in trials]
    outcomes: Outcomes = {}
    for trial in trials:
        for arm, outcome in arms(trial):
            outcomes.setdefault(arm, []).append(outcome)
    steerer, judge = Steerer.load("mini"), Judge.load(MINI / "judge")
    seeds = [seed + k for k in range(1 if quick else SEEDS)]
    cast = Cast(steerer, judge.read, seeds, sizes.pictures)
    figures = {
        "seeds": SEEDS, "sizes": sizes._asdict(), "planted": BIAS,
        "detect": _detected(trials, untouched),
        "features": single_removals(shipped, trials, untouched),
        "probes": probes(shipped, trials),
        "mitigate": [_row(arm, each, untouched, outcomes) for arm, each in outcomes.items()],
        "drawn": list(cast.rows()), "even coin": _even_coin(len(seeds) * sizes.pictures),
    }  # fmt: skip
    figures["text"] = verdict.text(figures)
    _print(figures)
    return figures


def _detected(trials: list[Trial], untouched: list[Figures]) -> dict[str, Any]:
    """The figures with nothing removed, the worst occupation and gender, and the share of men by occupation."""
    people, count = trials[0].people, trials[0].sizes.people * len(trials)
    right = np.mean([np.stack([u["men"], u["women"]], 1) for u in untouched], 0)
    name, worst = worst_cell(right, people.groups, people.occupations, count)
    men = np.mean([u["men in top K"] for u in untouched], 0)
    return summary(untouched) | {
        "worst group": name, "worst": worst, "men in top K by occupation": dict(zip(people.occupations, men.tolist(), strict=True)),
        "prompts": list(trials[0].prompts.texts[: trials[0].prompts.groups.size]),
    }  # fmt: skip


def _row(arm: Arm, each: list[Outcome], untouched: list[Figures], outcomes: Outcomes) -> dict[str, Any]:
    figures = [outcome.figures for outcome in each]
    row: dict[str, Any] = {
        **arm._asdict(), "needs": _needs(arm), "latents": each[0].latents,
    }  # fmt: skip
    for side in ("image", "text"):
        row[f"{side} energy"] = float(np.mean([outcome.energy[side] for outcome in each]))
    row |= summary(figures)
    changed = summary(figures, untouched)
    row["changed"] = {name: changed[name] for name in COMPARED}
    chance = outcomes.get(arm._replace(removed="random"))
    if chance and arm.removed != "random":
        over = summary(figures, [outcome.figures for outcome in chance])
        row["over random"] = {name: over[name] for name in COMPARED}
    return row


def _needs(arm: Arm) -> str:
    """What must be known beside the bank."""
    return BASELINES.get(arm.removed, "" if arm.removed == "random" else LABELS.get(arm.comparison, ""))


def _even_coin(count: int) -> float:
    """The mean absolute deviation from one half that an even coin shows in so many throws."""
    from scipy.stats import binom

    k = np.arange(count + 1)
    return float((binom.pmf(k, count, 0.5) * np.abs(k / count - 0.5)).sum())


def _print(figures: dict[str, Any]) -> None:
    print("Detect")
    print(table([{"figure": k, "value": v} for k, v in figures["detect"].items() if not isinstance(v, dict | list)]))
    print("\nUnderstand: the features whose removal closes most of the gap, and probes on the codes of one class")
    keys = ("feature", "modality", "MDS", "gap by occupation lost", "MaxSkew lost", "words")
    print(table([{key: row[key] for key in keys} for row in figures["features"][:5]]))
    print("\n" + table(figures["probes"]))
    print("\nMitigate")
    heads = ("comparison", "removed", "on", "way", "latents", "image energy", "text energy")
    print(table([{key: row[key] for key in (*heads, *SHOWN)} for row in figures["mitigate"]]))
    print("\nIn pictures")
    drawn = ("removed", "way", "strength", "features", "length", "from one half", "occupation shown", "leak")
    print(table([{key: row[key] for key in drawn} for row in figures["drawn"]]))
    print("\n" + figures["text"])
