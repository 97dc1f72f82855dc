"""The world's scenes as its UNet trains on them: latents and embeddings, computed once and kept on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.captions import captions, retell
from mmsteer.world.clip import tokens
from mmsteer.world.conditions import Conditions
from mmsteer.world.factors import FACTORS, draw_factors
from mmsteer.world.pairs import DrawnScenes
from mmsteer.world.scene import draw


def encode_once(path: Path, scenes: DrawnScenes, vae: Any, conditions: Conditions) -> dict[str, torch.Tensor]:
    """Latents and embeddings of every scene, kept on disk: `latents` fp16 `[N, C, 16, 16]`, `image` and `twin` `[N, d_joint]`.

    A twin is the same scene with its vision factors drawn anew: the difference of the two embeddings is what a
    vision-only feature means. The mean embeddings of both sides (`mean_image`, `mean_text`) close the modality gap.
    """
    from safetensors.torch import load_file, save_file

    clip, device = conditions.clip, conditions.device
    if path.is_file():
        return {k: v if k == "latents" else v.to(device) for k, v in load_file(path).items()}
    rng = np.random.default_rng(len(scenes))
    latents, image, twin, text = [], [], [], []

    def embed(pictures: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16):
            seen = clip.get_image_features(pictures).pooler_output
        return F.normalize(seen.float(), dim=-1).cpu()

    with torch.no_grad():
        for start in range(0, len(scenes), 64):
            rows = np.arange(start, min(start + 64, len(scenes)))
            pictures = scenes.floats(rows).to(device)
            with torch.autocast(device, torch.bfloat16):
                latents.append(vae.encode(pictures).latents.half().cpu())
            image.append(embed(pictures))
            values, chance = scenes.values[rows].copy(), scenes.chance[rows]
            other, _ = draw_factors(rng, len(rows))
            for i, factor in enumerate(FACTORS):
                if factor.modality == "vision":
                    anew = rng.random(len(rows)) < 0.5
                    values[anew, i] = other[anew, i]
            twin.append(embed((draw(values, chance) * 2 - 1).to(device)))
            ids = tokens(conditions.tokenizer, captions(rng, *retell(rng, scenes.values[rows], scenes.told[rows])))
            text.append(F.normalize(clip.get_text_features(ids.to(device)).pooler_output.float(), dim=-1).cpu())
            if start % 6400 == 0:
                print(f"encoding scenes {start}/{len(scenes)}", flush=True)
    kept = {"latents": torch.cat(latents), "image": torch.cat(image), "twin": torch.cat(twin)}
    kept |= {"mean_image": kept["image"].mean(0), "mean_text": torch.cat(text).mean(0)}
    partial = path.with_suffix(".partial")
    save_file(kept, partial)
    partial.replace(path)
    return {k: v if k == "latents" else v.to(device) for k, v in kept.items()}
