"""What the scripts of a static edition read: everything that the page of a server would be asked for."""

import json
from html import escape
from pathlib import Path
from typing import Any

from mmsteer.ahead.effect import PROMPT, SEEDS
from mmsteer.ahead.effect import STRENGTHS as EFFECT_STRENGTHS
from mmsteer.bank import Feature, FeatureBank
from mmsteer.bank.modality import LABELS, MEANINGS, SHAPES
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.presets import Preset
from mmsteer.site.plan import STRENGTHS, Plan
from mmsteer.ui.explore.questions import SHOWN, Questions
from mmsteer.ui.explore.tab import rules
from mmsteer.ui.proof.tab import FIGURES, proofs
from mmsteer.ui.shared.badge import score_tooltip

_COLUMNS = ("precision", "recall vision", "recall language", "recall cross")  # of the labels' table


def site_data(
    bank: FeatureBank, plan: Plan, tour: list[Preset], questions: Questions, sheets: list[int]
) -> dict[str, Any]:
    """All but the cards and the proof.

    Args:
        bank: whose features are shown.
        plan: what was drawn.
        tour: the steps of talk mode.
        questions: the answers of the page's tab Explore.
        sheets: ids of the features with example pictures.
    """
    return {
        "shapes": SHAPES, "labels": LABELS, "meanings": MEANINGS, "most": SHOWN, "home": "", "rules": rules(bank),
        "effect": {"prompt": PROMPT, "seeds": SEEDS, "strengths": EFFECT_STRENGTHS},
        "features": questions.features(None), "places": questions.layout(None), "sheets": sheets,
        "prompts": plan.prompts, "strengths": STRENGTHS, "drawn": [feature.id for feature in plan.features],
        "tour": [_step(bank, plan, preset) for preset in tour],
    }  # fmt: skip


def _step(bank: FeatureBank, plan: Plan, preset: Preset) -> dict[str, Any]:
    """A step of talk mode; with `strip`, where its feature was drawn at every strength from the same prompt and seed."""
    features = [bank.get(edit.feature) for edit in preset.edits]
    return {
        "title": preset.title, "lesson": preset.lesson, "prompt": preset.prompt,
        "features": [
            {"name": f.name, "modality": f.modality, "mds": f.mds, "scoreTooltip": score_tooltip(f)} for f in features
        ],
        "strip": _strip(plan, preset, features),
    }  # fmt: skip


def _strip(plan: Plan, preset: Preset, features: list[Feature]) -> dict[str, Any] | None:
    if preset.prompt not in plan.prompts or preset.seed != plan.seed or len(preset.edits) != 1:
        return None
    (edit,), (feature,) = preset.edits, features
    if (
        feature not in plan.features
        or edit != Edit(edit.feature, strength=edit.strength)
        or edit.strength not in STRENGTHS
    ):
        return None
    return {"src": f"strips/{plan.prompts.index(preset.prompt)}-{feature.id}.webp", "strength": edit.strength}


def script_of(name: str, value: Any) -> str:
    """A value as a script, since a page that is opened from a disk may load scripts, and no JSON."""
    return f"MMSTEER.{name} = {json.dumps(value, ensure_ascii=False, separators=(',', ':'))};\n"


def proof_html(folder: Path = FIGURES) -> str:
    """The studies of the embedded bank: their figures, two sentences each, and how right the labels of each objective are."""
    rows = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["objectives"]
    head = "".join(f'<th scope="col">{name}</th>' for name in ("objective", *_COLUMNS))
    body = "".join(
        f'<tr><th scope="row">{escape(row["objective"])}</th>{"".join(map(_cell, (row[name] for name in _COLUMNS)))}</tr>'
        for row in rows
    )
    caption = "Labels of each objective against the world's known factors, with 95 % intervals"
    table = f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return (
        proofs(folder)
        + f'<div class="mm-proof mms-table" tabindex="0" role="region" aria-label="{caption}">{table}</div>'
    )


def _cell(share: dict[str, float] | None) -> str:
    return (
        f"<td>{share['value']:.2f} <small>{share['low']:.2f} to {share['high']:.2f}</small></td>"
        if share
        else "<td>–</td>"
    )
