"""On how many fresh seeds each preset of the page shows what it promises, as the judge reads it.

A preset holds on a seed if *before* shows what the prompt mentions, and *after* shows each added value that can be drawn and
everything else that the prompt mentions. It is visible where *before* also lacks what is added: a prompt that does not mention
frames is drawn with one now and then. The page takes the first seed from 0 on at which a preset is visible.
"""

from typing import Any

import numpy as np

from mmsteer.labelling.naming.known_names import known_value
from mmsteer.recipes.presets import PRESETS, Preset
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.shares import share
from mmsteer.studies.report import table
from mmsteer.world.captions import wordings
from mmsteer.world.factors import DRAWN, FACTORS, INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.scheme import SCHEME

TARGET = 0.9


def study(seed: int, quick: bool) -> dict[str, Any]:
    """Draw every preset from many seeds and print a row for each.

    Args:
        seed: the first of the seeds.
        quick: draw 8 seeds instead of 48.

    Returns:
        The figures, for JSON.
    """
    steerer, judge = Steerer.load("mini"), Judge.load(MINI / "judge")
    seeds = list(range(seed, seed + (8 if quick else 48)))
    rows = [{"preset": preset.title} | holds(steerer, judge, preset, seeds) for preset in PRESETS]
    print(table(rows))
    return {"presets": rows, "seeds": len(seeds), "target": TARGET}


def holds(steerer: Steerer, judge: Judge, preset: Preset, seeds: list[int]) -> dict[str, Any]:
    """Shares of the seeds on which *before* shows the prompt, on which *after* shows the edits and the rest of the prompt, on
    which both hold, and on which the difference is visible; and the first seed of the last kind.
    """
    prompts = [preset.prompt] * len(seeds)
    before, after = (judge.read(steerer.render_many(prompts, edits, seeds)) for edits in ((), preset.edits))
    named = [known_value(steerer.bank.get(edit.feature).name, SCHEME) for edit in preset.edits]
    added = {factor: value for factor, value in filter(None, named) if factor in DRAWN}
    mentioned = _mentioned(preset.prompt)
    shown, steered = _all_read(before, mentioned), _all_read(after, mentioned | added)
    already = [_all_read(before, {factor: value}) for factor, value in added.items()]
    visible = shown & steered & ~np.logical_or.reduce([np.zeros(len(seeds), dtype=bool), *already])
    return {
        "before shows the prompt": share(int(shown.sum()), len(seeds)),
        "after shows edits and the rest": share(int(steered.sum()), len(seeds)),
        "both": share(int((shown & steered).sum()), len(seeds)),
        "and before lacks what is added": share(int(visible.sum()), len(seeds)),
        "first such seed": next((seed for seed, yes in zip(seeds, visible, strict=True) if yes), "-"),
    }


def _mentioned(prompt: str) -> dict[str, str]:
    """Factor -> value of what a prompt mentions and pictures can show."""
    text = f" {prompt} "
    return {
        factor.name: value
        for factor in FACTORS
        for value in factor.values
        if factor.name in DRAWN and any(f" {words} " in text for words in wordings(factor.name, value))
    }


def _all_read(seen: np.ndarray, values: dict[str, str]) -> np.ndarray:
    """Whether every value is read, for each picture of `seen [B, n_factors]`."""
    right = [seen[:, INDEX[name]] == FACTORS[INDEX[name]].values.index(value) for name, value in values.items()]
    return np.asarray(np.logical_and.reduce(right))
