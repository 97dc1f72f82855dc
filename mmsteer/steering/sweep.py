"""Sweeps: one recipe laid out over the strengths of a feature, of two features, or over seeds, and drawn one by one.

Knows recipes beside each other, and the files that show their pictures: an animated GIF, a contact sheet. A picture itself is
`Steerer.picture`'s business, so each is bit by bit the one that its recipe gives alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.steering.edit import Edit
from mmsteer.steering.recipe import LARGEST_SEED, Recipe

if TYPE_CHECKING:
    from PIL import Image

FRAMES, MOST_FRAMES = 9, 25  # of one feature
SIDE, MOST_SIDE = 5, 7  # of a grid of two
SEEDS, MOST_SEEDS = 6, 12
STEP = 0.05  # strengths are whole steps, those of the rack's sliders
_LARGEST = 256  # pixels a side of a picture in a file
NO_GIF = "an animation goes over the strengths of one feature: save a grid or several seeds as PNG"
_MOMENT, _REST = 160, 640  # milliseconds a frame is shown; the same for the two ends


class Cell(NamedTuple):
    """One picture of a sweep."""

    recipe: Recipe
    told: str
    """What sets it apart from the others."""
    strengths: tuple[float, ...] = ()
    """Of the swept features, in their order; empty where seeds are swept."""


@dataclass(frozen=True)
class Sweep:
    """Recipes in rows and columns, of which one may be the only row."""

    title: str
    axes: tuple[str, ...]
    """What changes from column to column, and from row to row if there are several."""
    recipe: Recipe
    """What it was laid out from."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    """What the rows and the columns are called."""
    cells: tuple[Cell, ...]
    """Row by row."""
    order: tuple[int, ...]
    """In which order the cells are drawn: what tells most comes first."""

    def draw(self, picture: "Callable[[Recipe], Image.Image]") -> "Iterator[tuple[int, Image.Image]]":
        """Each cell's number and picture as they come; `picture` is `Steerer.picture`."""
        for number in self.order:
            yield number, picture(self.cells[number].recipe)


def over(bank: FeatureBank, recipe: Recipe, edit: Edit, frames: int = FRAMES) -> Sweep:
    """One feature over its usable range, the recipe's other edits kept: 0 and the ends first, then what lies between.

    `edit` says which feature, on which words, over which part of the run. `add` pushes the other way left of zero, `set` sets;
    `remove` slides as the rack does: it takes out left of zero and adds right of it.
    """
    feature = bank.get(edit.feature)
    values = strengths(feature, _count("frames", frames, 3, MOST_FRAMES))
    cells = tuple(Cell(_at(bank, recipe, edit, value), f"{feature.name} {value:g}", (value,)) for value in values)
    order = _coarse_to_fine(len(values), values.index(0))
    return Sweep(
        feature.name, (feature.name,), recipe, ("",), tuple(f"{value:g}" for value in values), cells, tuple(order)
    )


def against(bank: FeatureBank, recipe: Recipe, edit: Edit, other: Edit, side: int = SIDE) -> Sweep:
    """Two features over their usable ranges: the first from column to column, the second from row to row, strongest on top."""
    first, second = bank.get(edit.feature), bank.get(other.feature)
    if first.id == second.id:
        raise SteerError(f"a grid needs two features, and both are {first.name!r}: choose another second one")
    count = _count("side", side, 3, MOST_SIDE)
    across, down = strengths(first, count), strengths(second, count)[::-1]
    cells = tuple(
        Cell(
            _at(bank, _at(bank, recipe, edit, x), other, y), f"{first.name} {x:g}, {second.name} {y:g}", (x, y)
        ) for y in down for x in across
    )  # fmt: skip
    columns, rows = (_coarse_to_fine(len(values), values.index(0)) for values in (across, down))
    when = {y * len(across) + x: max(columns.index(x), rows.index(y)) for x in columns for y in rows}
    told = [tuple(f"{value:g}" for value in values) for values in (down, across)]
    order = tuple(sorted(when, key=lambda number: when[number]))
    axes = (first.name, second.name)
    return Sweep(" against ".join(axes), axes, recipe, told[0], told[1], cells, order)


