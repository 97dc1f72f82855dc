"""What a static edition shows: prompts, features and strengths. Pure data."""

from typing import NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.recipes.presets import tour

STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Of every feature, in activation scales; 0 is *before*."""
MOST_PROMPTS, MOST_FEATURES = 8, 48
_PROMPTS = (
    "a big fox in the middle in a meadow", "a big penguin in the snow in the middle", "a big strawberry on the left at sunset",
    "a big frog in the middle on the beach", "a big cat in the middle in a meadow", "a small sailboat on the right in the ocean",
    "a big doctor in the middle in the forest", "a small robot on the left in the desert",
)  # fmt: skip
"""For the embedded world."""
_PHOTOS = (
    "a photo of a house by the river", "a photo of a cat on a sofa", "a street in the rain", "a bowl of fruit on a table",
    "a portrait of an old man", "a red car in the mountains", "a dog on the beach", "a ship at sea",
)  # fmt: skip
"""For everything else."""
_SHARE = 6  # vision-only and language-only features take at most a sixth of the places each, beside those of presets


class Plan(NamedTuple):
    """Prompts, each drawn from its seed, and features."""

    prompts: list[str]
    features: list[Feature]
    seed: int = 0

    @property
    def pictures(self) -> int:
        """To be drawn: every prompt without edits, and with each feature at each other strength."""
        return len(self.prompts) * (1 + len(self.features) * (len(STRENGTHS) - 1))


def plan(
    bank: FeatureBank, image_only: bool, prompts: list[str], features: int = MOST_FEATURES, embedded: bool = True
) -> Plan:
    """Choose what to draw.

    Args:
        bank: its presets' features come first, then those of each modality with the surest names.
        image_only: whether the backbone draws features that no prompt contains.
        prompts: empty for a choice of eight.
        features: how many, at most.
        embedded: whether the backbone knows the embedded world alone.
    """
    shown = prompts or list(_PROMPTS if embedded else _PHOTOS)
    wanted = [bank.get(edit.feature) for preset in tour(bank, image_only) for edit in preset.edits]
    sure = [
        f for f in bank.features if f.specific and f.name_confidence is not None and (image_only or not f.image_only)
    ]
    sure.sort(key=lambda f: (f.name[-1].isdigit(), -(f.name_confidence or 0.0)))  # "forest 2" after all that come first
    for modality in ("vision", "language"):
        wanted += [f for f in sure if f.modality == modality][: features // _SHARE]
    chosen = list(dict.fromkeys([*wanted, *(f for f in sure if f.modality == "cross")]))[:features]
    return Plan(shown[:MOST_PROMPTS], sorted(chosen, key=lambda f: f.id))
