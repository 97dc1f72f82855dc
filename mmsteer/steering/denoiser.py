"""What stands in for a pipeline's UNet or transformer, and for its VAE, during one call; these themselves are not changed.

For what a pipeline's own arguments cannot do: an image embedding or a pooled vector that changes during the run, guidance from
*before* towards *after*, and a check of the numbers that become pixels.
"""

from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.conditioning import Conditioning

_POSITIONS = ("txt_ids", "img_ids")
"""Arguments without a batch dimension: positions of rows."""


class Denoiser:
    """Stands in for the part of a pipeline that draws; whatever else the pipeline asks of it, that part answers."""

    def __init__(self, backbone: "Backbone", before: "Conditioning", guided: bool, towards: float) -> None:
        """`before` is the prompt's own conditioning of B prompts; `guided` whether the pipeline calls for the empty prompt's rows
        too; `towards` how far to go from the prediction for *before* to that for *after*, 1: the latter itself.
        """
        self.model, self.rows = backbone.denoiser, backbone.family.rows
        self.before, self.guided, self.towards = before, guided, towards
        self.current = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The prediction for a sample `[B or 2B, …]`, as a tuple of one: the rows of the empty prompt first, if guided. UNets are
        called with the sample first, transformers with it as `hidden_states`.

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
