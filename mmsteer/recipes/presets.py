"""Presets: examples at one click, and the steps of talk mode. They show each modality at its best. Data only."""

from dataclasses import dataclass

from mmsteer.bank import FeatureBank
from mmsteer.recipes.edit import Edit


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
