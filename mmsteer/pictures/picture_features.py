"""The features of a picture by modality, and as edits of any prompt.

The paper's control experiment (2502.14888): inject only the vision-only, only the cross-modal or only the language-only part.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.bank import Feature, FeatureBank, Modality
from mmsteer.bank.ood import usual_share
from mmsteer.errors import SteerError
from mmsteer.image_file import upright_rgb
from mmsteer.recipes.direction import Contrast
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.picture import Picture

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmsteer.models.clip import Clip
    from mmsteer.steering.steerer import Steerer

MOST: dict[Modality, int] = {"vision": 4, "cross": 9, "language": 3}
"""How many features of each modality become edits: together as many as a rack holds. Most of what makes a picture can also be said;
little of it can only be seen."""

FEWEST, LARGEST = 2, 10  # pictures of each group that a slider is made of
_WORDS = 5  # names that make a prompt

Parts = dict[Modality, list[tuple[Feature, float]]]
"""Features by modality, strongest first: those of a picture with their activation, those of its caption with their presence
(`mmsteer.steering.presence`), both in activation scales."""


class PictureReader:
    """Reads the features of pictures, by the full CLIP that a steerer's bank was made with. Safe to use from several threads.

    The CLIP's weights are read with the first picture. It runs on the CPU, where all joint-space arithmetic is done: pictures are
    read one at a time, and drawing keeps the GPU.

    Example:
        >>> from mmsteer import PictureReader, Steerer
        >>> steerer = Steerer.load()
        >>> picture = steerer.steer("a cat at night", seed=3).before
        >>> features = PictureReader(steerer).features_of(picture)
        >>> "night" in [feature.name for feature, activation in features]
        True
    """

    def __init__(self, steerer: "Steerer") -> None:
        self.steerer = steerer
        self._clip: Clip | None = None
        self._loading = threading.Lock()

    @property
    def clip(self) -> "Clip":
        """The full CLIP that the bank was made with; SteerError if it is not at hand."""
        with self._loading:
            self._clip = self._clip or _clip_of(self.steerer)
        return self._clip

    def embed(self, pictures: Sequence["Image.Image"]) -> "torch.Tensor":
        """N pictures -> joint vectors of unit length, `float32 [N, d_joint]`, on the CPU.

        Raises:
            SteerError: the CLIP that the bank was made with is not at hand.
        """
        clip = self.clip
        return clip.embed_pictures(clip.prepare([upright_rgb(picture) for picture in pictures]))

    def picture(self, picture: "Image.Image", share: float = 1.0) -> Picture:
        """A whole picture for a recipe: its joint vector, in the place of the prompt's image embedding to this share, 0 to 1."""
        return Picture.of(self.embed([picture])[0].tolist(), share)

    def contrast(self, title: str, shown: Sequence["Image.Image"], not_shown: Sequence["Image.Image"]) -> Contrast:
        """A slider from pictures: what some show and others do not, as a direction that an edit can name.

        Args:
            title: its name, for people.
            shown: 2 to 10 pictures with something.
            not_shown: 2 to 10 without it, otherwise as like as can be.

        Raises:
            SteerError: too few or too many pictures, both groups look the same, or the CLIP is not at hand.

        Example:
            >>> from mmsteer import Edit, PictureReader, Steerer
            >>> steerer = Steerer.load()
            >>> days = [steerer.steer(f"a {thing} in a meadow").before for thing in ("cat", "bus")]
            >>> nights = [steerer.steer(f"a {thing} at night").before for thing in ("cat", "bus")]
            >>> edit = Edit(str(PictureReader(steerer).contrast("dark", nights, days)))
            >>> steerer.feature(edit.feature).modality
            'cross'
        """
        check_groups(len(shown), len(not_shown))
        return contrast_of(title, self.embed(shown), self.embed(not_shown))

    def features_of(self, picture: "Image.Image") -> list[tuple[Feature, float]]:
        """The vision-only and cross-modal features of a picture with their activation in activation scales, strongest first.

        A scale belongs to the side that a feature acts on. A cross-modal feature acts on captions, so how far it moves the joint
        vector of the picture is measured in lengths of what one scale moves there. No picture has language-only features.
        """
        return self.features_at(self.embed([picture])[0])

    def words_of(self, picture: "Image.Image") -> str:
        """What a picture shows, in words for a prompt: the names of its strongest cross-modal features, or nothing."""
        named = [f for f, _ in self.features_of(picture) if f.modality == "cross" and f.specific and not f.image_only]
        return ", ".join(list(dict.fromkeys(f.concept for f in named))[:_WORDS])

    def features_at(self, x: "torch.Tensor") -> list[tuple[Feature, float]]:
        """As `features_of`, of the picture whose joint vector is `x [d_joint]`."""
        bank = self.steerer.bank
        side = "shared" if "shared" in bank.dictionaries else "image"
        moved = bank.dictionaries[side].encode(x) * bank.tensors[f"steering_{side}"].norm(dim=1)  # [n_latents]
        activations = []
        for feature in bank.features:
            if feature.image_latent is not None and feature.modality != "language":
                vector = bank.tensors[f"steering_{feature.side}"][feature.latent]
                scale = feature.activation_scale * vector.norm()
                activations.append((feature, float(moved[feature.image_latent] / scale)))
        return sorted(((f, a) for f, a in activations if a > 0), key=lambda pair: -pair[1])


