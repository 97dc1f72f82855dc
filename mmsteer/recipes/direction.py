"""A direction: a slider that is no feature of the bank, made of two words. Pure data, and how its name is read.

The name is the definition: "cat → dog" (or "cat -> dog") leads from one wording to the other, "→ night" from none. So a recipe that
names it needs nothing else; the same bank and backbone make the same direction (`mmsteer.steering.directions`).
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mmsteer.bank import Feature, Modality
from mmsteer.errors import SteerError, quoted

if TYPE_CHECKING:
    import torch

    from mmsteer.bank import FeatureBank

LONGEST_SIDE = 60  # characters on one side of the arrow
_ARROW = re.compile("→|->")


class Wording(NamedTuple):
    """What a direction leads from and to, in words."""

    start: str
    """May be empty: from nothing in particular."""
    end: str

    def __str__(self) -> str:
        return f"{self.start} → {self.end}".strip()


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in the joint space with all that a slider needs, under the names that a `Feature` has them by."""

    name: str
    wording: Wording
    vector: "torch.Tensor"
    """`[d_joint]`, of unit length."""
    activation_scale: float
    """How far it is from the first wording to the second, in the joint space: strength 1 goes all the way."""
    usable: tuple[float, float]
    """Strengths at which a prompt that says the first wording leaves the usual range (`mmsteer.bank.ood.range_between`)."""
    modality: Modality
    """The class with the largest of `shares`."""
    mds: float
    """Modality Dominance Score: the mean of its features' scores, by their shares."""
    shares: dict[Modality, float]
    """By class, how much of it the bank's features of that class make up, 0 to 1."""
    near: tuple[tuple[Feature, float], ...]
    """The features nearest to it, with their cosines, nearest first."""

    latent = 0
    """It stands alone in a code of its own."""
    image_only = False
    """Words made it, so words carry it."""
    mutually_exclusive: tuple[int, ...] = ()
    """It suppresses nothing: what it leads away from it takes out itself."""

    @property
    def id(self) -> str:
        """Its name: there is no number."""
        return self.name


class Features(Protocol):
    """What knows features by name or number: a bank, or a steerer's `known`, which also makes directions."""

    def get(self, feature: str | int) -> "Feature | Direction":
        """The feature or direction; SteerError where there is none."""


def is_direction(feature: str | int) -> bool:
    """Whether a name means a direction: it has an arrow in it."""
    return isinstance(feature, str) and _ARROW.search(feature) is not None


def check_name(bank: "FeatureBank", feature: str | int) -> None:
    """SteerError for a name that no steerer with this bank knows. Which words its model knows is not asked."""
    if bank.find(feature) is None and is_direction(feature):
        read_wording(str(feature))
    else:
        bank.get(feature)


def read_wording(name: str) -> Wording:
    """The wordings on both sides of the arrow, in lower case, as single spaces have them.

    Raises:
        SteerError: there are several arrows, nothing follows it, both sides are the same, one is too long, or an edit could not say it.
    """
    sides = [" ".join(side.lower().split()) for side in _ARROW.split(name)]
    if len(sides) != 2 or not sides[1]:
        raise SteerError(
            f'a direction is written "summer → winter" or "→ winter", with one arrow and a word after it; this one is {quoted(name)}'
        )
    if sides[0] == sides[1]:
        raise SteerError(
            f"the direction {quoted(name)} leads nowhere, since both sides are the same: give two wordings"
        )
    if max(map(len, sides)) > LONGEST_SIDE:
        raise SteerError(
            f"a side of the direction {quoted(name)} has more than {LONGEST_SIDE} characters: give a few words"
        )
    if set(name) & set(":@[]") or not all(side.isprintable() for side in sides):
        raise SteerError(f"the direction {quoted(name)} has one of : @ [ ] or what nobody sees: give words alone")
    return Wording(*sides)
