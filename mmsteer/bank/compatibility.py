"""Whether a bank fits a backbone: the map it brings, and the probe prompts by which it knows its text encoder."""

from typing import TYPE_CHECKING

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.image_adapter import CLIPS
from mmsteer.models.joint_space import JointSpace
from mmsteer.models.prompt import encode

if TYPE_CHECKING:
    import torch

# Prompts by which a bank knows the text encoder that it was made for, and the least cosine they must agree with.
PROBES = ("a cat", "a photo of a red car at night", "two people on a beach", "an oil painting of a house in the snow")
LEAST_AGREEMENT = 0.9


def joint_space_of(bank: FeatureBank) -> JointSpace:
    """The joint space as a bank's tensors have it."""
    parts = ("projection", "offset", "inverse", "inverse_pooled")
    return JointSpace(**{part: bank.tensors[part] for part in parts if part in bank.tensors})


def probe(backbone: Backbone, joint: JointSpace) -> "torch.Tensor":
    """Where the probe prompts arrive in the joint space, `[n_probes, d_joint]`."""
    return joint.project(encode(backbone, list(PROBES)).last)[0]


def check_compatible(backbone: Backbone, bank: FeatureBank, joint: JointSpace) -> None:
    """SteerError unless the bank's text-to-joint map was made for this backbone's text encoder.

    Known by what it does: a few probe prompts must arrive at the joint vectors that were written down with the map.
    """
    made_for, family = bank.meta.get("backbone", "an unknown backbone"), backbone.family
    cure = (
        f"{backbone.name} is {family.title}, whose CLIP is {family.clip}: give a bank of that CLIP, fitted to it with "
        f"`python -m mmsteer bank fit BANK --backbone {backbone.name} --clip CLIP`"
    )
    width = len(bank.tensors["projection"])
    if width != backbone.width:
        raise SteerError(
            f"the bank was made for {made_for}, whose hidden states are {width} wide; those here are {backbone.width}. {cure}"
        )
    if family.pooled and not family.pooled_is_last:
        _check_pooled(backbone, bank, made_for, cure)
    if backbone.image_width not in (None, len(bank.tensors["mean_image"])):
        raise SteerError(_other_image_embeddings(backbone, len(bank.tensors["mean_image"]), made_for))
    if backbone.image_width and not family.image and "image_norm" not in bank.tensors:
        raise SteerError(
            "the bank does not say how long its CLIP's image embeddings are, which an image adapter needs: build it again"
        )
    if "probes" not in bank.tensors:
        raise SteerError(f"the bank was made for a CLIP alone, not for a text encoder that a pipeline reads. {cure}")
    agreement = float((probe(backbone, joint) * bank.tensors["probes"]).sum(1).mean())
    if agreement < LEAST_AGREEMENT:
        raise SteerError(
            f"the bank was made for {made_for}, another text encoder than this one: probe prompts agree with a cosine of "
            f"{agreement:.2f}. {cure}"
        )


def _check_pooled(backbone: Backbone, bank: FeatureBank, made_for: str, cure: str) -> None:
    """SteerError unless the bank's map reaches the pooled vector."""
    pooled = encode(backbone, [""]).conditioning.pooled
    assert pooled is not None
    if "inverse_pooled" not in bank.tensors:
        raise SteerError(f"the bank's text-to-joint map, made for {made_for}, does not reach the pooled vector. {cure}")
    width = bank.tensors["inverse_pooled"].shape[1]
    if width != pooled.shape[1]:
        raise SteerError(
            f"the bank was made for {made_for}, whose pooled vector is {width} wide; the one here is {pooled.shape[1]}. {cure}"
        )


def _other_image_embeddings(backbone: Backbone, width: int, made_for: str) -> str:
    """What to say where the image embeddings that a backbone reads are not those of the bank's CLIP, `width` wide."""
    reads = backbone.image_width
    clip = (
        backbone.family.clip
        if backbone.family.image
        else CLIPS.get(reads or 0, "the CLIP whose image embeddings it reads")
    )
    say = (
        f"the bank, made for {made_for}, lives in a joint space {width} wide, and {backbone.name} reads image embeddings {reads} wide: "
        f"give a bank of {clip}, fitted with `python -m mmsteer bank fit BANK --backbone {backbone.name} --clip CLIP`"
    )
    return say if backbone.family.image else f"{say}; or an adapter that reads embeddings {width} wide"
