"""Prompts of one call: encoded, projected into the joint space and read for features, once."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.models.prompt import Encoded, encode

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.joint_space import JointSpace
    from mmsteer.steering.presence import Presence


class PromptState(NamedTuple):
    """All that steering knows of B prompts."""

    encoded: Encoded
    """Hidden states, and the rows of each word."""
    x: "torch.Tensor"
    """[B, d_joint]: joint vectors of unit length, float32 on the CPU."""
    norm: "torch.Tensor"
    """[B, 1]: their length before scaling."""
    presence: "Mapping[str, torch.Tensor]"
    """By dictionary: the presence of each latent's feature, in activation, `[B, n_latents]` (`mmsteer.steering.presence`)."""
    against: Encoded
    """What guidance steers away from, of one prompt, in as many chunks: the negative prompt, or the empty one."""


def read_prompts(
    backbone: "Backbone",
    joint: "JointSpace",
    presence: "Presence",
    prompts: Sequence[str],
    negative: "Callable[[int], Encoded]",
) -> PromptState:
    """Encode B prompts, project their end-of-text rows, and read their features.

    Args:
        backbone: whose text encoders read them.
        joint: the map into the joint space.
        presence: of the bank's features.
        prompts: B of them.
        negative: encodes what guidance steers away from, in at least so many chunks.
    """
    encoded = encode(backbone, list(prompts))
    against = negative(encoded.chunks)
    if against.chunks > encoded.chunks:
        encoded = encode(backbone, list(prompts), against.chunks)
    return read_encoded(encoded, joint, presence, against)


def read_encoded(encoded: Encoded, joint: "JointSpace", presence: "Presence", against: Encoded) -> PromptState:
    """The same of prompts that are encoded already, and of what guidance steers away from."""
    x, norm = joint.project(encoded.last)
    return PromptState(encoded, x, norm, {side: presence.of(x, side) for side in presence.sides}, against)
