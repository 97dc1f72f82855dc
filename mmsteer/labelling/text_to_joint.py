"""The tensors of a bank: what steering needs of the text encoder it was made for, fitted once on many prompts."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.bank.compatibility import LEAST_AGREEMENT, PROBES, probe
from mmsteer.data.embeddings import Embedded
from mmsteer.errors import SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.clip import Clip
from mmsteer.models.joint_space import JointSpace
from mmsteer.models.prompt import encode
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.steering.edit import STRONGEST
from mmsteer.training.trainer import moments, parts

_LEAST_CAPTIONS = 500
_RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # as shares of a coordinate's variance


def fit_joint(
    backbone: Backbone, captions: list[str], x: torch.Tensor, projection: torch.Tensor | None
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The map between what a backbone's UNet reads of `captions` and their joint vectors `x [N, d_joint]`, and what is
    known of it.

    Where the end-of-text rows times CLIP's own `projection` are `x`, that is the map, exactly. Else it is fitted both
    ways by ridge regression: rows on joint vectors is also what a joint-space difference most likely does to the rows,
    damped where the joint vector does not determine them. Both are of the centred; the strength of the ridge is chosen
    on a fifth of the captions, and faithfulness told on another fifth. SteerError for too few captions.
    """
    rows, pooled = _read_rows(backbone, captions)
    if projection is not None and _is_exact(rows, x, projection):
        condition = round(float(torch.linalg.cond(projection.double())), 1)
        kept = {"projection": projection, "probes": probe(backbone, JointSpace(projection.to(rows)))}
        return kept, {"kind": "exact", "r2": 1.0, "condition": condition, "prompts": len(x)}
    _check_count(len(captions), backbone)
    fold = torch.arange(len(x)) % 5
    forth, r2, _ = _ridge(rows, x, fold)
    back, r2_back, condition = _ridge(x, rows, fold)
    found = {"projection": forth, "offset": x.mean(0) - rows.mean(0) @ forth, "inverse": back}
    if pooled is not None:
        found["inverse_pooled"], _, _ = _ridge(x, pooled, fold)
    found["probes"] = probe(backbone, JointSpace(found["projection"], found["offset"], found["inverse"]))
    told = {"r2": round(r2, 4), "r2_back": round(r2_back, 4), "condition": condition}
    return found, {"kind": "fitted", **told, "prompts": len(x)}


def _is_exact(rows: torch.Tensor, x: torch.Tensor, projection: torch.Tensor) -> bool:
    """Whether rows `[N, d_text]` times `projection` are the joint vectors `x [N, d_joint]`."""
    if len(projection) != rows.shape[1]:
        return False
    cosine = float((JointSpace(projection.to(rows)).project(rows)[0] * x).sum(1).mean())
    return cosine > 0.99  # in half precision not quite 1


def _check_count(captions: int, backbone: Backbone) -> None:
    if captions < _LEAST_CAPTIONS:
        raise SteerError(
            f"{captions} captions are too few to fit the map between {backbone.name} and the joint space: give "
            f"{_LEAST_CAPTIONS:,} or more, all different (more pairs, or `bank fit --captions FILE`)"
        )


def load_reader(name: str, clip: Clip, captions: int | None) -> Backbone:
    """The half of a backbone that reads prompts, once it is known that a bank of this CLIP can steer it.

    SteerError, before anything is embedded, for a backbone that does not load, one whose text encoder or image embedding is
    another CLIP's, and where `captions` (None: not known yet) are too few to fit a map on. Models of another kind than CLIP
    share no text encoder with any backbone; for them the map is fitted, and a line says so.
    """
    backbone = Backbone.load(name, clip.device, words_only=True)
    texts = list(PROBES)
    x, rows = clip.words(texts), encode(backbone, texts).last
    if backbone.family.image and (width := backbone.pipeline.image_normalizer.mean.shape[-1]) != x.shape[1]:
        raise SteerError(
            f"{name} reads image embeddings {width} wide, those of {clip.id} are {x.shape[1]}: give --clip its own, "
            f"{backbone.family.clip}"
        )
    if clip.projection is not None and _is_exact(rows, x, clip.projection):
        return backbone
    parts = [backbone.pipeline.text_encoder] + ([backbone.pipeline.text_encoder_2] if backbone.family.pooled else [])
    if not any(_same_words(part, clip.model.text_model) for part in parts):
        if clip.model.config.model_type == "clip":
            raise SteerError(
                f"the text encoder of {name} is not that of {clip.id}: give --clip its own, {backbone.family.clip}; or leave "
                "--backbone out, and fit the bank to it afterwards with `bank fit`"
            )
        print(
            f"note: {name} reads another text encoder than {clip.id}; the map between them is fitted to captions, and only as "
            "true as its R² says",
            flush=True,
        )
    if captions is not None:
        _check_count(captions, backbone)
    return backbone


