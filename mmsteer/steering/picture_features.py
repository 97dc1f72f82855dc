"""Pictures into the joint space, and what a picture has of each modality as edits of any prompt. On line, read only.

The paper's control experiment (2502.14888): inject only the vision-only, only the cross-modal or only the language-only part.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.bank import Feature, FeatureBank, Modality
from mmsteer.errors import SteerError
from mmsteer.steering.edit import Edit

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmsteer.models.clip import Clip
    from mmsteer.steering.steerer import Steerer

MOST: dict[Modality, int] = {"vision": 4, "cross": 9, "language": 3}
"""Features of each modality that become edits: together as many as a rack holds. A picture is made of many things said and
seen, and of few only seen."""

Parts = dict[Modality, list[tuple[Feature, float]]]
"""Features by modality, strongest first: those of a picture with their activation, those of its caption with their presence
(`mmsteer.steering.presence`), both in activation scales."""


class PictureReader:
    """The whole CLIP that belongs to a steerer's backbone; its weights are read when a picture first comes. For any thread.

    On the CPU, where all joint-space arithmetic is done: pictures are read one at a time, and drawing keeps the GPU.
    """

    def __init__(self, steerer: "Steerer") -> None:
        self.steerer = steerer
        self._clip: Clip | None = None
        self._loading = threading.Lock()

    def embed(self, pictures: Sequence["Image.Image"]) -> "torch.Tensor":
        """N pictures -> joint vectors of unit length, `float32 [N, d_joint]`, on the CPU.

        SteerError where there is no CLIP at hand that the bank was made with.
        """
        with self._loading:
            clip = self._clip = self._clip or _clip_of(self.steerer)
        return clip.pictures(clip.prepare([picture.convert("RGB") for picture in pictures]))

    def features_of(self, picture: "Image.Image") -> list[tuple[Feature, float]]:
        """The vision-only and cross-modal features of a picture with their activation in units, strongest first.

        A unit is told for the side that a feature acts on. A cross-modal one acts on captions: what it moves in the joint space
        of pictures counts here, in lengths of what one unit moves there. No picture has language-only features.
        """
        bank, (x,) = self.steerer.bank, self.embed([picture])
        side = "shared" if "shared" in bank.dictionaries else "image"
        moved = bank.dictionaries[side].encode(x) * bank.tensors[f"steering_{side}"].norm(dim=1)  # [n_latents]
        found = []
        for feature in bank.features:
            if feature.image_latent is not None and feature.modality != "language":
                unit = feature.activation_scale * bank.tensors[f"steering_{feature.side}"][feature.latent].norm()
                found.append((feature, float(moved[feature.image_latent] / unit)))
        return sorted(((f, a) for f, a in found if a > 0), key=lambda pair: -pair[1])


def strongest(features: Sequence[tuple[Feature, float]]) -> Parts:
    """Of features, strongest first, those that make up the part of each modality, as many as `MOST` says."""
    return {modality: [(f, a) for f, a in features if f.modality == modality][:most] for modality, most in MOST.items()}


def edits(bank: FeatureBank, parts: Parts, strengths: Mapping[Modality, float]) -> list[Edit]:
    """The parts as edits: each feature added, as strongly as the picture has it times the strength of its modality.

    Kept within each feature's usable range, and told in hundredths, so that a recipe says it in full.
    """
    made = []
    for modality, found in parts.items():
        for feature, activation in found:
            strength = round(min(strengths.get(modality, 0.0) * activation, feature.usable[1]), 2)
            if strength:
                made.append(Edit(bank.reference(feature), "add", strength))
    return made


def _clip_of(steerer: "Steerer") -> "Clip":
    """The CLIP that the bank was made with: `clip/` in the folder of the bank or the backbone, or the hub's commit that the
    bank names.
    """
    from mmsteer.models.clip import Clip

    bank, source = steerer.bank, steerer.backbone.spec.source
    made_with = bank.meta.get("clip", {})
    name = made_with.get("id", steerer.backbone.family.clip)
    folders = [folder / "clip" for folder in (bank.folder, source) if isinstance(folder, Path)]
    cure = f"put {name} (or a link to it) into {' or '.join(map(str, folders)) or 'clip/ of the bank'}, saved by transformers"
    found = next((folder for folder in folders if folder.is_dir()), None)
    if found is not None:
        clip = Clip(found)
    elif made_with.get("revision"):
        clip = Clip(f"{name}@{made_with['revision']}")
    else:
        raise SteerError(f"pictures are read by the whole CLIP that the bank was made with, and it is not here: {cure}")
    if "digest" in made_with and clip.identity["digest"] != made_with["digest"]:
        raise SteerError(f"{clip.folder} is not the CLIP that the bank was made with: {cure}")
    clip.model, clip.processor  # noqa: B018  read while no other thread is let in
    return clip
