"""The frozen text encoder as UNet training uses it: captions in, hidden states and directions of the joint space out.

Knows captions and what steering does to hidden states; knows nothing of pictures, noise or the UNet.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.models.joint_space import JointSpace
from mmsteer.world.captions import caption, captions
from mmsteer.world.factors import FACTORS, INDEX, draw_factors
from mmsteer.world.models.clip import tokens

_BATCH = 500  # captions encoded together


class Encoded(NamedTuple):
    """Captions as the text encoder reads them."""

    hidden: torch.Tensor
    """[B, T, d_text]"""
    joint: torch.Tensor
    """[B, d_joint], unit length"""
    norm: torch.Tensor
    """[B, 1]: length of `joint` before scaling"""


class CaptionEncoder:
    """A CLIP's text encoder and its joint space.

    Args:
        clip: A CLIPModel.
        tokenizer: Its tokenizer.
        device: Where it runs.
    """

    def __init__(self, clip: Any, tokenizer: Any, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.clip, self.tokenizer = clip.to(self.device).eval(), tokenizer
        self.projection = clip.text_projection.weight.detach().float().T.contiguous()  # [d_text, d_joint]
        self.joint = JointSpace(self.projection)

    def encode(self, texts: list[str]) -> Encoded:
        """Encode captions."""
        return self.encode_ids(tokens(self.tokenizer, texts).to(self.device))

    @torch.no_grad()
    def encode_ids(self, ids: torch.Tensor) -> Encoded:
        """Encode token ids `int64 [B, T]` on the device."""
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.clip.text_model(input_ids=ids)
        x, norm = self.joint.project(output.pooler_output.float())
        return Encoded(output.last_hidden_state.float(), x, norm)

    def lift(self, hidden: torch.Tensor, dx: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        """Add the joint-space difference `dx [B, d_joint]` to every row of `hidden [B, T, d_text]` but the first."""
        dh = self.joint.lift(dx, norm)[:, None].expand(-1, hidden.shape[1], -1).clone()
        dh[:, 0] = 0
        return hidden + dh

    def embed(self, texts: list[str]) -> torch.Tensor:
        """Joint vectors of any number of captions, `[N, d_joint]`."""
        return torch.cat([self.encode(texts[i : i + _BATCH]).joint for i in range(0, len(texts), _BATCH)])

    def caption_directions(self, count: int) -> torch.Tensor:
        """How mentioning each value moves a caption's joint vector: mean with it minus mean without it.

        Measured on `count` captions; `[n_factors, most values, d_joint]`, zero for what no caption mentions.
        """
        rng = np.random.default_rng(0)
        values, mentioned = draw_factors(rng, count)
        x = self.embed(captions(rng, values, mentioned))
        directions = x.new_zeros(len(FACTORS), max(len(factor.values) for factor in FACTORS), x.shape[1])
        for i, factor in enumerate(FACTORS):
            for v, value in enumerate(factor.values):
                rows = torch.from_numpy(mentioned[:, i] & (values[:, i] == v)).to(x.device)
                if value not in ("none", "nobody") and rows.any():
                    directions[i, v] = x[rows].mean(0) - x[~rows].mean(0)
        return directions

    def language_directions(self, count: int) -> torch.Tensor:
        """How each language value (an opening, a mood, a closing), which no picture shows, moves the hidden states.

        The mean difference of joint vectors between `count` captions with the value and the same captions without it,
        lifted; `[n_values, d_text]`.
        """
        rng = np.random.default_rng(0)
        values, mentioned = draw_factors(rng, count)
        mentioned[:, INDEX["thing"]] = True  # else a mood also puts a word in for the thing
        moves = []
        for i, factor in enumerate(FACTORS):
            if factor.modality == "language":
                means, other = [], values.copy()
                for v in range(len(factor.values)):
                    other[:, i] = v
                    texts = [
                        caption(np.random.default_rng(k), a, b)
                        for k, (a, b) in enumerate(zip(other, mentioned, strict=True))
                    ]
                    means.append(self.embed(texts).mean(0))
                moves += [mean - means[0] for mean in means[1:]]
        norm = self.encode(texts[:_BATCH]).norm
        return self.joint.lift(torch.stack(moves), norm.mean())