def _same_words(one: Any, other: Any) -> bool:
    """Whether two text encoders begin with the same embeddings of tokens, whatever their precision and a little fine-tuning."""
    a, b = (part.get_input_embeddings().weight.detach().float().cpu() for part in (one, other))
    return a.shape == b.shape and float(torch.cosine_similarity(a, b, dim=1).mean()) > LEAST_AGREEMENT


def _read_rows(backbone: Backbone, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """End-of-text rows `[N, d_text]` and, where there are any, pooled vectors `[N, d_pooled]`, batch by batch."""
    rows, pooled = [], []
    for start in range(0, len(captions), 64):
        encoded = encode(backbone, captions[start : start + 64])
        rows.append(encoded.last)
        if encoded.conditioning.pooled is not None:
            pooled.append(encoded.conditioning.pooled.float().cpu())
    return torch.cat(rows), torch.cat(pooled) if pooled else None


def _ridge(a: torch.Tensor, b: torch.Tensor, fold: torch.Tensor) -> tuple[torch.Tensor, float, float]:
    """The matrix `[d_a, d_b]` that maps centred rows of `a` to those of `b`, its R² on rows it has not seen, and the
    condition number of the damped problem.

    Coordinates of `a` are brought to one scale first (a few of a transformer's are a hundred times the others); `fold`
    numbers rows 0 to 4: 0 tells R², 1 chooses the strength of the ridge, the others are fitted.
    """
    mean, centre = a[fold > 1].mean(0), b[fold > 1].mean(0)
    scale = a[fold > 1].std(0).clamp(min=1e-6 * float(a.std()) + 1e-12)
    seen, target = ((a - mean) / scale).double(), (b - centre).double()
    values, axes = torch.linalg.eigh(seen[fold > 1].T @ seen[fold > 1] / int((fold > 1).sum()))
    cross = axes.T @ (seen[fold > 1].T @ target[fold > 1]) / int((fold > 1).sum())

    def left(strength: float, rows: torch.Tensor) -> tuple[torch.Tensor, float]:
        matrix = axes @ (cross / (values.clamp(min=0) + strength)[:, None])
        error = (target[rows] - seen[rows] @ matrix).square().sum()
        return matrix, float(1 - error / target[rows].square().sum())

    best = max(_RIDGES, key=lambda strength: left(strength, fold == 1)[1])
    matrix, r2 = left(best, fold == 0)
    condition = float((values[-1] + best) / (values[0].clamp(min=0) + best))
    return (matrix / scale[:, None].double()).float(), r2, round(condition, 1)


def fit_tensors(
    pairs: Embedded, dictionaries: dict[str, SparseAutoencoder], written: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The tensors of a bank beside the map of `fit_joint`: mean embeddings of both sides, effects of all latents, and the
    OOD distance's statistics.

    Effects of the captions' latents are taken on `written [n_scenes, n_tellings, d_joint]`, captions alone, where there
    are any, else on those of the pairs. Each is a difference of means, so its error is chance, which shrinks with the root
    of their number.

    The OOD distance is the Mahalanobis distance from the mean prompt. Its covariance is the mean of both sides', since a
    backbone that reads vision-only directions has ordinary places on either side; its unit is the distance below
    which 99 % of prompts lie.
    """
    (mean_text, covariance_text), (mean_image, covariance_image) = moments(pairs.text), moments(pairs.image)
    covariance = (covariance_text + covariance_image) / 2
    ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(len(covariance))
    precision = torch.linalg.inv(covariance + ridge)
    centred = ((part - mean_text) for _, part in parts(pairs.text))
    distance = torch.cat([((rows @ precision) * rows).sum(1).clamp(min=0).sqrt() for rows in centred])
    acting: dict[str, torch.Tensor] = {}
    for side, dictionary in dictionaries.items():
        if written is not None and side == "text":
            found = effects(dictionary, written.flatten(0, 1), written.shape[1])
        else:
            found = effects(dictionary, getattr(pairs, side))
        acting[f"steering_{side}"], acting[f"baseline_{side}"] = found
    return {
        **acting,
        "mean_text": mean_text,
        "mean_image": mean_image,
        "ood_mean": mean_text.clone(),
        "ood_precision": precision,
        "ood_p99": torch.tensor(np.quantile(distance.numpy(), 0.99), dtype=torch.float32),
    }


def calibrate(features: list[Feature], tensors: dict[str, torch.Tensor], text: torch.Tensor) -> list[Feature]:
    """Features with their usable range: the strengths at which a typical prompt reaches an OOD distance of 1, either way.

    Adding s times d moves a prompt's squared distance from the mean prompt along a parabola in s; of its crossings with the
    squared unit of the OOD distance, the median over the captions `text [N, d_joint]` that lie within.
    """
    precision, limit = tensors["ood_precision"], tensors["ood_p99"].square()
    away = text - tensors["ood_mean"]
    height = ((away @ precision) * away).sum(1)
    inside = height < limit
    ranged = []
    for feature in features:
        d = tensors[f"steering_{feature.side}"][feature.latent] * feature.activation_scale
        slope, bend = away[inside] @ precision @ d, d @ precision @ d
        root = (slope.square() + bend * (limit - height[inside])).sqrt()
        ends = [float(((sign * root - slope) / bend).median()) for sign in (-1, 1)]
        low, high = (math.copysign(min(max(round(abs(end), 1), 0.5), STRONGEST), end) for end in ends)
        ranged.append(replace(feature, usable=(low, high)))
    return ranged


def effects(dictionary: SparseAutoencoder, x: torch.Tensor, tellings: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """What goes with each latent: mean of rows `x [N, d_joint]` where it fires minus where it is silent, per unit of its
    activation, `[n_latents, d_joint]`; and how far the mean row where it is silent lies along that, `[n_latents]`.

    Not the decoder's row. In nested levels that is only what the coarser latents, which fire along, leave over: of
    "panda" it had a cosine of 0.4 with the whole difference, and adding it drew no panda.

    Where every `tellings` rows in turn tell one scene, a latent that comes and goes between tellings rather than between
    scenes has only tellings of the same scene compared (the within estimator of panel data; Wooldridge 2010, section 10.5):
    the scenes in which it happens to fire more often are then no part of its effect.
    """
    n, d = dictionary.config.n_latents, dictionary.config.d_in
    count, unit, inside, everything = torch.zeros(n, 1), torch.zeros(n, 1), torch.zeros(n, d), torch.zeros(d)
    within, varies = torch.zeros(n, d), torch.zeros(n, 1)
    for _, rows in parts(x, 8192 // tellings * tellings):
        code = dictionary.encode(rows)
        fires = (code > 0).float()
        count, unit = count + fires.sum(0)[:, None], unit + code.sum(0)[:, None]
        inside, everything = inside + fires.T @ rows, everything + rows.sum(0)
        scenes = fires.view(-1, tellings, n)
        differs = (scenes - scenes.mean(1, keepdim=True)).view(-1, n)
        within, varies = within + differs.T @ rows, varies + differs.square().sum(0)[:, None]
    silent = (everything - inside) / (len(x) - count).clamp(min=1)
    difference, unit = inside / count.clamp(min=1) - silent, unit / count.clamp(min=1)
    by_telling = varies > count * (1 - count / len(x)) / 2  # most of its variance is there
    difference = torch.where(by_telling, within / varies.clamp(min=1e-6), difference)
    effect = torch.where(count > 0, difference / unit.clamp(min=1e-6), dictionary.W_dec)
    return effect, (silent * effect).sum(1) / effect.square().sum(1).clamp(min=1e-12)