def seeds(recipe: Recipe, count: int = SEEDS) -> Sweep:
    """The recipe, before and after, from its own seed and those that follow."""
    count = _count("seeds", count, 1, MOST_SEEDS)
    found = [(recipe.seed + k) % (LARGEST_SEED + 1) for k in range(count)]
    cells = tuple(
        Cell(replace(part, seed=seed), f"{when}, seed {seed}")
        for when, part in (("before", recipe.plain), ("after", recipe)) for seed in found
    )  # fmt: skip
    order = tuple(row * count + column for column in range(count) for row in (0, 1))
    axes, columns = ("seed", "before or after"), tuple(f"seed {seed}" for seed in found)
    return Sweep("several seeds", axes, recipe, ("before", "after"), columns, cells, order)


def strengths(feature: Feature, count: int) -> list[float]:
    """At most `count` strengths over a feature's usable range, rising, exact zero among them, in whole steps."""
    low, high = min(feature.usable[0], 0.0), max(feature.usable[1], 0.0)
    even = [low + (high - low) * k / (count - 1) for k in range(count)]
    nearest = min(even, key=abs)
    values = (0.0 if value == nearest else round(round(value / STEP) * STEP, 2) + 0.0 for value in even)
    return sorted(set(values))


def _at(bank: FeatureBank, recipe: Recipe, edit: Edit, strength: float) -> Recipe:
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
        raise SteerError(f"`{name}` is {value!r}: give a whole number from {least} to {most}")
    return value


def save_gif(sweep: Sweep, pictures: "Sequence[Image.Image]", target: Any) -> None:
    """Write the pictures of one feature's sweep as an animation there and back, its recipe in the GIF's comment, to a path
    or an open file. A strip under the picture names feature and strength.
    """
    if len(sweep.rows) > 1:
        raise SteerError(NO_GIF)
    frames = [_captioned(picture, cell.told) for picture, cell in zip(pictures, sweep.cells, strict=True)]
    loop = frames + frames[-2:0:-1]
    durations = [_REST if k in (0, len(frames) - 1) else _MOMENT for k in range(len(loop))]
    loop[0].save(
        target, format="GIF", save_all=True, append_images=loop[1:], duration=durations, loop=0,
        comment=sweep.recipe.to_json().encode(),
    )  # fmt: skip


def save_sheet(sweep: Sweep, pictures: "Sequence[Image.Image]", target: Any) -> None:
    """Write all pictures on one sheet, rows and columns named, as a PNG that carries the recipe it was laid out from."""
    from PIL import Image, ImageDraw

    small = [_fitted(picture) for picture in pictures]
    width, height = small[0].size
    font, gap, top = _font(13), 6, 44
    left = gap + max(round(font.getlength(told)) for told in sweep.rows) + gap * any(sweep.rows)
    size = (left + len(sweep.columns) * (width + gap), top + len(sweep.rows) * (height + gap))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((left, 4), sweep.title, "black", font)
    for column, told in enumerate(sweep.columns):
        pen.text((left + column * (width + gap), top - 18), told, "black", font)
    for row, told in enumerate(sweep.rows):
        pen.text((gap, top + row * (height + gap) + height // 2 - 8), told, "black", font)
    for number, picture in enumerate(small):
        row, column = divmod(number, len(sweep.columns))
        sheet.paste(picture, (left + column * (width + gap), top + row * (height + gap)))
    sweep.recipe.save_png(sheet, target)


def _fitted(picture: "Image.Image") -> "Image.Image":
    """A picture as it is, or smaller where it is too large for a file of many."""
    small = picture.copy()
    small.thumbnail((_LARGEST, _LARGEST))
    return small


def _captioned(picture: "Image.Image", told: str) -> "Image.Image":
    """A picture of the animation's size, with a line of text under it."""
    from PIL import Image, ImageDraw

    scale = _LARGEST / max(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    frame = Image.new("RGB", (width, height + 26), "white")
    frame.paste(picture.resize((width, height), Image.Resampling.BICUBIC), (0, 0))
    ImageDraw.Draw(frame).text((8, height + 4), told, "black", _font(15))
    return frame


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
