"""What stands in for a UNet during one call of a pipeline; the UNet itself is not changed.

For what a pipeline's own arguments cannot do: an image embedding that changes during the run, and guidance from *before*
towards *after*.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from mmsteer.models.conditioning import Conditioning


class Denoiser:
    """Stands in for a pipeline's UNet; whatever else the pipeline asks of it, the UNet answers."""

    def __init__(self, unet: Any, before: "Conditioning", guided: bool, towards: float) -> None:
        """`before` is the prompt's own conditioning of B prompts; `guided` whether the pipeline calls for the empty prompt's rows
        too; `towards` how far to go from the prediction for *before* to that for *after*, 1: the latter itself.
        """
        self.unet, self.before, self.guided, self.towards = unet, before, guided, towards
        self.current = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unet, name)

    def __call__(
        self, sample: "torch.Tensor", t: Any, encoder_hidden_states: "torch.Tensor", added_cond_kwargs: Any = None, **rest: Any
    ) -> Any:  # fmt: skip
        """The prediction for `sample [B or 2B, C, H, W]`, as a tuple of one: the rows of the empty prompt first, if guided.

        Semantic guidance (Brack et al., 2301.12247, section 3) with one concept and no mask: of the two predictions, the part
        in which they differ is scaled, before guidance from the empty prompt adds its own.
        """
        import torch

        count, more = len(sample), added_cond_kwargs or {}
        own = slice(count // 2 if self.guided else 0, count)  # rows of the prompt
        rows = {"encoder_hidden_states": encoder_hidden_states} | {k: v for k, v in more.items() if k != "image_embeds"}
        now, first = self._image(self.current, more, own), self._image(self.before, more, own)
        if self.towards == 1:
            return self._predict(sample, t, rows, now, rest)
        doubled = {name: torch.cat([part, self._before_rows(name, part[own])]) for name, part in rows.items()}
        image = None if now is None or first is None else torch.cat([now, first[own]])
        rest = {
            k: torch.cat([v, v[own]]) if torch.is_tensor(v) and v.shape[:1] == (count,) else v for k, v in rest.items()
        }
        (drawn,) = self._predict(torch.cat([sample, sample[own]]), t, doubled, image, rest)
        whole, before = drawn[:count], drawn[count:]
        after = before + self.towards * (whole[own] - before)
        return (torch.cat([whole[: own.start], after]),)

    def _before_rows(self, name: str, rows: "torch.Tensor") -> "torch.Tensor":
        """What *before* reads in place of rows of *after*."""
        before = {"encoder_hidden_states": self.before.hidden, "text_embeds": self.before.pooled}.get(name)
        return rows if before is None else before.to(rows)

    def _image(self, conditioning: "Conditioning", more: dict[str, Any], own: slice) -> "torch.Tensor | None":
        """The image embeddings the pipeline hands on, `[B or 2B, 1, d_joint]`, with a conditioning's own in the prompt's rows."""
        import torch

        if "image_embeds" not in more or conditioning.image is None:
            return None
        (embeddings,) = more["image_embeds"]
        return torch.cat([embeddings[: own.start], conditioning.image[:, None].to(embeddings)])

    def _predict(
        self, sample: "torch.Tensor", t: Any, rows: dict[str, Any], image: "torch.Tensor | None", rest: dict[str, Any]
    ) -> Any:
        more = {k: v for k, v in rows.items() if k != "encoder_hidden_states"} | (
            {} if image is None else {"image_embeds": [image]}
        )
        return self.unet(sample, t, rows["encoder_hidden_states"], added_cond_kwargs=more or None, **rest)
