"""What the embedded models reach on scenes, prompts and noise that no training has seen."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.steer import Steerer
from mmsteer.studies.report import share, table
from mmsteer.world.assemble import MINI
from mmsteer.world.captions import caption_word, captions
from mmsteer.world.clip import tokens
from mmsteer.world.factors import DRAWN, FACTORS, INDEX, draw_factors
from mmsteer.world.judge import Judge
from mmsteer.world.pairs import WorldPairs

TARGETS = {
    "autoencoder: PSNR, dB": 30.0, "autoencoder: thing read": 0.97, "CLIP: thing": 0.95, "CLIP: place": 0.98,
    "pictures: thing": 0.90, "pictures: place": 0.97, "pictures: position": 0.90, "pictures: size": 0.90,
} | {f"judge: {name}": 0.99 for name in DRAWN}  # fmt: skip


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Measure judge, autoencoder, CLIP and pictures; print one row a figure, with its target beside it."""
    judge = Judge.load(MINI / "judge")
    steerer = Steerer.load("mini")
    scenes = next(iter(WorldPairs(seed, 384 if quick else 4096).batches(4096)))
    measured: dict[str, Any] = {}
    measured |= _judge(judge, scenes.pictures, scenes.factors)
    measured |= _autoencoder(steerer, judge, scenes.pictures[:1024], scenes.factors[:1024])
    measured |= _clip(scenes.pictures, scenes.factors)
    pictures, read = _pictures(steerer, judge, seed, 72 if quick else 1024)
    measured |= read
    rows = [{"figure": k, "measured": v, "target": TARGETS.get(k, "")} for k, v in measured.items()]
    print(table(rows))
    if figure:
        _sheet(pictures, figure)
    return {"measured": measured, "targets": TARGETS}


def _agree(seen: np.ndarray, truth: np.ndarray, name: str, rows: np.ndarray | None = None) -> Any:
    right = (seen == truth)[:, INDEX[name]]
    right = right if rows is None else right[rows]
    return share(int(right.sum()), len(right))


def _judge(judge: Judge, pictures: torch.Tensor, truth: np.ndarray) -> dict[str, Any]:
    seen = judge.read(pictures)
    return {f"judge: {name}": _agree(seen, truth, name) for name in DRAWN}


def _autoencoder(steerer: Steerer, judge: Judge, pictures: torch.Tensor, truth: np.ndarray) -> dict[str, Any]:
    vae, rebuilt = steerer.backbone.pipeline.vae, []
    with torch.no_grad():
        for part in pictures.split(64):
            out = vae.decode(vae.encode(part.float() / 127.5 - 1).latents).sample
            rebuilt.append(((out.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    again = torch.cat(rebuilt)
    mse = ((again.float() - pictures.float()) / 255).square().mean((1, 2, 3))
    return {
        "autoencoder: PSNR, dB": float((-10 * mse.log10()).mean()),
        "autoencoder: thing read": _agree(judge.read(again), truth, "thing"),
    }


def _clip(pictures: torch.Tensor, truth: np.ndarray) -> dict[str, Any]:
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(MINI / "clip", local_files_only=True, dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(MINI / "clip")
    found: dict[str, Any] = {}
    with torch.no_grad():
        parts = [clip.get_image_features(p.float() / 127.5 - 1).pooler_output for p in pictures.split(128)]
        image = F.normalize(torch.cat(parts), dim=-1)
        for name in ("thing", "place", "position", "size"):
            words = [caption_word(name, v) for v in FACTORS[INDEX[name]].values]
            texts = [f"a {w}" if name in ("thing", "size") else w for w in words]
            text = F.normalize(clip.get_text_features(tokens(tokenizer, texts)).pooler_output, dim=-1)
            best = (image @ text.T).argmax(1).numpy()
            found[f"CLIP: {name}"] = share(int((best == truth[:, INDEX[name]]).sum()), len(best))
    return found


def _pictures(steerer: Steerer, judge: Judge, seed: int, count: int) -> tuple[torch.Tensor, dict[str, Any]]:
    rng = np.random.default_rng((seed, 7))
    values, told = draw_factors(rng, count)
    prompts = [text or "a picture" for text in captions(rng, values, told)]
    seeds = [int(s) for s in rng.integers(0, 2**31, count)]
    pictures = torch.cat([
        steerer.render_many(prompts[i : i + 32], (), seeds[i : i + 32]) for i in range(0, count, 32)
    ])  # fmt: skip
    seen = judge.read(pictures)
    cross: Iterable[str] = (f.name for f in FACTORS if f.modality == "cross")
    return pictures, {f"pictures: {name}": _agree(seen, values, name, told[:, INDEX[name]]) for name in cross}


def _sheet(pictures: torch.Tensor, path: Path) -> None:
    from PIL import Image

    rows, columns = 4, 12
    tiles = pictures[: rows * columns].view(rows, columns, 3, 128, 128)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(tiles.permute(0, 3, 1, 4, 2).reshape(rows * 128, columns * 128, 3).numpy()).save(path)
