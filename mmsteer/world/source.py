"""The world as a source of pairs like any other: samples with annotations, drawn as they are read."""

from collections.abc import Callable, Iterator
from functools import cached_property, partial

from PIL import Image

from mmsteer.data.annotations import Annotation
from mmsteer.data.pairs import Survey, SyntheticPairs
from mmsteer.data.sample import Sample
from mmsteer.world.draws import READ
from mmsteer.world.pairs import WorldPairs, captions_only
from mmsteer.world.scheme import SCHEME

COUNT = 30_000
"""Pairs unless the user asks for another number."""
_BLOCK = 64  # the world draws this many scenes at once


def open_pairs(seed: int, limit: int | None = None) -> "World":
    """The pairs of a seed: the first `limit`, or `COUNT` of them."""
    return World(seed, COUNT if limit is None else limit)


class World(SyntheticPairs):
    """Scenes of the embedded world, at the size that the embedded CLIP reads."""

    kind = "world"
    scheme = SCHEME

    def __init__(self, seed: int, count: int) -> None:
        super().__init__(f"world:{seed}", count)
        self.seed = seed
        self._world = WorldPairs(seed, count, READ)

    def reseeded(self, seed: int, count: int) -> "World":
        """`count` scenes of another seed."""
        return World(seed, count)

    def captions_only(self, count: int) -> list[list[str]]:
        """Captions of `count` other scenes, which are not drawn: for each, several that differ in what no picture shows."""
        return captions_only(self.seed, count)

    def samples(self, wanted: Callable[[int], bool] = lambda number: True) -> Iterator[tuple[int, Sample]]:
        """The scenes whose numbers are wanted, each with its number; blocks without any are not drawn."""
        for start in range(0, len(self._world), _BLOCK):
            numbers = range(start, min(start + _BLOCK, len(self._world)))
            if not any(wanted(number) for number in numbers):
                continue
            block = next(self._world.batches(_BLOCK, start))
            pictures = block.pictures.permute(0, 2, 3, 1).contiguous().numpy()
            for k, number in enumerate(numbers):
                if wanted(number):
                    picture, captions = partial(Image.fromarray, pictures[k]), partial(list[str], [block.captions[k]])
                    annotation = Annotation(block.factors[k], block.mentioned[k])
                    yield number, Sample(f"scene {number}", picture, captions, annotation)

    @cached_property
    def survey(self) -> Survey:
        """Kind, name, number of scenes, and a digest of how the world looks."""
        return Survey(self.kind, self.name, len(self._world), self._world.digest)
