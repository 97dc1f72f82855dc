"""Sweeps: one recipe laid out over the strengths of a feature, of two features, over features, or over seeds, and drawn one by one.

A picture itself is `Steerer.picture`'s business, so each is bit for bit the one that its recipe gives alone. Files that show
all pictures of a sweep are `mmsteer.recipes.sweep_files`' business.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.bank import Feature
from mmsteer.errors import SteerError, quoted
from mmsteer.recipes.direction import Direction, Features
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import LARGEST_SEED, Recipe

if TYPE_CHECKING:
    from PIL import Image

FRAMES, MOST_FRAMES = 9, 25  # of one feature
SIDE, MOST_SIDE = 5, 7  # of a grid of two
SEEDS, MOST_SEEDS = 6, 12
MOST_FEATURES = 12  # side by side, one more in each picture
STEP = 0.05  # strengths are whole steps, those of the rack's sliders


class Cell(NamedTuple):
    """One picture of a sweep."""

    recipe: Recipe
    label: str
    """What sets it apart from the others, in words."""
    strengths: tuple[float, ...] = ()
    """Of the swept features, in their order; empty where seeds are swept."""


@dataclass(frozen=True)
class Sweep:
    """Recipes in rows and columns, of which one may be the only row."""

    title: str
    axes: tuple[str, ...]
    """What changes from column to column, and from row to row if there are several."""
    recipe: Recipe
    """The recipe it varies."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    """Headings of the rows, and of the columns."""
    cells: tuple[Cell, ...]
    """Row by row."""
    order: tuple[int, ...]
    """In which order the cells are drawn: zero and the ends of the range first."""

    def draw(self, picture: "Callable[[Recipe], Image.Image]") -> "Iterator[tuple[int, Image.Image]]":
        """Draw the pictures one by one, in the order of `order`.

        Args:
            picture: draws one recipe: `Steerer.picture`.

        Yields:
            Each cell's number and its picture.
        """
        for number in self.order:
            yield number, picture(self.cells[number].recipe)


def over(bank: Features, recipe: Recipe, edit: Edit, frames: int = FRAMES, absent: Collection[int | str] = ()) -> Sweep:
    """One feature over its usable range, beside the recipe's other edits.

    Args:
        bank: knows the feature: a bank, or a steerer's `known`, which knows directions too.
        recipe: prompt, seed, sampler and other edits.
        edit: which feature, on which words, over which part of the run; its strength does not matter. `add` pushes the other way
            left of zero, `set` sets; `remove` behaves as the page's sliders do: it removes left of zero and adds right of it.
        frames: at most this many strengths, 3 to 25; they are multiples of 0.05, zero among them.
        absent: ids of features that the prompt does not contain. Where an edit would remove one of them, all pictures are the same:
            its strengths start at zero.

    Returns:
        One row of cells by rising strength; zero and the ends are drawn first, then what lies between.

    Raises:
        SteerError: there is no such feature, or `frames` is out of range.

    Example:
        >>> from mmsteer import Edit, Recipe, Steerer, sweep
        >>> steerer = Steerer.load()
        >>> row = sweep.over(steerer.bank, Recipe("a cat at night", seed=3), Edit("warm light"), frames=3)
        >>> pictures = dict(row.draw(steerer.picture))
        >>> [cell.label for cell in row.cells][1]
        'warm light 0'
    """
    feature = bank.get(edit.feature)
    values = strengths(feature, _count("frames", frames, 3, MOST_FRAMES), _starts_at_zero(feature, edit, absent))
    cells = tuple(Cell(_at(bank, recipe, edit, value), f"{feature.name} {value:g}", (value,)) for value in values)
    order = _coarse_to_fine(len(values), values.index(0))
    return Sweep(
        feature.name, (feature.name,), recipe, ("",), tuple(f"{value:g}" for value in values), cells, tuple(order)
    )


def against(
    bank: Features, recipe: Recipe, edit: Edit, other: Edit, side: int = SIDE, absent: Collection[int | str] = ()
) -> Sweep:
    """Two features over their usable ranges: the first from column to column, the second from row to row, strongest on top.

    Args:
        bank: knows both features, as in `over`.
        recipe: prompt, seed, sampler and other edits.
        edit: the first feature, as in `over`.
        other: the second, another feature.
        side: at most this many strengths of each, 3 to 7.
        absent: as in `over`.
    """
    first, second = bank.get(edit.feature), bank.get(other.feature)
    if first.id == second.id:
        raise SteerError(f"a grid needs two features, and both are {first.name!r}: choose another second one")
    count = _count("side", side, 3, MOST_SIDE)
    across = strengths(first, count, _starts_at_zero(first, edit, absent))
    down = strengths(second, count, _starts_at_zero(second, other, absent))[::-1]
    cells = tuple(
        Cell(
            _at(bank, _at(bank, recipe, edit, x), other, y), f"{first.name} {x:g}, {second.name} {y:g}", (x, y)
        ) for y in down for x in across
    )  # fmt: skip
    columns, rows = (_coarse_to_fine(len(values), values.index(0)) for values in (across, down))
    when = {y * len(across) + x: max(columns.index(x), rows.index(y)) for x in columns for y in rows}
    labels = [tuple(f"{value:g}" for value in values) for values in (down, across)]
    order = tuple(sorted(when, key=lambda number: when[number]))
    axes = (first.name, second.name)
    return Sweep(" against ".join(axes), axes, recipe, labels[0], labels[1], cells, order)


def each(bank: Features, recipe: Recipe, edits: Sequence[Edit]) -> Sweep:
    """The recipe with one of several edits more in each picture, at the edit's own strength.

    Args:
        bank: knows the features, as in `over`.
        recipe: prompt, seed, sampler and other edits.
        edits: 1 to 12, for example those of `mmsteer.bank.promising`; one whose feature the recipe edits takes the place of its edit.
    """
    _count("edits", len(edits), 1, MOST_FEATURES)
    out = [edit.mode == "remove" for edit in edits]
    strengths = [-edit.strength if takes_out else edit.strength for edit, takes_out in zip(edits, out, strict=True)]
    names = [bank.get(edit.feature).name for edit in edits]
    labels = tuple(f"without {name}" if takes_out else name for name, takes_out in zip(names, out, strict=True))
    cells = tuple(
        Cell(_at(bank, recipe, edit, strength), label, (strength,))
        for edit, strength, label in zip(edits, strengths, labels, strict=True)
    )
    return Sweep("one feature more", ("feature",), recipe, ("",), labels, cells, tuple(range(len(cells))))


def seeds(recipe: Recipe, count: int = SEEDS) -> Sweep:
    """The recipe, before and after, from its own seed and those that follow, 1 to 12 of them."""
    count = _count("seeds", count, 1, MOST_SEEDS)
    numbers = [(recipe.seed + k) % (LARGEST_SEED + 1) for k in range(count)]
    cells = tuple(
        Cell(replace(part, seed=seed), f"{when}, seed {seed}")
        for when, part in (("before", recipe.plain), ("after", recipe)) for seed in numbers
    )  # fmt: skip
    order = tuple(row * count + column for column in range(count) for row in (0, 1))
    axes, columns = ("seed", "before or after"), tuple(f"seed {seed}" for seed in numbers)
    return Sweep("several seeds", axes, recipe, ("before", "after"), columns, cells, order)


def strengths(feature: Feature | Direction, count: int, from_zero: bool = False) -> list[float]:
    """At most `count` strengths over a feature's usable range, or its part from zero on: rising, exact zero among them, in whole
    steps.
    """
    low, high = 0.0 if from_zero else min(feature.usable[0], 0.0), max(feature.usable[1], 0.0)
    even = [low + (high - low) * k / (count - 1) for k in range(count)]
    nearest = min(even, key=abs)
    values = (0.0 if value == nearest else round(round(value / STEP) * STEP, 2) + 0.0 for value in even)
    return sorted(set(values))


def _starts_at_zero(feature: Feature | Direction, edit: Edit, absent: Collection[int | str]) -> bool:
    """Whether an edit does nothing left of zero: it would remove what is not there. What no prompt contains goes the other way."""
    goes_both_ways = isinstance(feature, Direction) or feature.image_only
    return edit.mode == "remove" and feature.id in absent and not goes_both_ways


def _at(bank: Features, recipe: Recipe, edit: Edit, strength: float) -> Recipe:
    """The recipe with this edit at a strength, where its feature's own edit stood; without it where it would do nothing."""
    slides, feature = edit.mode == "remove", bank.get(edit.feature).id
    there = replace(edit, strength=abs(strength) if slides else strength)
    if slides and strength > 0:
        there = replace(there, mode="add")
    own = [bank.get(e.feature).id == feature for e in recipe.edits]
    edits = [e for e, mine in zip(recipe.edits, own, strict=True) if not mine]
    place = own.index(True) if any(own) else len(edits)
    edits[place:place] = [there] if strength or edit.mode == "set" else []
    return replace(recipe, edits=tuple(edits))


def _coarse_to_fine(count: int, first: int) -> list[int]:
    """The numbers below `count`: `first`, both ends, then the middle of every gap, until there is none."""
    order = list(dict.fromkeys([first, 0, count - 1]))
    while len(order) < count:
        order += [(a + b) // 2 for a, b in pairwise(sorted(order)) if b - a > 1]
    return order


def _count(name: str, value: int, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SteerError(f"`{name}` is {quoted(value)}: give a whole number from {least} to {most}")
    return value
