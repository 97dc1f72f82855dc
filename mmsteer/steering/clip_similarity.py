"""How like pictures are to a prompt and to features: cosines in CLIP's joint space, for any backbone whose whole CLIP is at hand."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.models.prompt import encode
from mmsteer.steering.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmsteer.steering.picture_features import PictureReader


class Likeness(NamedTuple):
    """To one thing, of each picture."""

    name: str
    values: tuple[float, ...]
    """Cosines, -1 to 1."""


def likeness(reader: "PictureReader", recipe: Recipe, pictures: "Sequence[Image.Image]") -> list[Likeness]:
    """Of pictures to a recipe's prompt, then to each feature it edits.

    To the prompt: the cosine of both embeddings (CLIP's similarity; Radford et al., 2103.00020). To a feature: the cosine of
    its direction and of how a picture's embedding differs from the mean picture's, so that 0 is neither for nor against.
    SteerError where there is no such CLIP.
    """
    steerer = reader.steerer
    x = reader.embed(pictures)  # [N, d_joint]
    prompt, _ = steerer.joint.project(encode(steerer.backbone, [recipe.prompt]).last)  # [1, d_joint]
    away = x - steerer.bank.tensors["mean_image"].to(x)
    features = dict.fromkeys(steerer.bank.get(edit.feature) for edit in recipe.edits)
    found = [Likeness("the prompt", _cosines(x, prompt[0]))]
    return found + [Likeness(feature.name, _cosines(away, _direction(steerer.bank, feature))) for feature in features]


def _direction(bank: FeatureBank, feature: Feature) -> "torch.Tensor":
    """What goes with a feature, `[d_joint]`: in pictures where it has a latent of pictures, else in captions."""
    if feature.shared:
        return bank.tensors["steering_shared"][feature.latent]
    if feature.image_latent is not None:
        return bank.tensors["steering_image"][feature.image_latent]
    return bank.tensors["steering_text"][feature.latent]


def _cosines(rows: "torch.Tensor", direction: "torch.Tensor") -> tuple[float, ...]:
    import torch

    return tuple(torch.nn.functional.cosine_similarity(rows, direction.to(rows)[None]).tolist())
