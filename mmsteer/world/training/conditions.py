"""What conditions the world's UNet: what captions say, and what steering adds to it, as directions of the joint space.

Knows the text encoder and captions; knows nothing of pictures, noise or the UNet.
"""

from typing import Any

import numpy as np
import torch

from mmsteer.models.joint_space import JointSpace
from mmsteer.world.captions import caption, captions
from mmsteer.world.factors import FACTORS, INDEX, draw_factors
from mmsteer.world.models.clip import tokens


class Conditions:
    """Hidden states for training: the frozen text encoder, and the edits by which it learns to be steered."""

    def __init__(self, clip: Any, tokenizer: Any, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.clip, self.tokenizer = clip.to(self.device).eval(), tokenizer
        self.projection = clip.text_projection.weight.detach().float().T.contiguous()  # [d_text, d_joint]
        self.joint = JointSpace(self.projection)

    def read(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Captions -> hidden states `[B, T, d_text]`, joint vector `[B, d_joint]`, its norm before scaling `[B, 1]`."""
        return self.read_ids(tokens(self.tokenizer, texts).to(self.device))

    @torch.no_grad()
    def read_ids(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The same of token ids `int64 [B, T]` on the device."""
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.clip.text_model(input_ids=ids)
        x, norm = self.joint.project(output.pooler_output.float())
        return output.last_hidden_state.float(), x, norm

    def lift(self, hidden: torch.Tensor, dx: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        """Add the joint-space difference `dx [B, d_joint]` to every row but the first."""
        dh = self.joint.lift(dx, norm)[:, None].expand(-1, hidden.shape[1], -1).clone()
        dh[:, 0] = 0
        return hidden + dh

    def embed(self, texts: list[str]) -> torch.Tensor:
        """Joint vectors of any number of captions, `[N, d_joint]`."""
        return torch.cat([self.read(texts[i : i + 500])[1] for i in range(0, len(texts), 500)])

    def directions(self, count: int = 12_000) -> torch.Tensor:
        """What a feature of each captioned value does, `[n_factors, most values, d_joint]`: mean joint vector of the
        captions that tell it minus the mean of those that do not. Zero for what no caption tells.
        """
        rng = np.random.default_rng(0)
        values, told = draw_factors(rng, count)
        x = self.embed(captions(rng, values, told))
        directions = x.new_zeros(len(FACTORS), max(len(factor.values) for factor in FACTORS), x.shape[1])
        for i, factor in enumerate(FACTORS):
            for v, value in enumerate(factor.values):
                tells = torch.from_numpy(told[:, i] & (values[:, i] == v)).to(x.device)
                if value not in ("none", "nobody") and tells.any():
                    directions[i, v] = x[tells].mean(0) - x[~tells].mean(0)
        return directions

    def undrawn(self, count: int = 2000) -> torch.Tensor:
        """How each value that no picture shows moves the conditioning, `[n_values, d_text]`: of the same captions, worded
        alike, with it and without, the mean difference of joint vectors, lifted.
        """
        rng = np.random.default_rng(0)
        values, told = draw_factors(rng, count)
        told[:, INDEX["thing"]] = True  # else a mood also puts a word in for the thing
        moves = []
        for i, factor in enumerate(FACTORS):
            if factor.modality == "language":
                said, other = [], values.copy()
                for v in range(len(factor.values)):
                    other[:, i] = v
                    texts = [
                        caption(np.random.default_rng(k), a, b)
                        for k, (a, b) in enumerate(zip(other, told, strict=True))
                    ]
                    said.append(self.embed(texts).mean(0))
                moves += [mean - said[0] for mean in said[1:]]
        _, _, norm = self.read(texts[:500])
        return self.joint.lift(torch.stack(moves), norm.mean())