def check_groups(shown: int, not_shown: int) -> None:
    """SteerError for numbers of pictures that no slider is made of."""
    for group, count in (("with", shown), ("without", not_shown)):
        if not FEWEST <= count <= LARGEST:
            raise SteerError(f"{count} pictures {group} it: give {FEWEST} to {LARGEST} with and as many without")


def contrast_of(title: str, shown: "torch.Tensor", not_shown: "torch.Tensor") -> Contrast:
    """The difference of the mean embeddings of two groups of pictures, `[n, d_joint]` each. The modality gap is in both means."""
    return Contrast.of(title, (shown.mean(0) - not_shown.mean(0)).tolist())


def strongest(features: Sequence[tuple[Feature, float]]) -> Parts:
    """The strongest features of each modality, as many as `MOST` allows, out of features that come strongest first."""
    return {modality: [(f, a) for f, a in features if f.modality == modality][:most] for modality, most in MOST.items()}


def edits(bank: FeatureBank, parts: Parts, strengths: Mapping[Modality, float]) -> list[Edit]:
    """The parts of a picture as edits of any prompt.

    Args:
        bank: where the features come from.
        parts: as `strongest` gives them.
        strengths: by modality; a feature is added with its activation times the strength of its modality, times `share_that_fits`.

    Returns:
        Edits within each feature's usable range, in hundredths, so that a recipe holds them exactly.
    """
    share, made = share_that_fits(bank, parts, strengths), []
    for feature, amount in _amounts(parts, strengths):
        if strength := round(share * amount, 2):
            made.append(Edit(bank.reference(feature), "add", strength))
    return made


def share_that_fits(bank: FeatureBank, parts: Parts, strengths: Mapping[Modality, float]) -> float:
    """How much of some parts a prompt can take at once, 0 to 1.

    Each feature alone is within its usable range, but a picture has many, and several that mean the same ("big", "big 2"). All
    together would leave the range of ordinary prompts. A strength above 1 asks for more than the picture has, and gets it: it
    counts as 1 here.
    """
    import torch

    amounts = _amounts(parts, {modality: min(1.0, strength) for modality, strength in strengths.items()})
    step = torch.zeros_like(bank.tensors["ood_mean"]).float()
    for feature, amount in amounts:
        step += amount * bank.push(feature)
    return usual_share(bank.tensors, bank.features, step)


def _amounts(parts: Parts, strengths: Mapping[Modality, float]) -> list[tuple[Feature, float]]:
    """Each feature of some parts and how much of it is wanted, within its usable range."""
    return [
        (feature, min(strengths.get(modality, 0.0) * activation, feature.usable[1]))
        for modality, features in parts.items() for feature, activation in features
    ]  # fmt: skip


def _clip_of(steerer: "Steerer") -> "Clip":
    """The CLIP that the bank was made with: `clip/` in the folder of the bank or the backbone, or the hub's commit that the
    bank names.
    """
    from mmsteer.models.clip import Clip

    bank, source = steerer.bank, steerer.backbone.checkpoint.source
    made_with = bank.meta.get("clip", {})
    name = made_with.get("id", steerer.backbone.family.clip)
    folders = [folder / "clip" for folder in (bank.folder, source) if isinstance(folder, Path)]
    cure = f"put {name} (or a link to it) into {' or '.join(map(str, folders)) or 'clip/ of the bank'}, saved by transformers"
    local = next((folder for folder in folders if folder.is_dir()), None)
    if local is not None:
        clip = Clip(local)
    elif made_with.get("revision"):
        clip = Clip(f"{name}@{made_with['revision']}")
    else:
        raise SteerError(f"pictures are read by the full CLIP that the bank was made with, and it is not here: {cure}")
    if "digest" in made_with and clip.identity["digest"] != made_with["digest"]:
        raise SteerError(f"{clip.folder} is not the CLIP that the bank was made with: {cure}")
    clip.model, clip.processor  # noqa: B018  read now, while no other thread is let in
    return clip
