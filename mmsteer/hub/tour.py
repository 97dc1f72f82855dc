"""A tour of a bank, drawn ahead: a few features, before and after, as small pictures that a page can show while a model loads."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmsteer.bank import Feature, FeatureBank
    from mmsteer.steering.steerer import Steerer

_PROMPT, _SEED = "a photo of a house by the river", 0
_SIDE = 320  # the most pixels a side of one picture
_FEATURES = 2  # of each modality


def draw_tour(steerer: "Steerer", folder: Path) -> list[str]:
    """Draw the features with the surest names, each added at strength 1 to one prompt.

    Args:
        steerer: backbone and bank.
        folder: gets a WebP file for each feature; files of these names are replaced.

    Returns:
        A line of Markdown for each picture, with its path from the folder that contains `folder`.
    """
    from PIL import Image

    from mmsteer.recipes.edit import Edit

    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, feature in enumerate(_chosen(steerer.bank, steerer.backbone.steers_image_only), 1):
        result = steerer.steer(_PROMPT, [Edit(feature.id)], _SEED)
        width, height = result.before.size
        pair = Image.new("RGB", (2 * width + 4, height), "white")
        pair.paste(result.before, (0, 0))
        pair.paste(result.after, (width + 4, 0))
        pair.thumbnail((2 * _SIDE + 4, _SIDE))
        pair.save(folder / f"{number}.webp", quality=80)
        lines.append(f"![Before and after: {feature.name}, {feature.modality}]({folder.name}/{number}.webp)")
    return lines


def _chosen(bank: "FeatureBank", image_only: bool) -> "list[Feature]":
    """A few named features of each modality; vision-only ones only where the backbone can be steered by them."""
    named = [f for f in bank.features if f.name_confidence is not None and (image_only or not f.image_only)]
    named.sort(key=lambda f: -(f.name_confidence or 0.0))
    return [
        f
        for modality in ("cross", "language", "vision")
        for f in [g for g in named if g.modality == modality][:_FEATURES]
    ]
