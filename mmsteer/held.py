"""What vectors of the joint space hold of each latent of a dictionary: its code, and what other latents have absorbed of it."""

from typing import TYPE_CHECKING

from mmsteer.bank import FeatureBank

if TYPE_CHECKING:
    import torch


class Held:
    """For one side of a bank; what does not depend on the vectors is worked out once."""

    def __init__(self, bank: FeatureBank, side: str) -> None:
        import torch

        own = [feature for feature in bank.features if feature.side == side]
        self._dictionary = bank.dictionaries[side]
        self._latents = torch.tensor([feature.latent for feature in own], dtype=torch.long)
        self._half = torch.tensor([feature.unit / 2 for feature in own])
        effects = bank.bridge[f"effect_{side}"][self._latents].float()  # [n_own, d_joint]
        self._along = effects / effects.square().sum(1, keepdim=True).clamp(min=1e-12)
        self._rest = bank.bridge[f"rest_{side}"][self._latents].float()

    def of(self, x: "torch.Tensor") -> "torch.Tensor":
        """Vectors `x [B, d_joint]` -> `[B, n_latents]`: the code; or, where a latent is a feature and half a unit or more of its
        effect is there, how much is there.

        A latent may be silent though its concept is said, since others have absorbed it there (2409.14507): "house" fires on
        two of five captions with a house, but all of them lie far along its effect.
        """
        import torch

        code = self._dictionary.encode(x)
        along = x @ self._along.to(x).T - self._rest.to(x)
        held = code.clone()
        held[:, self._latents] = torch.where(along >= self._half.to(x), along, code[:, self._latents])
        return held
