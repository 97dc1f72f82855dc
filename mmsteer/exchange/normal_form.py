"""The one form that dictionaries of all libraries are brought into: code = before * (before > threshold), or its k largest.

Here before = relu((x - b_dec) @ W_enc + b_enc). The result has the same codes and reconstructions as the original for every unit
vector x. A dictionary without such a form is refused.
"""

from dataclasses import dataclass, replace

import torch

from mmsteer.models.sae import SAEConfig, SparseAutoencoder


@dataclass(frozen=True)
class NormalForm:
    """A dictionary that fires above `threshold`, or with its `k` largest pre-activations."""

    W_enc: torch.Tensor
    """`[d_in, n_latents]`"""
    b_enc: torch.Tensor
    """`[n_latents]`"""
    W_dec: torch.Tensor
    """`[n_latents, d_in]`"""
    b_dec: torch.Tensor
    """`[d_in]`"""
    threshold: torch.Tensor | None = None
    """`[n_latents]`"""
    k: int | None = None

    def __post_init__(self) -> None:
        """ValueError for shapes that do not fit together."""
        if self.W_enc.ndim != 2:
            raise ValueError(f"W_enc is {tuple(self.W_enc.shape)}, not a matrix")
        d_in, n = self.W_enc.shape
        shapes = {"W_enc": (d_in, n), "b_enc": (n,), "W_dec": (n, d_in), "b_dec": (d_in,), "threshold": (n,)}
        for key, value in self._tensors().items():
            if tuple(value.shape) != shapes[key]:
                raise ValueError(
                    f"{key} is {tuple(value.shape)}, but {shapes[key]} goes with {n} latents of vectors {d_in} wide"
                )

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {key: value for key, value in vars(self).items() if isinstance(value, torch.Tensor)}

    def uncentred(self) -> "NormalForm":
        """For an encoder that does not subtract b_dec from its input: its bias adds it again."""
        return replace(self, b_enc=self.b_enc + self.b_dec @ self.W_enc)

    def scaled(self, scale: float) -> "NormalForm":
        """For a dictionary trained on vectors `scale` times as long: the codes stay the same."""
        return replace(self, W_enc=self.W_enc * scale, W_dec=self.W_dec / scale, b_dec=self.b_dec / scale)

    def moved(self, by: torch.Tensor) -> "NormalForm":
        """For a dictionary trained on vectors from which `by [d_in]` was subtracted."""
        return replace(self, b_dec=self.b_dec + by)

    def stretched(self, by: torch.Tensor) -> "NormalForm":
        """Activations `by [n_latents]` times as large, with shorter decoder rows; 0 makes a latent that never fires."""
        threshold = None if self.threshold is None else self.threshold * by
        W_dec = self.W_dec / torch.where(by > 0, by, 1)[:, None]
        return replace(self, W_enc=self.W_enc * by, b_enc=self.b_enc * by, W_dec=W_dec, threshold=threshold)

    def dictionary(self) -> SparseAutoencoder:
        """The frozen module; ValueError for values that are not finite."""
        for key, value in self._tensors().items():
            if not value.isfinite().all():
                raise ValueError(f"{key} has values that are not finite")
        d_in, n = self.W_enc.shape
        dictionary = SparseAutoencoder(SAEConfig(d_in, n, self.k))
        dictionary.load_state_dict(self._tensors())
        return dictionary.requires_grad_(False)


def gated(
    W_enc: torch.Tensor, W_dec: torch.Tensor, b_dec: torch.Tensor,
    r_mag: torch.Tensor, b_gate: torch.Tensor, b_mag: torch.Tensor,
) -> NormalForm:  # fmt: skip
    """A gated SAE (2404.16014): it fires where a + b_gate > 0, with activation exp(r_mag) * a + b_mag.

    Both follow from one threshold on the activation.
    """
    for key, value in (("r_mag", r_mag), ("b_gate", b_gate)):
        if value.shape != b_mag.shape:
            raise ValueError(f"{key} is {tuple(value.shape)}, but b_mag is {tuple(b_mag.shape)}")
    return NormalForm(W_enc * r_mag.exp(), b_mag, W_dec, b_dec, b_mag - r_mag.exp() * b_gate)
