"""What a feature does to a prompt that has nothing to do with it: drawn ahead, or when first asked for, then cached for all visitors."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.ahead.effect import PROMPT, SEEDS, SIDE, STRENGTHS
from mmsteer.pixels import shrunk
from mmsteer.recipes.data_url import picture_url
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.steering.cache import Cache

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.ahead.drawn import DrawnAhead
    from mmsteer.bank import Feature
    from mmsteer.steering.steerer import Steerer

_CACHED = 256  # features whose pictures are cached: about 50 kB each


class Column(NamedTuple):
    """The pictures of one strength."""

    strength: float
    pictures: list[str]
    """Data URLs, one per seed."""


class Effects:
    """Effects drawn so far, the last 256, and those drawn ahead. Safe to use from several threads at once."""

    def __init__(self, ahead: "DrawnAhead | None" = None) -> None:
        self._ahead = ahead
        self._cache: Cache[int, list[Column]] = Cache(_CACHED)

    def cached(self, feature: "Feature") -> list[Column]:
        """All columns of a feature; none if it has not been drawn yet."""
        columns = self._cache.get(feature.id)
        if columns is None and self._ahead and (drawn := self._ahead.effect(feature)):
            columns = [Column(s, [_small(p) for p in pictures]) for s, pictures in zip(STRENGTHS, drawn, strict=True)]
            self._cache.put(feature.id, columns)
        return columns or []

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
    return picture_url(shrunk(picture, SIDE), "WEBP", quality=88)
