"""What stands in for a pipeline's UNet or transformer, and for its VAE, during one call; these themselves are not changed.

For what a pipeline's own arguments cannot do: an image embedding or a pooled vector that changes during the run, guidance from
*before* towards *after*, edits in a region alone, and a check of the numbers that become pixels.
"""

from math import isqrt
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.conditioning import Conditioning
    from mmsteer.recipes.region import Region

_POSITIONS = ("txt_ids", "img_ids")
"""Arguments without a batch dimension: positions of rows."""


class Denoiser:
    """Stands in for the part of a pipeline that draws; whatever else the pipeline asks of it, that part answers."""

    def __init__(
        self, backbone: "Backbone", before: "Conditioning", guided: bool, towards: float, region: "Region | None" = None
    ) -> None:
        """`before` is the prompt's own conditioning of B prompts; `guided` whether the pipeline calls for the empty prompt's rows
        too; `towards` how far to go from the prediction for *before* to that for *after*, 1: the latter itself. With a `region` the
        first half of the prompts draws *before*, and the second half differs from it in the region alone.
        """
        self.model, self.rows = backbone.denoiser, backbone.family.rows
        self.before, self.guided, self.towards, self.region = before, guided, towards, region
        self.current = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The prediction for a sample `[B or 2B, …]`, as a tuple of one: the rows of the empty prompt first, if guided. UNets are
        called with the sample first, transformers with it as `hidden_states`.
        """
        (drawn,) = self._predict(args, named)
        return (drawn if self.region is None else self._within(self.region, drawn),)

    def _predict(self, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the model predicts, as a tuple of one.

        Semantic guidance (Brack et al., 2301.12247, section 3) with one concept and no mask: of the two predictions, the part
        in which they differ is scaled, before guidance from the empty prompt adds its own.
        """
        import torch

        count = len(args[0] if args else named["hidden_states"])
        own = slice(count // 2 if self.guided else 0, count)  # rows of the prompt
        now = self._reading(self.current, named, own)
        if self.towards == 1:
            return self.model(*args, **now)
        first = self._reading(self.before, named, own)
        both = {name: part if name in _POSITIONS else _joined(part, first[name], own) for name, part in now.items()}
        (drawn,) = self.model(*(_joined(part, part, own) for part in args), **both)
        whole, before = drawn[:count], drawn[count:]
        after = before + self.towards * (whole[own] - before)
        return (torch.cat([whole[: own.start], after]),)

    def _within(self, region: "Region", drawn: "torch.Tensor") -> "torch.Tensor":
        """Predictions for *before* and *after*, these blended with those by a soft mask of the region.

        Both are drawn side by side from the same noise, and samplers work number by number. So where the mask is zero the latents of
        *after* are those of *before* at every step, whatever the sampler remembers of earlier ones.
        """
        import torch

        mask = soft_mask(region, drawn)
        before, after = drawn.reshape(2 if self.guided else 1, 2, -1, *drawn.shape[1:]).unbind(1)
        return torch.stack([before, torch.lerp(before, after, mask)], 1).flatten(0, 2)

    def _reading(self, conditioning: "Conditioning", named: dict[str, Any], own: slice) -> dict[str, Any]:
        """Named arguments of a call, with a conditioning's parts in the rows of the prompt."""
        import torch

        def placed(rows: "torch.Tensor", part: "torch.Tensor | None") -> "torch.Tensor":
            return rows if part is None else torch.cat([rows[: own.start], part.to(rows)])

        named = named | {"encoder_hidden_states": placed(named["encoder_hidden_states"], self.rows(conditioning))}
        if "pooled_projections" in named:
            named["pooled_projections"] = placed(named["pooled_projections"], conditioning.pooled)
        if more := dict(named.get("added_cond_kwargs") or {}):
            if "text_embeds" in more:
                more["text_embeds"] = placed(more["text_embeds"], conditioning.pooled)
            if "image_embeds" in more and conditioning.image is not None:
                more["image_embeds"] = [placed(more["image_embeds"][0], conditioning.image[:, None])]
            named["added_cond_kwargs"] = more
        return named


def _joined(part: Any, before: Any, own: slice) -> Any:
    """An argument for *after*, and below it the prompt's rows of that for *before*; arguments without rows stay."""
    import torch

    if isinstance(part, dict):
        return {name: _joined(value, before[name], own) for name, value in part.items()}
    if isinstance(part, list):
        return [_joined(one, other, own) for one, other in zip(part, before, strict=True)]
    return torch.cat([part, before[own]]) if torch.is_tensor(part) and part.shape[:1] == (own.stop,) else part


def soft_mask(region: "Region", sample: "torch.Tensor") -> "torch.Tensor":
    """How far edits act on a sample: 1 within the region, 0 outside, in between along its border.

    Args:
        region: on a coarse grid, of which each point of the sample takes a weighted mean.
        sample: `[B, C, H, W]`, or `[B, H * W, C]` as transformers with packed latents have it, of square pictures.

    Returns:
        `[H, W]`, or `[H * W, 1]`.
    """
    import torch

    packed = sample.ndim == 3
    size = (isqrt(sample.shape[1]),) * 2 if packed else tuple(sample.shape[-2:])
    grid = torch.tensor(region.rows, dtype=torch.float32)[None, None]
    mask = torch.nn.functional.interpolate(grid, size, mode="bilinear", antialias=True)[0, 0]
    return (mask.reshape(-1, 1) if packed else mask).to(sample)


class Decoder:
    """Stands in for a pipeline's VAE: refuses numbers that are not finite, which would become black pixels."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vae, name)

    def decode(self, latents: "torch.Tensor", *args: Any, **kwargs: Any) -> Any:
        """As the VAE's own; SteerError where its input or its output has a number that is not finite."""
        _check_finite(latents, "the denoiser", "")
        decoded = self.vae.decode(latents, *args, **kwargs)
        cure = ", or a VAE made for half precision, such as madebyollin/sdxl-vae-fp16-fix for SDXL"
        _check_finite(decoded[0], "the VAE", cure)
        return decoded


def _check_finite(numbers: "torch.Tensor", part: str, more: str) -> None:
    import torch

    if torch.isfinite(numbers).all():
        return
    precision = str(numbers.dtype).removeprefix("torch.")
    others = [name for name in ("bfloat16", "float32") if name != precision]
    cure = f"try --dtype {' or '.join(others)}{more}"
    if precision == "float32":  # no precision is safer
        cure = "its weights are damaged, or the edits or the guidance too strong"
    raise SteerError(f"{part} gave numbers that are not finite, in {precision}, of which there is no picture: {cure}")
