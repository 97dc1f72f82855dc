"""The parts of a bank whose single dictionary serves both sides."""

from dataclasses import replace

import torch

from mmsteer.bank import Feature
from mmsteer.models.sae import SparseAutoencoder

Tensors = dict[str, torch.Tensor]


def as_shared(
    features: list[Feature], tensors: Tensors, dictionary: SparseAutoencoder
) -> tuple[list[Feature], Tensors, dict[str, SparseAutoencoder]]:
    """Features, tensors and dictionaries with one shared side in place of two.

    A vision-only feature steers with the steering vector measured on pictures, all others with the one measured on captions.

    Args:
        features: Of which latent k is the same on both sides.
        tensors: Of a bank with two sides; `steering_image` and `steering_text` become `steering_shared`, and so does `baseline`.
        dictionary: The dictionary of both sides.
    """
    visual = [f.image_latent for f in features if f.modality == "vision" and f.image_latent is not None]
    merged = {key: value for key, value in tensors.items() if not key.startswith(("steering_", "baseline_"))}
    for name in ("steering", "baseline"):
        merged[f"{name}_shared"] = tensors[f"{name}_text"].clone()
        merged[f"{name}_shared"][visual] = tensors[f"{name}_image"][visual]
    return [replace(feature, shared=True) for feature in features], merged, {"shared": dictionary}
