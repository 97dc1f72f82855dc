"""mmsteer: steer text-to-image models by features whose modality is known.

The way of the data, on line (`Steerer.steer`):

    prompt - prompt.encode -> hidden [B, T, d_text]     what the UNet of this backbone reads
           - joint.project -> x [B, d_joint], norm      CLIP's projection of the end-of-text row, unit length
           - sae.encode ----> code [B, n_latents]
           - apply_edits ---> code'
           - (code' - code) @ effects -> dx             what goes with each latent; the SAE's error never enters
           - joint.lift ----> dh [B, d_text]            added to the chosen rows, on the chosen steps
    hidden + dh - diffuse, same noise -> after          before = the same call without dh, kept

Shape letters, the same everywhere: `B` prompts or pictures, `T` token rows, `N` pairs, `d_text`, `d_joint`, `n_latents`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsteer.bank import Feature, FeatureBank
    from mmsteer.errors import SteerError
    from mmsteer.models.sampler import Sampler
    from mmsteer.steering.edit import Edit
    from mmsteer.steering.recipe import Origin, Recipe
    from mmsteer.steering.steerer import Steered, Steerer

__all__ = ["Edit", "Feature", "FeatureBank", "Origin", "Recipe", "Sampler", "SteerError", "Steered", "Steerer"]

_HOME = {
    "Edit": "steering.edit", "Feature": "bank", "FeatureBank": "bank", "Origin": "steering.recipe", "Recipe": "steering.recipe",
    "Sampler": "models.sampler", "SteerError": "errors", "Steered": "steering.steerer", "Steerer": "steering.steerer",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: the door itself opens in milliseconds."""
    if name not in _HOME:
        raise AttributeError(f"module 'mmsteer' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(f"mmsteer.{_HOME[name]}"), name)
