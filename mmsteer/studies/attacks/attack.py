"""One attack on one picture, as a program or a page calls it: attacked picture, embeddings, moved features; defence; top captions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip
from mmsteer.pixels import to_picture, to_pixels
from mmsteer.studies.attacks.channel import READ_BY, SCOPES, Channel, Scope, Side, channel
from mmsteer.studies.attacks.pgd import Objective, bytes_read, embed_all, pgd
from mmsteer.studies.attacks.visibility import psnr, ssim

MOST_BUDGET, MOST_STEPS = 32, 200


@dataclass(frozen=True)
class Moved:
    """A feature whose activation in the picture changed, in lengths of what one activation scale moves."""

    feature: Feature
    before: float
    after: float


@dataclass(frozen=True)
class AttackResult:
    """A picture before and after an attack."""

    picture: Image.Image
    """As the CLIP reads it: at its size."""
    attacked: Image.Image
    before: torch.Tensor
    """Unit embedding, `[d_joint]`"""
    after: torch.Tensor
    moved: list[Moved]
    """Features of all modalities whose activation changed, the most changed first."""
    psnr: float
    ssim: float

    def difference(self, times: float = 16.0) -> Image.Image:
        """Attacked minus original, amplified, around middle grey."""
        before, after = (to_pixels(picture).float() for picture in (self.picture, self.attacked))
        return to_picture((128 + times * (after - before)).clamp(0, 255).to(torch.uint8))


def attack(
    clip: Clip,
    bank: FeatureBank,
    picture: Image.Image,
    budget: int = 4,
    steps: int = 10,
    modality: Scope = "cross",
    *,
    caption: str | None = None,
    target_caption: str | None = None,
    seed: int = 0,
) -> AttackResult:
    """Attack one picture through the features of one modality.

    Args:
        clip: the CLIP that the bank was made with.
        bank: whose features restrict the attack.
        picture: any size; it is attacked at the size the CLIP reads.
        budget: how far each value may move, of 255.
        steps: of projected gradient descent.
        modality: the features that the objective sees; "all" for the whole embedding.
        caption: what the attack moves the picture away from; None: from the picture as it was.
        target_caption: what it moves the picture towards; then `caption` is not used.
        seed: of the random start.

    Raises:
        SteerError: budget, steps or modality are out of range.
    """
    if not 0 <= budget <= MOST_BUDGET or not 1 <= steps <= MOST_STEPS or modality not in SCOPES:
        raise SteerError(
            f"cannot attack with budget {budget}, {steps} steps, modality {modality!r}: give a budget of 0 to {MOST_BUDGET}, 1 to "
            f"{MOST_STEPS} steps, and a modality out of {', '.join(SCOPES)}"
        )
    pixels = bytes_read(clip, [picture])
    before = embed_all(clip, pixels)
    text = target_caption if target_caption is not None else caption
    reference = before if text is None else clip.embed_texts([text])
    goal = objective(channel(bank, modality, "image"), before, reference, towards=target_caption is not None)
    attacked = pgd(clip, pixels, goal, budget, steps, torch.Generator().manual_seed(seed))
    after = embed_all(clip, attacked)
    return AttackResult(
        to_picture(pixels[0]), to_picture(attacked[0]), before[0], after[0], moved_features(bank, before[0], after[0]),
        float(psnr(pixels, attacked)), float(ssim(pixels, attacked)),
    )  # fmt: skip


def objective(through: Channel, clean: torch.Tensor, reference: torch.Tensor, towards: bool) -> Objective:
    """What an attack maximises: similarity to the reference, or its negative, of `clean` with only the channel's part moved.

    Args:
        through: the channel.
        clean: embeddings of the pictures as they were, `[B, d_joint]`.
        reference: unit vectors, `[B, d_joint]`.
        towards: approach the reference; else leave it.
    """
    sign = 1.0 if towards else -1.0
    return lambda x: sign * (through.moved(x, clean) * reference).sum(1)


def moved_features(bank: FeatureBank, before: torch.Tensor, after: torch.Tensor) -> list[Moved]:
    """How activations differ between two embeddings of pictures, `[d_joint]`, the most changed feature first.

    In lengths of what one activation scale moves, as `mmsteer.pictures` shows them. Language-only features are read by the captions'
    dictionary after the gap between the sides is taken off.
    """
    both, changes = torch.stack([before, after]), []
    for modality in MODALITIES:
        through = channel(bank, modality, "image")
        if not len(through.latents):
            continue
        reader: Side = READ_BY[modality, "image"]
        side = "shared" if "shared" in bank.dictionaries else reader
        code = through.code(both) * bank.tensors[f"steering_{side}"][through.latents].norm(dim=1)
        features = [f for f in bank.features if f.modality == modality and _row(f, reader) is not None]
        for feature, (a, b) in zip(features, code.T.tolist(), strict=True):
            scale = feature.activation_scale * float(bank.tensors[f"steering_{feature.side}"][feature.latent].norm())
            if a != b:
                changes.append(Moved(feature, a / scale, b / scale))
    return sorted(changes, key=lambda change: -abs(change.after - change.before))


def defend(bank: FeatureBank, x: torch.Tensor, modality: Scope, side: Side = "image") -> torch.Tensor:
    """Unit embeddings `[.., d_joint]` of a side without the features of a modality; "all" leaves them as they are."""
    return channel(bank, modality, side).removed(x.view(-1, x.shape[-1])).view(x.shape)


def top_captions(
    clip: Clip,
    x: torch.Tensor,
    captions: Sequence[str],
    most: int = 5,
    *,
    bank: FeatureBank | None = None,
    removed: Scope = "all",
) -> list[tuple[str, float]]:
    """The captions nearest to a picture's embedding `[d_joint]` with their similarities, nearest first.

    With a bank, the features of the modality `removed` are set to zero on both sides before comparing.
    """
    words = clip.embed_texts(list(captions))
    if bank is not None:
        x, words = defend(bank, x, removed), defend(bank, words, removed, "text")
    similarity = words @ x
    best = similarity.argsort(descending=True, stable=True)[:most]
    return [(captions[k], float(similarity[k])) for k in best.tolist()]


def _row(feature: Feature, reader: Side) -> int | None:
    return feature.image_latent if reader == "image" else feature.text_latent
