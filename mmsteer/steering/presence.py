"""Presence: how much of each feature a prompt contains. The one definition: the page shows it, and `remove` takes it out."""

from typing import TYPE_CHECKING

from mmsteer.bank import Feature, FeatureBank

if TYPE_CHECKING:
    import torch


class Presence:
    """How much of each feature of a bank texts contain, from their joint vectors x.

    With z(x) the feature's activation, u its activation scale, s its steering vector and b its baseline (the projection of the
    mean text on which it is silent), the projection of x is p(x) = x·s / |s|² - b, in activation. In activation scales,

        presence(x) = p(x) / u  where p(x) >= u / 2,  else  z(x) / u.

    Why not the activation alone: a latent may be silent though the text states its concept, where other latents have absorbed
    it (Chanin et al., 2409.14507). The steering vector is the mean text with the feature minus the mean text without it, per
    activation, so p is 0 at the one and u at the other, and u / 2 is half way: the nearest class mean along s (Hastie et al.,
    The Elements of Statistical Learning, section 4.3). On 3,000 captions of the world and the features of the embedded bank
    that are named after a known factor, the activation alone has precision 0.92 and recall 0.76 for what a caption states,
    presence 0.87 and 0.90.

    A feature that no prompt contains (`Feature.image_only`) has presence 0 everywhere. A language-only one is read as any other.
    """

    def __init__(self, bank: FeatureBank) -> None:
        import torch

        self.sides = tuple(bank.dictionaries)
        self.side = "shared" if "shared" in bank.dictionaries else "text"
        """The dictionary that reads texts."""
        self._bank = bank
        self._features = [feature for feature in bank.features if not feature.image_only]
        self._latents = torch.tensor([feature.latent for feature in self._features], dtype=torch.long)
        self._scales = torch.tensor([feature.activation_scale for feature in self._features])
        steering = bank.tensors[f"steering_{self.side}"][self._latents].float()  # [n_features, d_joint]
        self._along = steering / steering.square().sum(1, keepdim=True).clamp(min=1e-12)
        self._baseline = bank.tensors[f"baseline_{self.side}"][self._latents].float()

    def of(self, x: "torch.Tensor", side: str) -> "torch.Tensor":
        """Presence by latent.

        Args:
            x: `[B, d_joint]`, joint vectors of texts.
            side: which dictionary's latents.

        Returns:
            `[B, n_latents]`, in activation (presence times activation scale); 0 for latents of no feature, and everywhere for the
            dictionary of pictures.
        """
        import torch

        present = x.new_zeros(len(x), len(self._bank.tensors[f"steering_{side}"]))
        if side == self.side:
            activation = self._bank.dictionaries[side].encode(x)[:, self._latents]
            projection = x @ self._along.to(x).T - self._baseline.to(x)
            present[:, self._latents] = torch.where(projection >= self._scales.to(x) / 2, projection, activation)
        return present

    def features(self, presence: "torch.Tensor") -> list[tuple[Feature, float]]:
        """The features present in one text, with their presence in activation scales, strongest first.

        Args:
            presence: `[n_latents]`, as `of` gives it for `self.side`.
        """
        amounts = ((feature, float(presence[feature.latent]) / feature.activation_scale) for feature in self._features)
        return sorted(((f, amount) for f, amount in amounts if amount > 0), key=lambda pair: -pair[1])
