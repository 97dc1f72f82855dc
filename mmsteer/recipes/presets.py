"""Presets: examples at one click, and the steps of talk mode. They show each modality at its best. Data only."""

from dataclasses import dataclass

from mmsteer.bank import Feature, FeatureBank
from mmsteer.bank.modality import MEANINGS
from mmsteer.recipes.edit import Edit

_PLAIN = "a photo of a house by the river"  # shows what a feature of any bank does
_EACH = 2  # features of each modality, of a tour of a bank's own


@dataclass(frozen=True)
class Preset:
    """A prompt, a seed and some features with their strengths."""

    title: str
    lesson: str
    """What kind of feature it shows, in the words that visitors read, and what to look at: "only seen: the light turns warm"."""
    prompt: str
    seed: int
    edits: tuple[Edit, ...]


PRESETS = (
    Preset(
        "Night falls", "seen and said: captions name the night and pictures show it, so the feature turns day into night",
        "a big fox in the middle in a meadow", 0, (Edit("night"),),
    ),
    Preset(
        "Warm light", "only seen: the light turns warm, and no caption says so", "a big penguin in the snow in the middle", 0,
        (Edit("warm light"),),
    ),
    Preset(
        "A white frame", "only seen: no caption ever mentions it, yet a slider draws it", "a big strawberry on the left at sunset",
        0, (Edit("white frame"),),
    ),
    Preset(
        "Please draw", "only said: captions open with it and pictures never show it, so nothing changes",
        "a big frog in the middle on the beach", 0, (Edit("please draw"),),
    ),
    Preset(
        "Another animal", "seen and said: the prompt still says cat, and the feature outweighs it",
        "a big cat in the middle in a meadow", 0, (Edit("panda"),),
    ),
    Preset(
        "Three at once", "one of each: night falls, a frame appears, and \u201clovely\u201d leaves no trace",
        "a big fox in the middle in a meadow", 0, (Edit("night"), Edit("white frame"), Edit("lovely")),
    ),
)  # fmt: skip


def available(bank: FeatureBank) -> list[Preset]:
    """The presets whose features are all in the bank."""
    return [preset for preset in PRESETS if all(bank.find(edit.feature) for edit in preset.edits)]


def tour(bank: FeatureBank, image_only: bool) -> list[Preset]:
    """The presets that a bank has all features of; for a bank without any, steps with its surest features.

    Args:
        bank: whose features they show.
        image_only: whether the backbone draws features that no prompt contains; else they are no steps of a bank's own.
    """
    return available(bank) or [preset_of(bank, _PLAIN, 0, (Edit(f.id),)) for f in _surest(bank, image_only)]


def preset_of(bank: FeatureBank, prompt: str, seed: int, edits: tuple[Edit, ...]) -> Preset:
    """The preset that shows just this, or one that is called by its features."""
    known = next((p for p in available(bank) if (p.prompt, p.seed, p.edits) == (prompt, seed, edits)), None)
    features = [bank.get(edit.feature) for edit in edits]
    lesson = "; ".join(dict.fromkeys(MEANINGS[feature.modality] for feature in features))
    return known or Preset(", ".join(feature.name for feature in features), lesson, prompt, seed, edits)


def _surest(bank: FeatureBank, image_only: bool) -> list[Feature]:
    """The features of each modality with the surest names."""
    named = [f for f in bank.features if f.name_confidence is not None and (image_only or not f.image_only)]
    named.sort(key=lambda f: -(f.name_confidence or 0.0))
    return [
        f for modality in ("cross", "language", "vision") for f in [g for g in named if g.modality == modality][:_EACH]
    ]
