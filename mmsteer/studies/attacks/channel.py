"""A channel: the part of an embedding that an attack may act through and a defence removes, as latents of one dictionary.

An embedding of the other side (language-only latents on a picture, vision-only ones on a caption) is first moved by the gap between
the means of the two sides, since a dictionary knows only vectors of its own side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F

from mmsteer.bank import MODALITIES, FeatureBank, Modality
from mmsteer.models.sae import SparseAutoencoder

Side = Literal["image", "text"]
Scope = Modality | Literal["all"]
SCOPES: tuple[Scope, ...] = (*MODALITIES, "all")
"""What an attack may act through: the features of a modality, or the whole embedding."""
READ_BY: dict[tuple[Modality, Side], Side] = {
    ("vision", "image"): "image", ("cross", "image"): "image", ("language", "image"): "text",
    ("vision", "text"): "image", ("cross", "text"): "text", ("language", "text"): "text",
}  # fmt: skip
"""The dictionary that reads a modality's features in an embedding of a side."""


class _OneSided(torch.autograd.Function):
    """Pre-activations where latents fire, else 0. Backward, a silent latent passes the gradient that would raise it.

    JumpReLU and TopK have no gradient at silent latents, which hides them from an attack instead of defending them; the remedy is
    the backward pass of a smooth stand-in (BPDA, Athalye et al., 1802.00420). Right for objectives that are maximised.
    """

    @staticmethod
    def forward(context: Any, before: torch.Tensor, fires: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(fires)
        return before * fires

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,), (fires,) = gradients, context.saved_tensors
        return torch.where(fires, gradient, gradient.clamp(min=0)), None


@dataclass(frozen=True)
class Channel:
    """Latents of one dictionary, as an embedding of one side is read by it; or, without a dictionary, the whole embedding."""

    name: str
    dictionary: SparseAutoencoder | None = None
    latents: torch.Tensor = torch.zeros(0, dtype=torch.long)
    shift: torch.Tensor | float = 0.0
    """Added before the dictionary reads: the gap between the sides' means where it is the other side's dictionary."""

    def code(self, x: torch.Tensor) -> torch.Tensor:
        """Activations of the latents, `[B, n]`, for unit embeddings `x [B, d_joint]`."""
        dictionary = self.dictionary
        assert dictionary is not None, "the whole embedding has no code"
        shifted = x + self.shift
        fires = dictionary.encode(shifted.detach())[:, self.latents] > 0
        before = F.linear(
            shifted - dictionary.b_dec, dictionary.W_enc.T[self.latents], dictionary.b_enc[self.latents]
        )
        code: torch.Tensor = _OneSided.apply(before, fires)
        return code

    def contribution(self, x: torch.Tensor) -> torch.Tensor:
        """What the latents add to `x`, `[B, d_joint]`; all of it without a dictionary."""
        return x if self.dictionary is None else self.code(x) @ self.dictionary.W_dec[self.latents]

    def moved(self, x: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        """`clean` with only the channel's part moved to where it is in `x`, of unit length: what a restricted attack optimises."""
        if self.dictionary is None:
            return x
        return F.normalize(clean + self.contribution(x) - self.contribution(clean), dim=1)

    def removed(self, x: torch.Tensor) -> torch.Tensor:
        """`x` with the latents set to zero, of unit length again; for the whole embedding, `x` as it is."""
        return x if self.dictionary is None else F.normalize(x - self.contribution(x), dim=1)


WHOLE = Channel("all")


def channel_of(bank: FeatureBank, side: Side, latents: Sequence[int], reader: Side, name: str) -> Channel:
    """The channel of some latents.

    Args:
        bank: with the dictionaries and the means of both sides.
        side: of the embeddings that are read.
        latents: rows of the dictionary.
        reader: whose dictionary reads.
        name: for tables.
    """
    rows = torch.as_tensor(list(latents), dtype=torch.long)
    if "shared" in bank.dictionaries:
        return Channel(name, bank.dictionaries["shared"], rows)
    means = bank.tensors
    shift = 0.0 if reader == side else (means[f"mean_{reader}"] - means[f"mean_{side}"]).float()
    return Channel(name, bank.dictionaries[reader], rows, shift)


def channel(bank: FeatureBank, scope: Scope, side: Side) -> Channel:
    """All features of a modality, as they are read in embeddings of a side; for "all", the whole embedding."""
    if scope == "all":
        return WHOLE
    reader = READ_BY[scope, side]
    features = [feature for feature in bank.features if feature.modality == scope]
    rows = [feature.image_latent if reader == "image" else feature.text_latent for feature in features]
    return channel_of(bank, side, [row for row in rows if row is not None], reader, scope)
