"""Presets: examples at one click, and the steps of talk mode. They show each modality at its best. Data only."""

from dataclasses import dataclass

from mmsteer.bank import FeatureBank
from mmsteer.recipes.edit import Edit


@dataclass(frozen=True)
class Preset:
    """A prompt, a seed and some features with their strengths."""

    title: str
    lesson: str
    """What kind of feature it shows, and what to look at: "vision-only: the light changes, the words don't"."""
    prompt: str
    seed: int
    edits: tuple[Edit, ...]


PRESETS = (
    Preset(
        "Night falls", "cross-modal: named in captions and seen in pictures, so the word's feature turns day into night",
        "a big fox in the middle in a meadow", 0, (Edit("night"),),
    ),
    Preset(
        "Warm light", "vision-only: the light changes, the words don't", "a big penguin in the snow in the middle", 0,
        (Edit("warm light"),),
    ),
    Preset(
        "A white frame", "vision-only: no caption ever mentions it, yet a slider draws it", "a big strawberry on the left at sunset",
        0, (Edit("white frame"),),
    ),
    Preset(
        "Please draw", "language-only: the words change, the picture does not", "a big frog in the middle on the beach", 0,
        (Edit("please draw"),),
    ),
    Preset(
        "Another animal", "cross-modal: the prompt still says cat, and the feature outweighs it",
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
