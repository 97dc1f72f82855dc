"""What the page offers at one click: each modality at its best. Data only."""

from dataclasses import dataclass

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError


@dataclass(frozen=True)
class Preset:
    """A prompt, a seed and some features with their strengths."""

    title: str
    told: str
    """What to look at."""
    prompt: str
    seed: int
    edits: tuple[tuple[str, float], ...]


PRESETS = (
    Preset("Night falls", "cross-modal: a word that is also a look", "a big cat in a meadow", 3, (("night", 1.0),)),
    Preset("Warm light", "vision-only: no caption ever says it", "a big fox in the snow", 2, (("warm light", 1.0),)),
    Preset("A white frame", "vision-only: added to any picture", "a big fox in the forest", 2, (("white frame", 1.0),)),
    Preset("Please draw", "language-only: words change, the picture does not", "a small car on the beach", 4, (("please draw", 1.0),)),
    Preset("Another animal", "cross-modal: the prompt says cat, the feature wins", "a big cat at sunset", 6, (("panda", 1.2),)),
    Preset("Three at once", "mixed: one of each", "a big fox in a meadow", 8, (("night", 1.5), ("white frame", 1.0), ("lovely", 1.0))),
)  # fmt: skip


def available(bank: FeatureBank) -> list[Preset]:
    """Presets all of whose features the bank has."""

    def known(name: str) -> bool:
        try:
            return bool(bank.get(name))
        except SteerError:
            return False

    return [preset for preset in PRESETS if all(known(name) for name, _ in preset.edits)]
