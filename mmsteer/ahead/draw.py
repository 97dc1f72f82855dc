"""Draw a bank's pictures ahead: its tour, and the effect of each feature, into the folder `pictures` of the bank."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.ahead.drawn import FOLDER, INDEX, LARGEST_SIDE, MOST_PAIRS, DrawnAhead, Effects, Index, drawn_with
from mmsteer.ahead.effect import PROMPT, SEEDS, SIDE, STRENGTHS
from mmsteer.errors import SteerError, first_line
from mmsteer.pixels import save_webp, to_picture
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.presets import tour
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.bank import Feature
    from mmsteer.steering.steerer import Steerer

MINUTES = 10.0
"""That drawing may take, unless said otherwise."""


def draw_ahead(steerer: "Steerer", minutes: float = MINUTES) -> tuple[int, int]:
    """Draw the tour of a bank, then effects of its features, the surest names first. The tour is drawn anew; effects that were
    drawn with this bank and backbone are kept, so that a second run goes on where time ran out.

    Args:
        steerer: the backbone, and a bank in a folder.
        minutes: no further picture is begun after so many; the first pair is drawn in any case.

    Returns:
        How many pairs, and the effects of how many features, were drawn.

    Raises:
        SteerError: the bank's folder cannot be written to. Pictures that were there are then as before.
    """
    folder = steerer.bank.folder
    assert folder is not None, "a bank that was loaded has one"
    partial, end = folder / f"{FOLDER}.partial", time.monotonic() + 60 * minutes

    def in_time() -> bool:
        return time.monotonic() < end

    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        recipes = _pairs(steerer, partial, in_time)
        features = _effects(steerer, partial, in_time, drawn_with(steerer.bank, steerer.backbone.digest))
        _write_index(steerer, recipes, features, partial)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        partial.replace(folder / FOLDER)
    except OSError as error:
        raise SteerError(
            f"cannot write pictures to {folder} ({first_line(error)}): free the disk, or copy the bank"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(recipes), len(features)


def _pairs(steerer: "Steerer", folder: Path, in_time: Callable[[], bool]) -> list[Recipe]:
    recipes: list[Recipe] = []
    for number, preset in enumerate(tour(steerer.bank, steerer.backbone.steers_image_only)[:MOST_PAIRS]):
        if recipes and not in_time():
            break
        result = steerer.steer(preset.prompt, preset.edits, preset.seed)
        for which, picture in (("before", result.before), ("after", result.after)):
            small = picture.copy()
            small.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
            save_webp(small, folder / f"{number}-{which}.webp", 90)
        recipes.append(result.recipe)
    return recipes


def _effects(steerer: "Steerer", folder: Path, in_time: Callable[[], bool], earlier: DrawnAhead | None) -> list[int]:
    """Effects of features by falling confidence in their names; whole ones, as time allows. Returns their ids."""
    drawn = [f.id for f in steerer.bank.features if earlier and earlier.effect(f)]
    if earlier and drawn:
        for name in ("plain.webp", *(f"feature-{number}.webp" for number in drawn)):
            shutil.copyfile(earlier.folder / name, folder / name)
    elif in_time():
        save_webp(_sheet([_column(steerer, None, 0.0)]), folder / "plain.webp", 80)
    for feature in sorted(
        steerer.bank.features, key=lambda f: (f.name_confidence is None, -(f.name_confidence or 0.0))
    ):
        if feature.id in drawn:
            continue
        columns = [_column(steerer, feature, strength) for strength in STRENGTHS if strength and in_time()]
        if len(columns) < len(STRENGTHS) - 1:
            break
        save_webp(_sheet(columns), folder / f"feature-{feature.id}.webp", 80)
        drawn.append(feature.id)
    return drawn


def _column(steerer: "Steerer", feature: "Feature | None", strength: float) -> "list[Image.Image]":
    """The small pictures of one strength, a seed each; at once, which is faster than one by one."""
    from PIL import Image

    edits = (Edit(feature.id, strength=strength),) if feature else ()
    drawn = steerer.render_many([PROMPT] * len(SEEDS), edits, SEEDS)
    return [to_picture(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for pixels in drawn]


def _sheet(columns: "list[list[Image.Image]]") -> "Image.Image":
    from PIL import Image

    sheet = Image.new("RGB", (SIDE * len(columns), SIDE * len(SEEDS)))
    for x, column in enumerate(columns):
        for y, picture in enumerate(column):
            sheet.paste(picture, (SIDE * x, SIDE * y))
    return sheet


def _write_index(steerer: "Steerer", recipes: list[Recipe], features: list[int], folder: Path) -> None:
    """What was drawn with what; one line a recipe, for people who read it."""
    effects = Effects(prompt=PROMPT, seeds=list(SEEDS), strengths=list(STRENGTHS), features=sorted(features))
    index = Index(
        bank=steerer.bank.quick_digest, backbone=steerer.backbone.digest, effects=effects,
        recipes=[json.loads(recipe.to_json()) for recipe in recipes],
    )  # fmt: skip
    (folder / INDEX).write_text(index.model_dump_json(indent=1) + "\n", encoding="utf-8")
