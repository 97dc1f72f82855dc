"""The tensors of a bank beside its dictionaries, and their safetensors file.

In memory they are called, for each side of `image`, `text` or `shared`:

- `projection [d_text, d_joint]`: the text-to-joint map. A fitted map also has `offset [d_joint]`, `inverse [d_joint, d_text]` and,
  for backbones with a pooled vector, `inverse_pooled [d_joint, d_pooled]`
- `probes [n_probes, d_joint]`: where a few fixed prompts land, by which a bank knows its text encoder
- `steering_SIDE [n_latents, d_joint]`: what each latent adds in the joint space per activation
- `baseline_SIDE [n_latents]`: where the mean vector without the latent lies along its steering vector, in activation
- `mean_text`, `mean_image [d_joint]`; `image_norm []`: how long CLIP's embeddings of pictures are before scaling
- `ood_mean [d_joint]`, `ood_precision [d_joint, d_joint]`, `ood_p99 []`: of the out-of-distribution distance
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
FILE = "bridge.safetensors"
_ON_DISK = {"steering_": "effect_", "baseline_": "rest_", "ood_": "gauge_"}
_IN_MEMORY = {old: new for new, old in _ON_DISK.items()}


def read_tensors(folder: Path) -> "dict[str, torch.Tensor]":
    """The tensors in a bank's folder. Raises what safetensors raises for a missing or damaged file; ValueError for NaN and infinity."""
    from safetensors.torch import load_file

    tensors = in_memory(load_file(folder / FILE))
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} has values that are not finite")
    return tensors


def write_tensors(tensors: "Mapping[str, torch.Tensor]", folder: Path) -> None:
    """Write them into a bank's folder."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in on_disk(tensors).items()}, folder / FILE)


def on_disk(tensors: "Mapping[str, T]") -> "dict[str, T]":
    """Tensors, or what is known of each, under the names they have in the file, which have not changed since the first banks."""
    return _renamed(tensors, _ON_DISK)


def in_memory(tensors: "Mapping[str, T]") -> "dict[str, T]":
    """The same under the names they have in memory."""
    return _renamed(tensors, _IN_MEMORY)


def _renamed(tensors: "Mapping[str, T]", prefixes: Mapping[str, str]) -> "dict[str, T]":
    known = re.compile("|".join(f"^{prefix}" for prefix in prefixes))
    return {known.sub(lambda prefix: prefixes[prefix[0]], name): tensor for name, tensor in tensors.items()}
