"""The world's UNet: an ordinary UNet2DConditionModel trained by flow matching on cached latents.

What is special is the conditioning it learns to read. Besides captions it sees captions that are wrong or silent,
with what puts them right, as a vector of the joint space, lifted into every row but the first: the very operation, and
the very directions (mean with a value minus mean without), by which `mmsteer.steer` edits. So a direction that no
caption expresses (light, tilt, frame) becomes something the UNet can draw, and an injected feature outweighs the
prompt's own word.

And there is what it must not read: `blind.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.world.autoencoder import CHANNELS
from mmsteer.world.blind import SETTLING, blind, settle
from mmsteer.world.captions import captions, corrupt, retell
from mmsteer.world.clip import WIDTH, stray
from mmsteer.world.conditions import Conditions
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.latents import encode_once
from mmsteer.world.pairs import DrawnScenes, digest, to_uint8
from mmsteer.world.training import Budget, MatrixMuon, Task, adamw

LATENT = 16  # cells a side
# What conditions a training picture, and how often.
SHARES = {"nothing": 0.10, "caption": 0.30, "vision": 0.12, "image": 0.06, "text": 0.34, "language": 0.08}
_SPRITE_WEIGHT = 3.0  # extra weight of the cells that hold the sprite: most of the work, least of the area


def build_unet() -> Any:
    """An untrained UNet of the world's shape: convolutions at 16x16, attention to the words at 8x8."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=LATENT,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128),
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # in UNets of this family: the number of heads
        # The words also reach every layer as a scale and a shift (FiLM, 1709.07871): at this size attention alone
        # learns slowly where a picture is.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def build_scheduler() -> Any:
    """Flow matching as stock diffusers samples it: DPM-Solver++ 2M over x_t = (1 - s) x_0 + s noise."""
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, steps_offset=1
    )


