"""The map between a text encoder's hidden states and CLIP's joint space, both ways, in one class.

Knows the projection matrix alone; knows nothing of prompts, features or pictures.
"""

import torch


class JointSpace:
    """Project hidden rows into the joint space and lift differences back.

    `projection [d_text, d_joint]` is CLIP's text projection (Radford et al., 2103.00020), applied to rows after the final
    layer norm.
    """

    def __init__(self, projection: torch.Tensor) -> None:
        self.projection = projection.float()
        self.inverse = torch.linalg.pinv(self.projection)  # [d_joint, d_text]

    def project(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows `[..., d_text]` -> joint vectors of unit length `[..., d_joint]` and their norm before scaling `[..., 1]`."""
        raw = rows @ self.projection.to(rows)
        norm = raw.norm(dim=-1, keepdim=True)
        return raw / norm, norm

    def lift(self, dx: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        """A joint-space difference `dx [..., d_joint]`, times `norm [..., 1]`, as a difference of hidden rows `[..., d_text]`."""
        return (dx * norm) @ self.inverse.to(dx)
