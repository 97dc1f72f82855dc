"""Latents as a small picture in a millisecond: a linear map, fitted once to a backbone's own autoencoder.

The factors by which tools show latents as colours are such a fit, made once for a family's usual autoencoder. Fitted here, the map
is right for any autoencoder, and looking at a latent's neighbours as well it gives a picture of a quarter of the full size.
"""

import math
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mmsteer.pixels import to_picture

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmsteer.models.backbone import Backbone

_PICTURES, _SIDE = 8, 256  # to fit to
_SCALES = (2, 5, 11, 23)  # cells a side of what they are made of
_RIDGE = 1e-3
_NEIGHBOURS = 3  # latents a side that a patch of the picture is made from


class LinearDecoder:
    """A least-squares map from each latent and its eight neighbours to a patch of the picture."""

    def __init__(self, weights: "torch.Tensor", patch: int) -> None:
        """`weights` is [9 channels + 1, 3 patch²]; `patch` the pixels a side that a latent gives."""
        self.weights, self.patch = weights, patch

    @classmethod
    def fit(cls, vae: Any, device: Any) -> "LinearDecoder":
        """Fit to an autoencoder, on random fields of colour that it encodes.

        Args:
            vae: with `encode`; of diffusers.
            device: where it computes.
        """
        import torch
        from torch.nn import functional

        pictures = _fields()
        half = vae.dtype == torch.float16  # in which some overflow
        with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            encoded = vae.encode(pictures.to(device, vae.dtype))
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        latents = _scaled(vae.config, latents.float().cpu())
        patch = max(1, _SIDE // latents.shape[-1] // 4)
        small = functional.interpolate(pictures, [size * patch for size in latents.shape[-2:]], mode="area")
        patches = functional.pixel_unshuffle(small, patch).permute(0, 2, 3, 1).reshape(-1, 3 * patch**2)
        rows = _rows(latents)
        ridge = _RIDGE * len(rows) * torch.eye(rows.shape[1])
        return cls(torch.linalg.solve(rows.T @ rows + ridge, rows.T @ patches), patch)

    def picture(self, latents: "torch.Tensor") -> "Image.Image | None":
        """The first of some latents `[B, C, h, w]`, scaled as the denoiser has them, as a picture of patch·w by patch·h pixels; None if
        a number is not finite.
        """
        import torch

        first = latents[:1].float().cpu()
        patches = (_rows(first) @ self.weights).reshape(1, *first.shape[-2:], -1).permute(0, 3, 1, 2)
        pixels = torch.nn.functional.pixel_shuffle(patches, self.patch)[0]
        if not torch.isfinite(pixels).all():
            return None
        return to_picture(((pixels.clamp(-1, 1) + 1) * 127.5).byte())


_FITTED: "WeakKeyDictionary[Any, LinearDecoder]" = WeakKeyDictionary()
"""By autoencoder."""


def decoder_of(backbone: "Backbone") -> LinearDecoder:
    """The map of a backbone's autoencoder, fitted when it is first asked for."""
    vae = backbone.pipeline.vae
    if vae not in _FITTED:
        _FITTED[vae] = LinearDecoder.fit(vae, backbone.pipeline._execution_device)
    return _FITTED[vae]


def _fields() -> "torch.Tensor":
    """Pictures of colour at several scales, half of them smooth and half with edges, `[B, 3, H, W]` from -1 to 1."""
    import torch
    from torch.nn import functional

    random = torch.Generator().manual_seed(0)
    pictures = torch.rand(_PICTURES, 3, 1, 1, generator=random) - 0.5
    for cells in _SCALES:
        fields = torch.rand(_PICTURES, 3, cells, cells, generator=random) - 0.5
        smooth = functional.interpolate(fields[::2], (_SIDE, _SIDE), mode="bicubic")
        edged = functional.interpolate(fields[1::2], (_SIDE, _SIDE), mode="nearest")
        pictures = pictures + torch.cat([smooth, edged]) * 2.8 / (1 + math.sqrt(cells))
    return pictures.clamp(-1, 1)


def _scaled(config: Any, latents: "torch.Tensor") -> "torch.Tensor":
    """Latents as pipelines of diffusers pass them to the denoiser."""
    import torch

    scale, shift = config.get("scaling_factor") or 1.0, config.get("shift_factor") or 0.0
    if not (config.get("latents_mean") and config.get("latents_std")):
        return (latents - shift) * scale
    mean, spread = (torch.tensor(config[name]).reshape(1, -1, 1, 1) for name in ("latents_mean", "latents_std"))
    return (latents - mean) * scale / spread


def _rows(latents: "torch.Tensor") -> "torch.Tensor":
    """Each latent with its neighbours and a one, `[B h w, 9 channels + 1]`."""
    import torch
    from torch.nn import functional

    padded = functional.pad(latents, [_NEIGHBOURS // 2] * 4, mode="replicate")
    rows = functional.unfold(padded, _NEIGHBOURS).transpose(1, 2).flatten(0, 1)
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
