"""How far activations move under tiny changes of the input: pixel noise on pictures, paraphrases of captions.

What moves is |change of activation| over the activation scale (mean activation where the feature fires on the sample), of
features that fire before or after; for captions also the change of presence (`mmsteer.steering.presence`). Beside it stands the
same between unrelated pictures and captions.
"""

from itertools import product
from typing import Any

import numpy as np
import torch

from mmsteer.bank import FeatureBank
from mmsteer.models.clip import Clip
from mmsteer.pixels import to_picture
from mmsteer.steering.presence import Presence
from mmsteer.studies.measures.cases import concept_of
from mmsteer.studies.measures.rebuilds import latent_on
from mmsteer.studies.measures.shares import Share, share
from mmsteer.world.captions import caption
from mmsteer.world.draws import READ
from mmsteer.world.models.assembly import MINI
from mmsteer.world.pairs import Batch, WorldPairs

NOISE = 8.0
"""Standard deviation of the noise on every pixel and channel, where values go from 0 to 255."""
_RESAMPLES = 200


def tiny_changes(bank: FeatureBank, seed: int, count: int) -> list[dict[str, Any]]:
    """Activations before and after a tiny change, by side and modality; and the same between unrelated inputs.

    Args:
        bank: whose features.
        seed: of pairs, noise and wordings.
        count: how many pairs.

    Returns:
        A row for each measure, modality, and kind of name.
    """
    clip, rng = Clip(MINI / "clip"), np.random.default_rng((seed, 32))
    batch = next(WorldPairs(seed + 1, count, READ).batches(count))
    pictures = batch.pictures.float()
    noisy = (pictures + NOISE * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))).round()
    rows, paraphrases = paraphrase(rng, batch)
    seen = [_embed(clip, p) for p in (batch.pictures, noisy.clamp(0, 255).to(torch.uint8))]
    worded = [clip.embed_texts([batch.captions[k] for k in rows]), clip.embed_texts(paraphrases)]
    dictionaries, presence = bank.dictionaries, Presence(bank)
    measures = (
        ("pictures, activation", "image", ("vision", "cross"), seen, dictionaries["image"].encode),
        ("captions, activation", "text", ("language", "cross"), worded, dictionaries["text"].encode),
        ("captions, presence", "text", ("language", "cross"), worded, lambda x: presence.of(x, "text")),
    )
    changes = []
    for title, side, modalities, (x, y), code_of in measures:
        for modality, known in product(modalities, (True, False)):
            features = [f for f in bank.features if f.modality == modality and (concept_of(f) is not None) == known]
            latents = [latent for f in features if (latent := latent_on(f, side)) is not None]
            before, after = (code_of(vectors)[:, latents].numpy() for vectors in (x, y))
            values, sample = moved(before, after)
            apart, _ = moved(before, np.roll(before, 1, axis=0))
            median, tail = (quantile_with_interval(values, sample, q) for q in (0.5, 0.95))
            changes.append({
                "what": title, "modality": modality, "features": f"{len(latents)} {'named after a factor' if known else 'others'}",
                "inputs": len(before), "median": median, "95th percentile": tail,
                "unrelated, median": float(np.median(apart)) if len(apart) else float("nan"),
            })  # fmt: skip
    return changes


def paraphrase(rng: np.random.Generator, batch: Batch) -> tuple[list[int], list[str]]:
    """Captions with the same facts in other words: the rows of `batch` that can be paraphrased, and their paraphrases."""
    rows, texts = [], []
    for k, original in enumerate(batch.captions):
        tries = (caption(rng, batch.factors[k], batch.mentioned[k]) for _ in range(20))
        other = next((text for text in tries if text and text != original), None) if original else None
        if other is not None:
            rows.append(k)
            texts.append(other)
    return rows, texts


def moved(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|after - before| over the activation scale, where a feature fires before or after.

    The scale is a feature's mean activation where it fires before; features that never do are left out.

    Args:
        before: activations, `[N, n]`.
        after: activations of the changed samples, `[N, n]`.

    Returns:
        The values, and the sample each of them belongs to.
    """
    fires = before > 0
    scale = before.sum(0) / np.maximum(fires.sum(0), 1)
    sample, feature = np.nonzero((fires | (after > 0)) & (scale > 0))
    return np.abs(after - before)[sample, feature] / scale[feature], sample


def quantile_with_interval(values: np.ndarray, sample: np.ndarray, q: float) -> Share:
    """The quantile of `values`, with its bootstrap interval over the samples they belong to."""
    if not len(values):
        return share(0, 0)
    rng, count = np.random.default_rng(0), int(sample.max()) + 1
    drawn = (rng.multinomial(count, np.full(count, 1 / count)) for _ in range(_RESAMPLES))
    resampled = [np.quantile(np.repeat(values, weight[sample]), q) for weight in drawn]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Share(float(np.quantile(values, q)), float(low), float(high), len(values))


def _embed(clip: Clip, pictures: torch.Tensor) -> torch.Tensor:
    shown = [to_picture(picture) for picture in pictures]
    return torch.cat([clip.embed_pictures(clip.prepare(shown[i : i + 128])) for i in range(0, len(shown), 128)]).cpu()
