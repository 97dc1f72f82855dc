"""What a feature does to a prompt that has nothing to do with it: drawn when first asked for, then kept for everybody."""

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.steering.cache import Kept
from mmsteer.steering.edit import Edit
from mmsteer.steering.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.bank import Feature
    from mmsteer.steering.steerer import Steerer

# says thing, size and places, so that what changes is the feature's doing
PROMPT = "a big frog in the middle on the beach"
STRENGTHS = (0.0, -1.0, 1.0, 2.0)  # 0 is *before*
SEEDS = (20, 21, 22)  # drawn without a frame or a vignette of their own
_SIDE = 128  # pixels of a kept picture: they are looked at small
_KEPT = 256  # features whose pictures are kept: about 50 kB each


class Column(NamedTuple):
    """The pictures of one strength."""

    strength: float
    pictures: list[str]
    """Data addresses, one a seed."""


class Effects:
    """Effects drawn so far, the last 256. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._kept: Kept[int, list[Column]] = Kept(_KEPT)

    def kept(self, feature: "Feature") -> list[Column]:
        """All columns of a feature; none if it has not been drawn yet."""
        return self._kept.get(feature.id) or []

    def draw(self, steerer: "Steerer", feature: "Feature") -> Iterator[list[Column]]:
        """The columns there are, after each one that is new; drawn by one call at a time, a second finds them kept."""
        columns = self.kept(feature)
        if columns:
            yield columns
            return
        for strength in STRENGTHS:
            edits = (Edit(feature.id, strength=strength),) if strength else ()
            recipes = (Recipe(PROMPT, seed, steerer.sampler, edits, steerer.origin) for seed in SEEDS)
            columns = [*columns, Column(strength, [_small(steerer.picture(recipe)) for recipe in recipes])]
            yield columns
        self._kept.keep(feature.id, columns)


def _small(picture: "Image.Image") -> str:
    """A picture as a data address of a few kB."""
    from PIL import Image

    small = picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS) if max(picture.size) > _SIDE else picture
    buffer = BytesIO()
    small.save(buffer, format="WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
