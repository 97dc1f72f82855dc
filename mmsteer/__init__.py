"""mmsteer: steer text-to-image models with SAE features labelled vision-only, language-only or cross-modal.

One call, `Steerer.steer`:

    prompt ─ encode ─────────► hidden [B, T, d_text]     what the UNet of this backbone reads
           ─ project ────────► x [B, d_joint]            the end-of-text row in CLIP's joint space, unit length
           ─ presence ───────► code [B, n_latents]       how much of each feature the prompt contains
           ─ edit, suppress ─► code'
           ─ (code' - code) @ steering vectors ─► dx [B, d_joint]
           ─ lift ───────────► dh [B, T, d_text]         added to the chosen rows, on the chosen steps
    hidden + dh ─ sample, same noise ─► after            before = the same call without dh, cached

Shape letters, the same everywhere: `B` prompts or pictures, `T` token rows, `N` pairs, `d_text`, `d_joint`, `n_latents`.

    >>> from mmsteer import Edit, Steerer
    >>> steerer = Steerer.load()
    >>> steered = steerer.steer("a cat at night", [Edit("warm light"), Edit("night", "remove")], seed=3)
    >>> steered.before.size == steered.after.size == (256, 256)
    True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsteer.bank import Feature, FeatureBank
    from mmsteer.errors import SteerError
    from mmsteer.models.sampler import Sampler
    from mmsteer.pictures.picture_features import PictureReader
    from mmsteer.recipes import sweep
    from mmsteer.recipes.edit import Edit
    from mmsteer.recipes.recipe import Origin, Recipe
    from mmsteer.recipes.region import Region
    from mmsteer.recipes.start import Start
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer

__all__ = [
    "Edit", "Feature", "FeatureBank", "Origin", "PictureReader", "Recipe", "Region", "Sampler", "Start", "SteerError", "Steered",
    "Steerer", "sweep",
]  # fmt: skip

_HOME = {
    "Edit": "recipes.edit", "Feature": "bank", "FeatureBank": "bank", "Origin": "recipes.recipe",
    "PictureReader": "pictures.picture_features", "Recipe": "recipes.recipe", "Region": "recipes.region", "Sampler": "models.sampler",
    "Start": "recipes.start", "SteerError": "errors", "Steered": "steering.steered", "Steerer": "steering.steerer",
    "sweep": "recipes.sweep",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import mmsteer` takes milliseconds."""
    if name not in _HOME:
        raise AttributeError(f"module 'mmsteer' has no attribute {name!r}; it has {', '.join(__all__)}")
    module = import_module(f"mmsteer.{_HOME[name]}")
    return module if name == "sweep" else getattr(module, name)
