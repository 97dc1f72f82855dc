"""The pictures in a bank's folder: which there are, whether they are of this bank and this backbone, and their pixels.

`pictures/pictures.json` says what they were drawn with, and the recipe of each pair. Beside it lie `K-before.webp` and `K-after.webp`
of recipe K, `plain.webp`, the pictures of `mmsteer.ahead.effect` without a feature below one another, and `feature-ID.webp`, those
with a feature, a column for each other strength.

A bank may come from a stranger: names of files are never read from a file, and everything else is checked before it is used.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmsteer.ahead.effect import PROMPT, SEEDS, STRENGTHS
from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError, first_complaint, first_line
from mmsteer.image_file import decode
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

FOLDER, INDEX = "pictures", "pictures.json"
MOST_PAIRS = 9
"""Of a tour: its steps are reached by the keys 1 to 9."""
LARGEST_SIDE = 512
"""Pixels a side of a picture of a pair, at most."""
_LARGEST_INDEX, _LARGEST_FILE = 512_000, 1_000_000  # bytes
_LOG = logging.getLogger(__name__)


class Effects(BaseModel):
    """Which effects were drawn, and how."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    prompt: str
    seeds: list[int]
    strengths: list[float]
    features: list[Annotated[int, Field(ge=0)]]

    @property
    def current(self) -> bool:
        """Whether they were drawn as they would be now."""
        return (self.prompt, tuple(self.seeds), tuple(self.strengths)) == (PROMPT, SEEDS, STRENGTHS)


class Index(BaseModel):
    """The content of `pictures.json`."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    version: Literal[1] = 1
    bank: str
    """The bank's `quick_digest`."""
    backbone: str
    """The backbone's digest."""
    recipes: list[dict[str, Any]] = Field(max_length=MOST_PAIRS)
    effects: Effects


class Pair(NamedTuple):
    """A recipe and its pictures."""

    recipe: Recipe
    before: "Image.Image"
    after: "Image.Image"


@dataclass(frozen=True)
class DrawnAhead:
    """Pictures that are of this bank and this backbone."""

    bank: FeatureBank
    folder: Path
    recipes: tuple[Recipe, ...]
    """Of the pairs, if the bank has all of their features."""
    features: frozenset[int]
    """Ids of the features whose effect was drawn."""

    def find(self, prompt: str, seed: int, edits: Sequence[Edit]) -> "Pair | None":
        """The pair of a recipe in the backbone's own steps; None where there is none, as for `pair`."""
        wanted = prompt, seed, self._by_id(edits)
        pairs = ((r.prompt, r.seed, self._by_id(r.edits)) for r in self.recipes)
        return next((self.pair(k) for k, pair in enumerate(pairs) if pair == wanted), None)

    def pair(self, number: int) -> "Pair | None":
        """The pair of the recipe of this number; None if there is none, and with a line in the log if it cannot be read."""
        if number >= len(self.recipes):
            return None
        before, after = (self._read(f"{number}-{which}.webp") for which in ("before", "after"))
        return None if before is None or after is None else Pair(self.recipes[number], before, after)

    def effect(self, feature: Feature) -> "list[list[Image.Image]] | None":
        """A feature's pictures, strength by strength, seed by seed; None where they were not drawn, or cannot be read."""
        if feature.id not in self.features:
            return None
        plain, sheet = self._read("plain.webp"), self._read(f"feature-{feature.id}.webp")
        if plain is None or sheet is None:
            return None
        columns = [*_columns(plain, 1), *_columns(sheet, len(STRENGTHS) - 1)]
        # 0 stands where `STRENGTHS` has it
        columns.insert(STRENGTHS.index(0.0), columns.pop(0))
        return columns

    def _by_id(self, edits: Sequence[Edit]) -> list[str]:
        """Edits, however they name their features."""
        known = [(self.bank.find(edit.feature), edit) for edit in edits]
        return [
            f"{feature.id if feature else edit.feature} {edit.mode} {edit.strength:g} {edit.words} {edit.start:g} {edit.end:g}"
            for feature, edit in known
        ]

    def _read(self, name: str) -> "Image.Image | None":
        try:
            return read_picture(self.folder / name)
        except SteerError as error:
            _LOG.warning("a picture drawn ahead is left out: %s", error)
            return None


def read_drawn(bank: FeatureBank, backbone: str) -> DrawnAhead | None:
    """The pictures in a bank's folder, by the name of the backbone that will draw, as `Steerer.load` takes it. Loads no model.

    Returns:
        As `drawn_with`; None also for a backbone that is not on this machine.
    """
    try:
        return drawn_with(bank, Checkpoint(backbone).digest())
    except SteerError:  # whoever loads it will say why
        return None


def drawn_with(bank: FeatureBank, backbone: str) -> DrawnAhead | None:
    """The pictures in a bank's folder, if they are of the backbone with this digest.

    Returns:
        None where there are none; and, with a line in the log, where they cannot be read, or are of another bank or backbone.
    """
    if bank.folder is None or not (bank.folder / FOLDER / INDEX).is_file():
        return None
    try:
        index = _read_index(bank.folder / FOLDER / INDEX)
        if index.bank != bank.quick_digest or index.backbone != backbone:
            raise SteerError("they were drawn with another bank or backbone: draw them again with `bank pictures`")
        recipes = tuple(Recipe.from_json(json.dumps(recipe)) for recipe in index.recipes)
        if any(bank.find(edit.feature) is None for recipe in recipes for edit in recipe.edits):
            recipes = ()  # since they were drawn, a feature was given another name
    except SteerError as error:
        _LOG.warning("the pictures drawn ahead in %s are not shown: %s", bank.folder, error)
        return None
    features = frozenset(index.effects.features if index.effects.current else ())
    return DrawnAhead(bank, bank.folder / FOLDER, recipes, features)


def read_picture(path: Path) -> "Image.Image":
    """A WebP file as RGB; SteerError for anything else, and for a file or a picture that is larger than any that was drawn."""
    largest = 3 * LARGEST_SIDE
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise SteerError(f"{path.name} has more than {_LARGEST_FILE // 1000} kB")
        picture = decode(path, ("WEBP",))
    except OSError as error:
        raise SteerError(f"{path.name} cannot be read ({error.strerror})") from None
    if max(picture.size) > largest:
        raise SteerError(f"{path.name} has {picture.width}x{picture.height} pixels; at most {largest} a side are shown")
    return picture


def _read_index(path: Path) -> Index:
    try:
        if path.stat().st_size > _LARGEST_INDEX:
            raise SteerError(f"{path.name} has more than {_LARGEST_INDEX // 1000} kB")
        return Index.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise SteerError(f"{path.name}: {first_complaint(error)}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SteerError(f"{path.name} is damaged ({first_line(error):.80})") from None


def _columns(sheet: "Image.Image", count: int) -> "list[list[Image.Image]]":
    """A sheet, cut into its columns of one picture a seed."""
    width, height = sheet.width // count, sheet.height // len(SEEDS)
    return [
        [sheet.crop((x * width, y * height, (x + 1) * width, (y + 1) * height)) for y in range(len(SEEDS))]
        for x in range(count)
    ]
