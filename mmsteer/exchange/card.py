"""The model card of a bank: what it was made from, how good it is, and how to use it."""

import json
import statistics
from typing import Any

from mmsteer.bank import MODALITIES, Feature, FeatureBank


def card(bank: FeatureBank, repo: str, licence: str) -> str:
    """The model card, Markdown with the hub's front matter.

    Args:
        bank: Complete (`mmsteer.exchange.hub.load_complete`).
        repo: `USER/NAME`, which the commands in the card name.
        licence: In the hub's words.
    """
    model = _clip(bank)
    front = {
        "license": licence,
        "library_name": "mmsteer",
        "tags": ["sparse-autoencoder", "interpretability", "clip", "saelens"],
    }
    if model.get("revision"):  # only a model of the hub has a page
        front |= {"base_model": model["id"]}
    labels = [_label_row(m, [f for f in bank.features if f.modality == m]) for m in MODALITIES]
    return f"""---
{chr(10).join(f"{key}: {json.dumps(value)}" for key, value in front.items())}
---

# {repo.partition("/")[2]}

{len(bank.features)} features of CLIP's joint image-text space, each labelled vision-only, language-only or cross-modal, for steering
text-to-image models with mmsteer. The dictionaries are sparse autoencoders in SAELens' layout.

{_table(("", ""), _origin(bank))}

{_table(("dictionary of", "latents", "FVU", "L0", "dead"), _quality(bank))}

FVU: fraction of variance unexplained on held-out pairs. L0: latents that fire per vector. Dead: share of latents that fire on
none of them.

{_table(("label", "features", "named", "MDS, median", "co-firing, median", "P(both | either), median"), labels)}

MDS: Modality Dominance Score, from 0 (fires on captions only) to 1 (on pictures only). Co-firing: how much more often than by
chance a feature fires on both sides of a pair.

## Use

```
python -m mmsteer bank pull {repo} --out BANK
python -m mmsteer bank show --bank BANK
python -m mmsteer steer "a prompt" --bank BANK --backbone BACKBONE --edit "FEATURE:1.0"
```

The dictionaries alone: `SAE.load_from_disk(FOLDER)` of SAELens, on joint vectors of unit length.

Intended for studying and steering what text-to-image models draw. A label describes which pictures and captions occur together
in the measured pairs, not why; a feature inherits the correlations of that data. Not intended for judging people or for decisions
about them.
"""


def _clip(bank: FeatureBank) -> dict[str, Any]:
    """Id and, if it came from the hub, revision; older banks have the id alone."""
    clip = bank.meta.get("clip")
    return clip if isinstance(clip, dict) else {"id": str(clip)}


def _origin(bank: FeatureBank) -> list[tuple[str, str]]:
    meta, clip = bank.meta, _clip(bank)
    pairs, held_out = (meta.get(key, "unknown") for key in ("pairs", "held_out"))
    return [
        ("CLIP", " ".join(str(clip[key]) for key in ("id", "revision") if clip.get(key))),
        ("Backbone", _backbone(meta)),
        ("Pairs", f"{pairs} of {bank.origin}, {held_out} held out"),
        ("Objective", meta.get("objective", "unknown")),
    ]


def _quality(bank: FeatureBank) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for side, quality in bank.meta.get("sides", {}).items():
        dictionary = bank.dictionaries.get(side) or bank.dictionaries["shared"]
        latents = dictionary.config.n_latents
        rows.append((f"{side} embeddings", latents, quality["fvu"], quality["l0"], quality["dead"]))
    return rows


def _backbone(meta: dict[str, Any]) -> str:
    name, fitted = meta.get("backbone", "unknown"), meta.get("text_to_joint", {})
    if fitted.get("kind") != "fitted":
        return str(name)
    return f"{name}, with a fitted text-to-joint map (held-out R² {fitted['r2']})"


def _label_row(modality: str, features: list[Feature]) -> tuple[Any, ...]:
    def median(key: str) -> str:
        return f"{statistics.median(getattr(f, key) for f in features):.2f}" if features else "-"

    named = sum(f.named_by is not None for f in features)
    return modality, len(features), named, median("mds"), median("cofiring"), median("p_both")


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)
