"""The joint-space difference that edits make: (edited code - code) @ steering vectors, over the dictionaries of both sides.

Since only differences of codes enter, what a dictionary fails to reconstruct stays as it is. Knows features and codes; nothing of
prompts, hidden states or pictures.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.recipes.direction import Direction, Features
from mmsteer.recipes.edit import Edit, Mode
from mmsteer.steering.suppression import suppressed_shares

if TYPE_CHECKING:
    import torch


class LatentEdit(NamedTuple):
    """An edit of one latent: what a dictionary understands."""

    latent: int
    mode: Mode
    amount: float
    """Strength times activation scale for `add` and `set`; for `remove` the strength, as a share of what the prompt contains."""


def on_latent(edit: Edit, feature: Feature | Direction) -> LatentEdit:
    """An edit with the latent and the activation scale of its feature put in.

    Raises:
        SteerError: a direction is to be set: nothing reads how much of it a prompt contains.
    """
    unread = isinstance(feature, Direction)
    if unread and edit.mode == "set":
        raise SteerError(
            f"the direction {feature.name!r} cannot be set to a value, since nothing reads how much of it a prompt contains: add it"
        )
    if edit.mode == "remove":
        if unread or feature.image_only:  # no prompt contains it, so it cannot be taken out: push the other way instead
            return LatentEdit(feature.latent, "add", -edit.strength * feature.activation_scale)
        return LatentEdit(feature.latent, "remove", edit.strength)
    return LatentEdit(feature.latent, edit.mode, edit.strength * feature.activation_scale)


def apply_edits(code: "torch.Tensor", edits: Iterable[LatentEdit]) -> "torch.Tensor":
    """Code `[B, n_latents]` -> edited code, one edit after the other; without edits the very same tensor."""
    edited = code
    for edit in edits:
        edited = edited.clone() if edited is code else edited
        if edit.mode == "add":
            edited[:, edit.latent] += edit.amount
        elif edit.mode == "set":
            edited[:, edit.latent] = edit.amount
        else:
            edited[:, edit.latent] *= 1 - edit.amount
    return edited


class Differences:
    """What the edits of one call do in the joint space, asked for group by group.

    The groups share what they suppress: a feature that one edit has suppressed is not suppressed again by the next.
    """

    def __init__(
        self,
        bank: FeatureBank,
        known: Features,
        x: "torch.Tensor",
        presence: "Mapping[str, torch.Tensor]",
        edits: Sequence[Edit],
    ) -> None:
        """Take all edits of a call.

        Args:
            bank: whose dictionaries and steering vectors are used.
            known: knows the features that edits name, and directions.
            x: `[B, d_joint]`, the joint vectors of B prompts.
            presence: by dictionary, what these prompts contain, `[B, n_latents]`, in activation.
            edits: all of the call; a feature that has an edit of its own is never suppressed by another.
        """
        self._bank, self._known, self._x, self._presence = bank, known, x, presence
        self._edited = {known.get(edit.feature).id for edit in edits}
        self._shares: dict[str, torch.Tensor] = {}

    def of(self, edits: Sequence[Edit]) -> "torch.Tensor":
        """The difference `[B, d_joint]` that some of the edits make."""
        dx = self._x * 0
        named = [(edit, self._known.get(edit.feature)) for edit in edits]
        dx = dx + self._along([(edit, known) for edit, known in named if isinstance(known, Direction)])
        features = [(edit, known) for edit, known in named if isinstance(known, Feature)]
        for side in dict.fromkeys(feature.side for _, feature in features):
            vectors = self._bank.tensors[f"steering_{side}"].to(self._x)
            code = self._presence[side].double()  # a strength of 1e-5 must not drown in rounding
            own = [(edit, feature) for edit, feature in features if feature.side == side]
            edited = apply_edits(code, [on_latent(edit, feature) for edit, feature in own])
            earlier = self._shares.get(side, code * 0)
            self._shares[side] = self._suppressed(code, own, vectors.norm(dim=1).double(), earlier)
            dx = dx + (edited - code * (1 + self._shares[side] - earlier)).to(dx) @ vectors
        return dx

    def _along(self, edits: "Sequence[tuple[Edit, Direction]]") -> "torch.Tensor":
        """The difference `[B, d_joint]` of edits of directions, each alone in a code of its own that is silent in every prompt."""
        dx = self._x * 0
        for direction in {direction.id: direction for _, direction in edits}.values():
            silent = self._x[:, :1].double() * 0
            own = [on_latent(edit, other) for edit, other in edits if other.id == direction.id]
            dx = dx + apply_edits(silent, own).to(dx) * direction.vector.to(dx)
        return dx

    def _suppressed(
        self,
        code: "torch.Tensor",
        edits: Sequence[tuple[Edit, Feature]],
        lengths: "torch.Tensor",
        shares: "torch.Tensor",
    ) -> "torch.Tensor":
        """The shares `[B, n_latents]` suppressed after some edits: as a feature grows, fading is complete at strength 1."""
        for edit, feature in edits:
            if edit.mode != "remove" and edit.strength > 0:
                exclusive = [self._bank.get(i).latent for i in feature.mutually_exclusive if i not in self._edited]
                shares = shares.maximum(suppressed_shares(code, exclusive, lengths, min(edit.strength, 1.0)))
        return shares
