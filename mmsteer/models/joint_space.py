"""The map between what a UNet reads of a prompt and CLIP's joint space, both ways, in one class.

Knows matrices alone; knows nothing of prompts, features or pictures.
"""

import torch


class JointSpace:
    """Project hidden states into the joint space and lift differences back.

    The map is exact where the UNet reads the layer that CLIP projects: `projection [d_text, d_joint]` is CLIP's text projection
    (Radford et al., 2103.00020), applied to rows after the final layer norm, and its pseudo-inverse leads back. It is fitted
    where the UNet reads another layer: `projection`, `offset [d_joint]`, `inverse [d_joint, d_text]` and, for UNets that
    read a pooled vector too, `inverse_pooled [d_joint, d_pooled]` come from `mmsteer.labelling.text_to_joint.fit_text_to_joint`.
    """

    def __init__(
        self,
        projection: torch.Tensor,
        offset: torch.Tensor | None = None,
        inverse: torch.Tensor | None = None,
        inverse_pooled: torch.Tensor | None = None,
    ) -> None:
        self.projection = projection.float()
        self.offset = offset
        self.inverse = torch.linalg.pinv(self.projection) if inverse is None else inverse
        self.inverse_pooled = inverse_pooled

    def project(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows `[..., d_text]` -> joint vectors of unit length `[..., d_joint]` and their norm before scaling `[..., 1]`."""
        raw = rows.float() @ self.projection
        if self.offset is not None:
            raw = raw + self.offset
        norm = raw.norm(dim=-1, keepdim=True)
        return raw / norm, norm

    def lift(self, dx: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        """A joint-space difference as a difference of hidden states, `[..., d_text]`.

        Args:
            dx: `[..., d_joint]`.
            norm: `[..., 1]`, the length of the joint vectors before scaling, as `project` gives it.
        """
        return (dx * norm) @ self.inverse

    def lift_pooled(self, dx: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        """The same difference as one of the pooled vector, `[..., d_pooled]`: without a matrix of its own, that vector is a row."""
        return (dx * norm) @ (self.inverse if self.inverse_pooled is None else self.inverse_pooled)
