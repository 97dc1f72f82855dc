"""Draw the pictures of a static edition: a strip of all strengths for each feature and prompt."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.pixels import save_webp, shrunk, to_picture
from mmsteer.recipes.edit import Edit
from mmsteer.site.plan import STRENGTHS, Plan

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steering.steerer import Steerer

SIDE = 256
"""Pixels of a picture, at most."""
_QUALITY = 70  # of WebP


def draw_strips(steerer: "Steerer", plan: Plan, folder: Path) -> Iterator[int]:
    """Write `PROMPT-FEATURE.webp` for every number of a prompt and id of a feature: a picture for each of `STRENGTHS`, left to right.

    All prompts are drawn at once.

    Yields:
        How many features are done, after each.
    """
    plain = _draw(steerer, plan, ())
    for count, feature in enumerate(plan.features, 1):
        frames = [_draw(steerer, plan, (Edit(feature.id, strength=s),)) if s else plain for s in STRENGTHS]
        for number, strip in enumerate(zip(*frames, strict=True)):
            save_webp(beside(strip), folder / f"{number}-{feature.id}.webp", _QUALITY)
        yield count


def draw_tour(steerer: "Steerer", steps: list[tuple[str, int, tuple[Edit, ...]]], folder: Path) -> None:
    """Write `STEP-before.webp` and `STEP-after.webp` for each prompt, seed and edits."""
    for number, (prompt, seed, edits) in enumerate(steps):
        result = steerer.steer(prompt, edits, seed)
        for which, picture in (("before", result.before), ("after", result.after)):
            save_webp(shrunk(picture, 2 * SIDE), folder / f"{number}-{which}.webp", 90)


def beside(pictures: "tuple[Image.Image, ...]") -> "Image.Image":
    """Pictures of one size from left to right."""
    from PIL import Image

    width, height = pictures[0].size
    strip = Image.new("RGB", (width * len(pictures), height))
    for k, picture in enumerate(pictures):
        strip.paste(picture, (k * width, 0))
    return strip


def _draw(steerer: "Steerer", plan: Plan, edits: tuple[Edit, ...]) -> "list[Image.Image]":
    """A picture for each prompt."""
    drawn = steerer.render_many(plan.prompts, edits, [plan.seed] * len(plan.prompts))
    return [shrunk(to_picture(picture), SIDE) for picture in drawn]