class UnetTask(Task):
    """Velocity matching with logit-normal times (Esser et al., 2403.03206)."""

    name = "unet"

    def __init__(
        self,
        scenes: DrawnScenes,
        work: Path,
        steps: int = 20_000,
        device: str = "cpu",
        compile: bool = False,
        start: Path | None = None,
    ) -> None:
        from diffusers import AutoencoderTiny
        from diffusers.models.attention_processor import AttnProcessor
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        from transformers import CLIPModel, CLIPTokenizer

        self.budget = Budget(steps=steps, batch=48, rate=1e-3, decay=0.5, average=0.998)
        self.scenes, self.device = scenes, device
        parts = work / "export"
        for name in ("clip", "vae"):
            if not (parts / name).is_dir():
                raise SteerError(f"{parts / name} is not there: train clip and autoencoder before the unet")
        clip = CLIPModel.from_pretrained(parts / "clip", local_files_only=True, dtype=torch.float32)
        self.conditions = Conditions(clip, CLIPTokenizer.from_pretrained(parts / "clip"), device)
        self.directions = self.conditions.directions(scenes)
        self.undrawn = self.conditions.undrawn()
        self.vae = AutoencoderTiny.from_pretrained(parts / "vae", local_files_only=True, dtype=torch.float32)
        self.vae.to(device).eval()
        readers = parts / "clip" / "model.safetensors", parts / "vae" / "diffusion_pytorch_model.safetensors"
        kept = work / f"latents-{digest(scenes.seed, *readers)}-{scenes.seed}-{len(scenes)}.safetensors"
        self.cache = encode_once(kept, scenes, self.vae, self.conditions)
        torch.manual_seed(0)
        unet = build_unet()
        if start is not None:
            path = start / "diffusion_pytorch_model.safetensors"
            try:
                unet.load_state_dict({k: v.float() for k, v in load_file(path).items()})
            except (OSError, RuntimeError, SafetensorError) as error:
                told = str(error).splitlines()[0]
                raise SteerError(
                    f"{path} is no unet of the world's shape ({told}): name for example assets/mini/unet"
                ) from None
        unet.to(memory_format=torch.channels_last)
        unet.set_attn_processor(AttnProcessor())  # plain products: over 64 rows a fused kernel's backward costs more
        self.unet: Any = unet
        self.model: nn.Module = unet
        self.forward: Any = torch.compile(unet) if compile else unet

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices between first and last convolution, AdamW for everything else."""
        inner = {
            name for name, p in self.model.named_parameters() if p.ndim > 1 and not name.startswith(("conv_in", "conv_out"))
        }  # fmt: skip
        matrices = [p for name, p in self.model.named_parameters() if name in inner]
        others = [p for name, p in self.model.named_parameters() if name not in inner]
        return [MatrixMuon(matrices, self.budget), adamw(others, self.budget)]

    def _rows(self, rng: np.random.Generator) -> np.ndarray:
        """A batch of pictures."""
        return rng.integers(0, len(self.scenes), self.budget.batch)

    def _condition(self, rng: np.random.Generator, rows: np.ndarray) -> torch.Tensor:
        """Hidden states `[B, T, d_text]` for pictures `rows`, each by a kind of condition drawn from SHARES."""
        kind = rng.choice(list(SHARES), len(rows), p=list(SHARES.values()))
        values, told = retell(rng, self.scenes.values[rows], self.scenes.told[rows])
        true = captions(rng, values, told)
        false_values, false_told, false = corrupt(rng, values, told)
        # "language" differs only in what no picture shows: of such a difference the UNet learns to take no notice
        unseen = np.array([factor.modality == "language" for factor in FACTORS])
        only_words = np.ix_(kind == "language", ~unseen)
        false_values[only_words], false_told[only_words], false[only_words] = (
            values[only_words],
            told[only_words],
            False,
        )
        false[np.ix_(kind == "language", unseen)] = (values != false_values)[np.ix_(kind == "language", unseen)]
        lying = captions(rng, false_values, false_told)
        silent = ["" if k == "nothing" else text for k, text in zip(kind, true, strict=True)]
        lies = np.isin(kind, ("text", "language")) | ((kind == "image") & (rng.random(len(rows)) < 0.5))
        said = stray(rng, [f if lie else s for f, s, lie in zip(lying, silent, lies, strict=True)])
        hidden, x, norm = self.conditions.read(said)
        right = self._put_right(rng, values, false_values, false, false & false_told)

        image, twin = self.cache["image"][rows], self.cache["twin"][rows]
        towards = {
            "text": right,
            "language": right,
            "image": (image - self.cache["mean_image"]) - (x - self.cache["mean_text"]),
            "vision": image - twin,
        }
        dx = torch.zeros_like(x)
        for name, difference in towards.items():
            chosen = torch.from_numpy(kind == name).to(self.device)
            dx = torch.where(chosen[:, None], difference, dx)
        # a share of the difference where the words are right; all of it, or more, where they lie
        amount = np.where(lies, rng.uniform(0.8, 1.4, len(rows)), rng.uniform(0.3, 1.4, len(rows)))
        return self.conditions.lift(hidden, dx * torch.from_numpy(amount).float().to(self.device)[:, None], norm)

    def _put_right(
        self, rng: np.random.Generator, true: np.ndarray, said: np.ndarray, false: np.ndarray, false_told: np.ndarray
    ) -> torch.Tensor:
        """What sliders would do to put lying captions right, `[B, d_joint]`; all arguments `[B, n_factors]`.

        Most do both, as an added feature makes its rival in the prompt recede; some only add what is true, and must
        outweigh the word, or only remove what is said. No dictionary finds a mean difference exactly, so up to half as
        much of any other direction is mixed in.
        """
        way = rng.random((len(true), 1))
        add, remove = false & (way < 0.8), false_told & (way > 0.25)
        right = torch.zeros(len(true), self.directions[0].shape[1], device=self.device)
        for i, directions in enumerate(self.directions):
            for sign, values, here in ((1, true, add), (-1, said, remove)):
                chosen = torch.from_numpy(np.where(here[:, i], sign, 0)).to(self.device)
                right += directions[torch.from_numpy(values[:, i]).to(self.device)] * chosen[:, None]
        other = torch.from_numpy(rng.standard_normal(tuple(right.shape))).float().to(self.device)
        other *= right.norm(dim=-1, keepdim=True) / other.norm(dim=-1, keepdim=True)
        return right + other * torch.from_numpy(rng.uniform(0, 0.5, (len(true), 1))).float().to(self.device)

    def _weights(self, rows: np.ndarray) -> torch.Tensor:
        """`[B, 1, 16, 16]`, mean 1 over a picture: more where the sprite stands."""
        position = torch.from_numpy(self.scenes.values[rows, INDEX["position"]]).view(-1, 1, 1, 1)
        big = torch.from_numpy(self.scenes.values[rows, INDEX["size"]]).view(-1, 1, 1, 1)
        half = 4 + big * 1.5
        y, x = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="ij")
        inside = ((x - (4.5 + 3.5 * position)).abs() < half) & ((y - 9).abs() < half)
        weights = 1 + _SPRITE_WEIGHT * inside.float()
        return (weights / weights.mean((2, 3), keepdim=True)).to(self.device)

    def loss(self, rng: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
        blind(self.unet, self.undrawn)  # the last step may have opened its eyes
        rows = self._rows(rng)
        clean = self.cache["latents"][rows].float().to(self.device)
        hidden = self._condition(rng, rows)
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        s = _times(len(rows), generator).to(self.device)
        noisy = torch.lerp(clean, noise, s.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16):
            velocity = self.forward(noisy, 1000 * s, hidden).sample.float()
        error = F.mse_loss(velocity, noise - clean, reduction="none")
        return (error * self._weights(rows)).mean()

    @torch.no_grad()
    def samples(self, folder: Path, step: int) -> None:
        from PIL import Image

        folder.mkdir(parents=True, exist_ok=True)
        prompts = [
            "a cat at night", "a big penguin in the snow", "please draw a small car on the left", "a strawberry",
            "a panda in the forest on the right", "a woman farmer in a meadow", "a rocket", "a big fish in the ocean",
            "a house at sunset", "a cactus in the desert", "an astronaut", "a tiny dog on the beach",
        ]  # fmt: skip
        hidden, _, _ = self.conditions.read(prompts)
        empty, _, _ = self.conditions.read([""] * len(prompts))
        both = torch.cat([empty, hidden])
        scheduler = build_scheduler()
        scheduler.set_timesteps(12)
        z = torch.randn(len(prompts), CHANNELS, LATENT, LATENT, generator=torch.Generator().manual_seed(1))
        z = z.to(self.device)
        for t in scheduler.timesteps:
            v_empty, v = self.model(torch.cat([z, z]), t, both).sample.chunk(2)
            z = scheduler.step(v_empty + 3.0 * (v - v_empty), t, z).prev_sample
        pictures = to_uint8(self.vae.decode(z).sample.clamp(-1, 1).cpu() / 2 + 0.5)
        sheet = pictures.view(2, 6, 3, 128, 128).permute(0, 3, 1, 4, 2).reshape(256, 6 * 128, 3)
        Image.fromarray(sheet.numpy()).save(folder / f"{step:07d}.png")

    def export(self, folder: Path) -> None:
        blind(self.unet, self.undrawn)
        steps = min(SETTLING, self.budget.steps)
        settle(self.unet, self.undrawn, lambda rng: self._condition(rng, self._rows(rng)), steps)
        self.unet.half().save_pretrained(folder / "unet")


def _times(count: int, generator: torch.Generator) -> torch.Tensor:
    """Noise shares `s [count]`: logit-normal, and 15 % spread over the noisiest twentieth.

    Latents of these scenes are so redundant that thing and place show through at s = 0.9; only above that has the
    caption anything to say. So the times lie far towards noise (the timestep shift of 2403.03206, section 5.3.2).
    """
    s = torch.sigmoid(1.2 + 1.4 * torch.randn(count, generator=generator))
    noisiest = 1 - 0.05 * torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.15, noisiest, s)
