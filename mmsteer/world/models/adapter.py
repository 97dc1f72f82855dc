"""An image adapter for a frozen UNet of the world: decoupled cross-attention to a few tokens made of CLIP's image embedding.

IP-Adapter (Ye et al., 2308.06721, section 3.2), in the format that diffusers' `load_ip_adapter` reads: what real checkpoints
have, and the way on which features that no caption says reach a UNet that was trained on captions alone.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from mmsteer.models.image_adapter import Weights, attach
from mmsteer.world.draws import pictures, random_scenes
from mmsteer.world.models.unet import GUIDANCE, LATENT, TEACHER_STEPS, draw_latents
from mmsteer.world.sheet import save_sheet
from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.conditioning import CAPTIONS_ALONE
from mmsteer.world.training.loop import Budget
from mmsteer.world.training.pool import Ring
from mmsteer.world.training.teacher import flow_loss
from mmsteer.world.training.unet_task import UnetTask

CPU = Budget(batch=48, rate=2e-3, warm=30, average=0.99)
GPU = Budget(batch=512, rate=2e-3, warm=50, average=0.995)
CPU_RING, GPU_RING = Ring(chunk=24, chunks=40, every=6), Ring(chunk=256, chunks=128)
FILE = "ip-adapter.safetensors"
TOKENS = 4  # made of one embedding: what diffusers reads such a file as
_SHOWN = 8  # scenes on a sheet
_NORMED = 64  # scenes on which the length of embeddings is measured
_DROPPED = 0.1  # share of the steps' pictures whose image embedding is left out, for guidance


def begin(unet: Any, width: int) -> Weights:
    """Weights an adapter starts from: keys and values of the image's tokens as the words' own, tokens at random.

    `width` is d_joint. Numbers in the names count the UNet's attention layers, by twos from 1, as diffusers reads them.
    """
    rows = unet.config.cross_attention_dim
    projection = nn.Linear(width, TOKENS * rows)
    norm = nn.LayerNorm(rows)
    tokens = {"proj": projection, "norm": norm}
    image = {
        f"{name}.{key}": value.clone() for name, part in tokens.items() for key, value in part.state_dict().items()
    }
    readers, number = {}, 1
    for name in unet.attn_processors:
        if name.endswith("attn2.processor"):
            layer = unet.get_submodule(name.removesuffix(".processor"))
            readers[f"{number}.to_k_ip.weight"] = layer.to_k.weight.detach().clone()
            readers[f"{number}.to_v_ip.weight"] = layer.to_v.weight.detach().clone()
            number += 2
    return {"image_proj": image, "ip_adapter": readers}


def weights_of(unet: Any) -> dict[str, torch.Tensor]:
    """An attached adapter's weights, under the names of its file."""
    tokens = unet.encoder_hid_proj.image_projection_layers[0]
    parts = {"image_proj.proj": tokens.image_embeds, "image_proj.norm": tokens.norm}
    found = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    for i, reader in enumerate(_readers(unet)):
        found[f"ip_adapter.{2 * i + 1}.to_k_ip.weight"] = reader.to_k_ip[0].weight
        found[f"ip_adapter.{2 * i + 1}.to_v_ip.weight"] = reader.to_v_ip[0].weight
    return {name: value.detach().half().contiguous().cpu() for name, value in found.items()}


def _readers(unet: Any) -> list[Any]:
    """The layers that read an adapter's tokens."""
    return [part for part in unet.attn_processors.values() if hasattr(part, "to_k_ip")]


class AdapterTask(UnetTask):
    """The ordinary UNet's loss on pictures whose embedding the adapter reads; the UNet itself is frozen."""

    name = part = "adapter"
    steps, guidance = TEACHER_STEPS, GUIDANCE
    mixture = CAPTIONS_ALONE

    def __init__(self, *arguments: Any, weights: Weights | None = None, **options: Any) -> None:
        """As a UnetTask; `weights` to start from, else those of `begin`."""
        super().__init__(*arguments, **options)
        self.unet.requires_grad_(False)
        attach(self.unet, weights or begin(self.unet, self.conditions.clip.config.projection_dim))
        self.model = (
            nn.ModuleList([self.unet.encoder_hid_proj, *_readers(self.unet)]).to(self.device).requires_grad_(True)
        )
        scenes = random_scenes(np.random.default_rng(0), _NORMED)
        self._norm = self.reader.image_norm(scenes.values, scenes.chance)  # adapters read embeddings as CLIP gives them

    def keep_blind(self, step: int) -> None:
        """The UNet stays as it is."""

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.AdamW(self.model.parameters(), lr=self.budget.rate, betas=(0.9, 0.98), weight_decay=0.01)]

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pool = self.pool.at(step)
        batch, hidden = self.conditioning(self.words.get(step), pool, generator)
        image = pool["image"][batch["rows"]]
        dropped = torch.rand((len(image), 1), generator=generator, device=self.device) < _DROPPED
        image = torch.where(dropped, 0.0, image * self._norm)
        loss = flow_loss(self.unet, pool["latents"][batch["rows"]].float(), hidden, batch["values"], generator, image)
        return {"loss": loss}

    def samples(self, path: Path) -> dict[str, float]:
        """A sheet of drawn scenes, and below each a picture from its embedding alone."""
        scenes = random_scenes(np.random.default_rng(1), _SHOWN)
        seen = pictures(scenes.values, scenes.chance, self.device)
        empty = self.conditions.read([""])[0]
        noise = torch.randn(
            (_SHOWN, self.unet.config.in_channels, LATENT, LATENT), generator=torch.Generator().manual_seed(1)
        )
        latents = draw_latents(
            self.unet, empty.expand(_SHOWN, -1, -1), empty, noise.to(self.device), self.steps, self.guidance,
            self.reader.embed(seen) * self._norm,
        )  # fmt: skip
        save_sheet(path, torch.stack([seen, self.reader.decode(latents)]))
        return {}

    def export(self, folder: Path) -> None:
        def write(into: Path) -> None:
            into.mkdir(parents=True, exist_ok=True)
            save_file(weights_of(self.unet), into / FILE)

        replace_folder(folder / self.part, write)
