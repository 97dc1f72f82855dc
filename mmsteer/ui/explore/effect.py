"""What a feature does to a prompt that has nothing to do with it: drawn when first asked for, then cached for all visitors."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.recipes.data_url import picture_url
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.steering.cache import Cache

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.bank import Feature
    from mmsteer.steering.steerer import Steerer

# names thing, size and places, so that what changes is the feature's doing
PROMPT = "a big frog in the middle on the beach"
STRENGTHS = (0.0, -1.0, 1.0, 2.0)  # 0 is *before*
SEEDS = (20, 21, 22)  # drawn without a frame or a vignette by themselves
_SIDE = 128  # pixels of a cached picture: they are shown small
_CACHED = 256  # features whose pictures are cached: about 50 kB each


class Column(NamedTuple):
    """The pictures of one strength."""

    strength: float
    pictures: list[str]
    """Data URLs, one per seed."""


class Effects:
    """Effects drawn so far, the last 256. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._cache: Cache[int, list[Column]] = Cache(_CACHED)

    def cached(self, feature: "Feature") -> list[Column]:
        """All columns of a feature; none if it has not been drawn yet."""
        return self._cache.get(feature.id) or []

    def draw(self, steerer: "Steerer", feature: "Feature") -> Iterator[list[Column]]:
        """Draw a feature's columns, and yield those there are after each new one; cached columns are yielded at once."""
        columns = self.cached(feature)
        if columns:
            yield columns
            return
        for strength in STRENGTHS:
            edits = (Edit(feature.id, strength=strength),) if strength else ()
            recipes = (Recipe(PROMPT, seed, steerer.sampler, edits, steerer.origin) for seed in SEEDS)
            columns = [*columns, Column(strength, [_small(steerer.picture(recipe)) for recipe in recipes])]
            yield columns
        self._cache.put(feature.id, columns)


def _small(picture: "Image.Image") -> str:
    """A picture as a data URL of a few kB."""
    from PIL import Image

    small = picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS) if max(picture.size) > _SIDE else picture
    return picture_url(small, "WEBP", quality=88)
