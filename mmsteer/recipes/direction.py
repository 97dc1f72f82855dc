"""A direction: a slider that is no feature of the bank, made of two words or of pictures. Pure data, and how its name is read.

The name is the definition, so a recipe that names a direction needs nothing else. "cat → dog" (or "cat -> dog") leads from one wording
to the other, "→ night" from none; the same bank and backbone make the same direction (`mmsteer.steering.directions`). "dusk~NUMBERS" is
what pictures with something have in the joint space that pictures without it have not: the numbers are the direction.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mmsteer.bank import Feature, Modality
from mmsteer.errors import SteerError, quoted
from mmsteer.recipes.edit import LONGEST_CODE

if TYPE_CHECKING:
    import torch

    from mmsteer.bank import FeatureBank

LONGEST_SIDE = 60  # characters on one side of the arrow
LONGEST_NAME = LONGEST_SIDE + 1 + LONGEST_CODE
_ARROW = re.compile("→|->")
_CODE = re.compile("[A-Za-z0-9_-]+")
_SHORTEST, _LONGEST = 1e-4, 2.0  # of a contrast: further apart no two vectors of unit length are
_STEPS = 127  # either side of zero: a cosine of 0.9999 to the vector itself


class Wording(NamedTuple):
    """What a direction leads from and to, in words."""

    start: str
    """May be empty: from nothing in particular."""
    end: str

    def __str__(self) -> str:
        return f"{self.start} → {self.end}".strip()


class Contrast(NamedTuple):
    """What pictures with something have in the joint space that pictures without it have not, under a title that somebody gave it."""

    title: str
    code: str
    """Its length in half precision, then its numbers as signed bytes, as base64 of the URL alphabet without padding."""

    @classmethod
    def of(cls, title: str, vector: Sequence[float]) -> "Contrast":
        """The contrast of this difference of mean embeddings.

        Raises:
            SteerError: the title cannot stand in an edit, or the vector leads nowhere.
        """
        length, largest = math.hypot(*vector), max(map(abs, vector))
        if length < _SHORTEST:
            raise SteerError("both groups of pictures look the same to CLIP: give others")
        numbers = (round(number / largest * _STEPS) for number in vector)
        packed = struct.pack(f"<e{len(vector)}b", length, *numbers)
        return _checked(cls(_title(title), base64.urlsafe_b64encode(packed).decode().rstrip("=")))

    @property
    def vector(self) -> tuple[float, ...]:
        """Its numbers, `d_joint` of them; SteerError if they are damaged."""
        try:
            packed = base64.b64decode(self.code + "=" * (-len(self.code) % 4), altchars=b"-_", validate=True)
            length, *numbers = struct.unpack(f"<e{max(len(packed) - 2, 0)}b", packed)
        except (ValueError, binascii.Error, struct.error):
            length, numbers = 0.0, []
        if not any(numbers) or not _SHORTEST <= length <= _LONGEST:
            raise SteerError(
                f"the numbers of the direction {quoted(self.title)} are damaged: make it of its pictures again"
            )
        norm = math.hypot(*numbers)
        return tuple(length / norm * number for number in numbers)

    def __str__(self) -> str:
        return f"{self.title}~{self.code}"


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in the joint space with all that a slider needs, under the names that a `Feature` has them by."""

    source: Wording | Contrast
    vector: "torch.Tensor"
    """`[d_joint]`, of unit length."""
    activation_scale: float
    """How far it is from one end to the other, in the joint space: strength 1 goes all the way."""
    usable: tuple[float, float]
    """Strengths at which a prompt at the one end leaves the usual range (`mmsteer.bank.ood.range_between`)."""
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
    mutually_exclusive: tuple[int, ...] = ()
    """It suppresses nothing: what it leads away from it takes out itself."""

    @property
    def id(self) -> str:
        """Its definition, by which edits refer to it: there is no number."""
        return str(self.source)

    @property
    def name(self) -> str:
        """What people read."""
        return self.source.title if isinstance(self.source, Contrast) else str(self.source)

    @property
    def image_only(self) -> bool:
        """Whether pictures made it. Then it acts as vision-only features do, on the image embedding alone where one is read."""
        return isinstance(self.source, Contrast)


class Features(Protocol):
    """What knows features by name or number: a bank, or a steerer's `known`, which also makes directions."""

    def get(self, feature: str | int) -> "Feature | Direction":
        """The feature or direction; SteerError where there is none."""


def is_direction(feature: str | int) -> bool:
    """Whether a name means a direction: it has an arrow in it, or numbers after a tilde."""
    return isinstance(feature, str) and (_ARROW.search(feature) is not None or "~" in feature)


def check_name(bank: "FeatureBank", feature: str | int) -> None:
    """SteerError for a name that no steerer with this bank knows. Which words its model knows is not asked."""
    if bank.find(feature) is None and is_direction(feature):
        read_source(str(feature))
    else:
        bank.get(feature)


def read_source(name: str) -> Wording | Contrast:
    """What a direction is made of, by its name; SteerError where that cannot be read."""
    title, tilde, code = name.rpartition("~")
    return _checked(Contrast(_title(title), code.strip())) if tilde else read_wording(name)


def _checked(contrast: Contrast) -> Contrast:
    if len(contrast.code) > LONGEST_CODE or not _CODE.fullmatch(contrast.code):
        raise SteerError(
            f"the numbers of the direction {quoted(contrast.title)} are not base64 of at most {LONGEST_CODE:,} characters: copy all of it"
        )
    contrast.vector  # noqa: B018  checks it
    return contrast


def _title(title: str) -> str:
    """The title of a direction of pictures with single spaces; SteerError for one that an edit could not say."""
    title = " ".join(title.split())
    if not title or len(title) > LONGEST_SIDE:
        raise SteerError(f"the slider's name has {len(title)} characters: give it 1 to {LONGEST_SIDE}")
    if set(title) & set(":@[]~") or _ARROW.search(title) or not title.isprintable() or title.isdecimal():
        raise SteerError(
            f"the slider's name {quoted(title)} has one of : @ [ ] ~ or an arrow, or is a number: give words alone"
        )
    return title


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
