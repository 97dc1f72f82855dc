"""CLIP similarity of pictures to a prompt and to features: cosines in the joint space, for any backbone whose full CLIP is at hand."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmsteer.pictures.picture_features import PictureReader


class Similarity(NamedTuple):
    """The similarity of some pictures to one thing."""

    name: str
    values: tuple[float, ...]
    """Cosines, -1 to 1, one a picture."""


def clip_similarity(reader: "PictureReader", recipe: Recipe, pictures: "Sequence[Image.Image]") -> list[Similarity]:
    """How similar pictures are to a recipe's prompt, to the picture that it starts from, if any, then to each feature it edits.

    To the prompt and to a picture: the cosine of both embeddings (Radford et al., 2103.00020). To a feature: the cosine of its
    direction with the difference between a picture's embedding and the mean picture's, so that 0 is neither for nor against it.

    Args:
        reader: of the steerer that drew the pictures.
        recipe: what they were drawn from.
        pictures: N of them.

    Raises:
        SteerError: the CLIP that the bank was made with is not at hand.
    """
    steerer = reader.steerer
    x = reader.embed(pictures)  # [N, d_joint]
    prompt = steerer.read([recipe.prompt]).x[0]  # [d_joint]
    away = x - steerer.bank.tensors["mean_image"].to(x)
    features = dict.fromkeys(steerer.feature(edit.feature) for edit in recipe.edits)
    to_prompt = Similarity("the prompt", _cosines(x, prompt))
    own = (
        [Similarity("your picture", _cosines(x, reader.embed([recipe.start.image(pictures[0].width)])[0]))]
        if recipe.start
        else []
    )
    return [to_prompt, *own, *(Similarity(f.name, _cosines(away, _direction(steerer.bank, f))) for f in features)]


def _direction(bank: FeatureBank, feature: Feature | Direction) -> "torch.Tensor":
    """The steering vector of a feature, `[d_joint]`: of pictures where it has a latent of pictures, else of captions."""
    if isinstance(feature, Direction):
        return feature.vector
    if feature.shared:
        return bank.tensors["steering_shared"][feature.latent]
    if feature.image_latent is not None:
        return bank.tensors["steering_image"][feature.image_latent]
    return bank.tensors["steering_text"][feature.latent]


def _cosines(rows: "torch.Tensor", direction: "torch.Tensor") -> tuple[float, ...]:
    import torch

    return tuple(torch.nn.functional.cosine_similarity(rows, direction.to(rows)[None]).tolist())
