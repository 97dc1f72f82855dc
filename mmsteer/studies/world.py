"""What the embedded models reach on scenes, prompts and noise that no training has seen."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.shares import Share, share
from mmsteer.studies.report import table
from mmsteer.world.captions import captions, value_prompt
from mmsteer.world.draws import shrink
from mmsteer.world.embedding import embed_captions
from mmsteer.world.factors import DRAWN, FACTORS, INDEX, draw_factors
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.pairs import WorldPairs

TARGETS = {
    "autoencoder: PSNR, dB": 30.0, "autoencoder: thing read": 0.99, "CLIP: thing": 0.95, "CLIP: place": 0.98,
    "pictures: thing": 0.97, "pictures: gender": 0.95, "pictures: place": 0.99, "pictures: position": 0.985,
    "pictures: size": 0.985,
} | {f"judge: {name}": 0.99 for name in DRAWN}  # fmt: skip
_BATCH = 64


class Sizes(NamedTuple):
    """How much is drawn."""

    scenes: int
    """For the judge and CLIP to read."""
    reconstructions: int
    prompts: int


FULL, QUICK = Sizes(4096, 1024, 2048), Sizes(384, 256, 96)


def study(seed: int, quick: bool, sheet: Path | None = None) -> dict[str, Any]:
    """Measure judge, autoencoder, CLIP and pictures; print one row a figure, with its target beside it.

    Args:
        seed: of scenes, prompts and noise.
        quick: fewer of each.
        sheet: where to draw a sheet of pictures.

    Returns:
        The figures, for JSON.
    """
    sizes = QUICK if quick else FULL
    judge = Judge.load(MINI / "judge")
    steerer = Steerer.load("mini")
    measured: dict[str, Any] = {}
    measured |= _readers(judge, WorldPairs(seed, sizes.scenes))
    measured |= _autoencoder(steerer, judge, WorldPairs(seed, sizes.reconstructions))
    pictures, read = _pictures(steerer, judge, seed, sizes.prompts)
    measured |= read
    rows = [{"figure": k, "measured": v, "target": TARGETS.get(k, "")} for k, v in measured.items()]
    print(table(rows))
    if sheet:
        _sheet(pictures, sheet)
    return {"measured": measured, "targets": TARGETS}


def _agree(seen: np.ndarray, truth: np.ndarray, name: str, rows: np.ndarray | None = None) -> Share:
    right = (seen == truth)[:, INDEX[name]]
    right = right if rows is None else right[rows]
    return share(int(right.sum()), len(right))


def _readers(judge: Judge, scenes: WorldPairs) -> dict[str, Any]:
    """What the judge and CLIP (zero-shot, with the plainest words) read in drawn scenes, shrunk by area."""
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(MINI / "clip", local_files_only=True, dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(MINI / "clip")
    seen, image, truth = [], [], []
    with torch.no_grad():
        for batch in scenes.batches(_BATCH):
            seen.append(judge.read(batch.pictures))
            small = shrink(batch.pictures.float() / 127.5 - 1)
            image.append(F.normalize(clip.get_image_features(small).pooler_output, dim=-1))
            truth.append(batch.factors)
        values = np.concatenate(truth)
        shares: dict[str, Any] = {f"judge: {name}": _agree(np.concatenate(seen), values, name) for name in DRAWN}
        for name in ("thing", "place", "position", "size"):
            prompts = [value_prompt(name, v) for v in FACTORS[INDEX[name]].values]
            text = embed_captions(clip, tokenizer, prompts)
            best = (torch.cat(image) @ text.T).argmax(1).numpy()
            shares[f"CLIP: {name}"] = share(int((best == values[:, INDEX[name]]).sum()), len(best))
    return shares


def _autoencoder(steerer: Steerer, judge: Judge, scenes: WorldPairs) -> dict[str, Any]:
    """How faithful reconstructions are: decibels, the thing that the judge reads, and their gradient over that of drawn pictures."""
    vae = steerer.backbone.pipeline.vae
    decibels, slopes, right, count = [], torch.zeros(2), 0, 0
    with torch.no_grad():
        for batch in scenes.batches(_BATCH):
            pictures = batch.pictures.float() / 127.5 - 1
            rebuilt = vae.decode(vae.encode(pictures).latents).sample.clamp(-1, 1)
            decibels.append(-10 * (((rebuilt - pictures) / 2).square().mean((1, 2, 3))).log10())
            slopes += torch.stack([_slope(rebuilt), _slope(pictures)]) * len(pictures)
            seen = judge.read(((rebuilt + 1) * 127.5).round().to(torch.uint8))
            right += int((seen == batch.factors)[:, INDEX["thing"]].sum())
            count += len(pictures)
    return {
        "autoencoder: PSNR, dB": float(torch.cat(decibels).mean()),
        "autoencoder: thing read": share(right, count),
        "autoencoder: mean gradient over that of drawn pictures": float(slopes[0] / slopes[1]),
    }


def _slope(pictures: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference between neighbouring pixels, across and down."""
    across, down = pictures.diff(dim=-1).abs().mean(), pictures.diff(dim=-2).abs().mean()
    return across + down


def _pictures(steerer: Steerer, judge: Judge, seed: int, count: int) -> tuple[torch.Tensor, dict[str, Any]]:
    rng = np.random.default_rng((seed, 7))
    values, mentioned = draw_factors(rng, count)
    prompts = [text or "a picture" for text in captions(rng, values, mentioned)]
    seeds = [int(s) for s in rng.integers(0, 2**31, count)]
    pictures = torch.cat([
        steerer.render_many(prompts[i : i + 32], (), seeds[i : i + 32]) for i in range(0, count, 32)
    ])  # fmt: skip
    seen = judge.read(pictures)
    cross: Iterable[str] = (f.name for f in FACTORS if f.modality == "cross")
    return pictures, {f"pictures: {name}": _agree(seen, values, name, mentioned[:, INDEX[name]]) for name in cross}


def _sheet(pictures: torch.Tensor, path: Path) -> None:
    from PIL import Image

    rows, columns = 8, 12
    side = pictures.shape[-1]
    tiles = pictures[: rows * columns].view(rows, columns, 3, side, side)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(tiles.permute(0, 3, 1, 4, 2).reshape(rows * side, columns * side, 3).numpy()).save(path, quality=90)
