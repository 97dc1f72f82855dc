"""The text-to-joint map: between what a backbone's denoiser reads and the joint space, CLIP's own or fitted to captions."""

from pathlib import Path
from typing import Any

import torch

from mmsteer.bank.compatibility import LEAST_AGREEMENT, PROBES, probe
from mmsteer.errors import SteerError
from mmsteer.models.backbone import Backbone, check_takes_adapter
from mmsteer.models.clip import Clip
from mmsteer.models.image_adapter import find_adapter, kind_of, shapes_in
from mmsteer.models.joint_space import JointSpace
from mmsteer.models.prompt import encode

MAX_CAPTIONS = 10_000  # to fit on; more would not improve the map
_MIN_CAPTIONS = 500
_RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # as shares of a coordinate's variance
_EXACT = 0.99  # cosine with CLIP's own embeddings; in half precision an exact map does not quite reach 1


def fit_text_to_joint(
    backbone: Backbone, captions: list[str], x: torch.Tensor, projection: torch.Tensor | None
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Fit the map between what a backbone reads of captions and their joint vectors.

    If the end-of-text rows times CLIP's own `projection` are `x`, that is the map, exactly. Otherwise it is fitted both ways by
    ridge regression on centred rows. Hidden states regressed on joint vectors are also what a joint-space difference most
    likely does to the hidden states, damped where the joint vector does not determine them. One fifth of the captions chooses
    the strength of the ridge, and another measures faithfulness.

    Args:
        backbone: its text encoder is enough.
        captions: N captions, all different.
        x: their joint vectors `[N, d_joint]`.
        projection: CLIP's own, `[d_text, d_joint]`, or None for a model without one.

    Returns:
        Tensors of a bank (`mmsteer.bank.tensors`): `projection`, `probes`, and for a fitted map `offset`, `inverse` and,
        where the backbone has a pooled vector of its own, `inverse_pooled`. And what to record about them: `kind`, `r2` on unseen
        captions, `condition` number, number of `prompts`.

    Raises:
        SteerError: for too few captions to fit a map.
    """
    rows, pooled = _end_of_text_rows(backbone, captions)
    if projection is not None and _is_exact(rows, x, projection):
        condition = round(float(torch.linalg.cond(projection.double())), 1)
        exact = {"projection": projection, "probes": probe(backbone, JointSpace(projection.to(rows)))}
        return exact, {"kind": "exact", "r2": 1.0, "condition": condition, "prompts": len(x)}
    _check_count(len(captions), backbone)
    fold = torch.arange(len(x)) % 5
    forward, r2, _ = _ridge(rows, x, fold)
    inverse, r2_back, condition = _ridge(x, rows, fold)
    fitted = {"projection": forward, "offset": x.mean(0) - rows.mean(0) @ forward, "inverse": inverse}
    if pooled is not None and not backbone.family.pooled_is_last:
        fitted["inverse_pooled"], _, _ = _ridge(x, pooled, fold)
    fitted["probes"] = probe(backbone, JointSpace(fitted["projection"], fitted["offset"], fitted["inverse"]))
    quality = {"r2": round(r2, 4), "r2_back": round(r2_back, 4), "condition": condition}
    return fitted, {"kind": "fitted", **quality, "prompts": len(x)}


def load_prompt_encoder(
    name: str, clip: Clip, n_captions: int | None, adapter: str | Path | None = None
) -> Backbone:  # fmt: skip
    """Load the half of a backbone that reads prompts, and check that a bank of this CLIP can steer it.

    Models other than CLIP share no text encoder with any backbone, and an image adapter may read another CLIP's embeddings than
    the backbone's text encoder is of. For these the map is fitted, and a printed note says so.

    Args:
        name: a backbone's known name, folder or hub id.
        clip: the model whose joint space the bank is for.
        n_captions: how many captions there will be to fit the map on; None if not known yet.
        adapter: an image adapter that will read this CLIP's embeddings (`mmsteer.models.image_adapter.find_adapter`).

    Raises:
        SteerError: before anything is embedded, if the backbone does not load, its text encoder or image embedding is
            another CLIP's and no adapter reads this one's, or the captions are too few.
    """
    backbone = Backbone.load(name, clip.device, words_only=True)
    prompts = list(PROBES)
    x, rows = clip.embed_texts(prompts), encode(backbone, prompts).last
    if backbone.family.image and (width := backbone.pipeline.image_normalizer.mean.shape[-1]) != x.shape[1]:
        raise SteerError(
            f"{name} reads image embeddings {width} wide, those of {clip.id} are {x.shape[1]}: give --clip its own, "
            f"{backbone.family.clip}"
        )
    if adapter is not None:
        _check_adapter(adapter, backbone, clip, x.shape[1])
    if clip.projection is not None and _is_exact(rows, x, clip.projection):
        return backbone
    encoders = backbone.family.text_encoders(backbone.pipeline)
    if not any(_same_tokens(encoder, clip.model.text_model) for encoder in encoders):
        if clip.model.config.model_type == "clip" and adapter is None:
            raise SteerError(
                f"the text encoder of {name} is not that of {clip.id}: give --clip its own, {backbone.family.clip}; for a CLIP whose "
                "image embeddings an adapter reads, give that with --ip-adapter"
            )
        print(
            f"note: {name} reads another text encoder than {clip.id}. The map between them is fitted to captions; its R² says "
            "how faithful it is",
            flush=True,
        )
    if n_captions is not None:
        _check_count(n_captions, backbone)
    return backbone


def _check_adapter(adapter: str | Path, backbone: Backbone, clip: Clip, width: int) -> None:
    """SteerError unless an adapter makes tokens for this backbone of `clip`'s image embeddings, which are `width` wide."""
    check_takes_adapter(backbone.name, backbone.family)
    file = find_adapter(adapter, backbone.width, width)
    kind = kind_of(file.name, shapes_in(file))
    if kind != (backbone.width, width):
        raise SteerError(
            f"{file.name} has {kind}; rows of {backbone.name} are {backbone.width} wide and image embeddings of {clip.id} {width}: "
            "give an adapter for this checkpoint and, with --clip, the CLIP that it reads"
        )


def _is_exact(rows: torch.Tensor, x: torch.Tensor, projection: torch.Tensor) -> bool:
    """Whether rows `[N, d_text]` times `projection` are the joint vectors `x [N, d_joint]`."""
    if len(projection) != rows.shape[1]:
        return False
    cosine = float((JointSpace(projection.to(rows)).project(rows)[0] * x).sum(1).mean())
    return cosine > _EXACT


def _check_count(captions: int, backbone: Backbone) -> None:
    if captions < _MIN_CAPTIONS:
        raise SteerError(
            f"{captions} captions are too few to fit the map between {backbone.name} and the joint space: give "
            f"{_MIN_CAPTIONS:,} or more, all different (more pairs, or `bank fit --captions FILE`)"
        )


def _same_tokens(one: Any, other: Any) -> bool:
    """Whether two text encoders have the same token embeddings, whatever their precision, a little fine-tuning, and tokens that
    somebody added at the end (textual inversion).
    """
    a, b = (encoder.get_input_embeddings().weight.detach().float().cpu() for encoder in (one, other))
    common = min(len(a), len(b))
    if a.shape[1] != b.shape[1]:
        return False
    return float(torch.cosine_similarity(a[:common], b[:common], dim=1).mean()) > LEAST_AGREEMENT


def _end_of_text_rows(backbone: Backbone, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """End-of-text rows `[N, d_text]` and, if the backbone has any, pooled vectors `[N, d_pooled]`."""
    rows, pooled = [], []
    for start in range(0, len(captions), 64):
        encoded = encode(backbone, captions[start : start + 64], most=1)  # CLIP itself reads no more
        rows.append(encoded.last)
        if encoded.conditioning.pooled is not None:
            pooled.append(encoded.conditioning.pooled.float().cpu())
    return torch.cat(rows), torch.cat(pooled) if pooled else None


def _ridge(a: torch.Tensor, b: torch.Tensor, fold: torch.Tensor) -> tuple[torch.Tensor, float, float]:
    """Ridge regression of centred rows of `b` on those of `a`.

    Coordinates of `a` are brought to one scale first: a few of a transformer's are a hundred times the others.

    Args:
        a: `[N, d_a]`.
        b: `[N, d_b]`.
        fold: `[N]`, 0 to 4: rows of fold 0 measure R², those of 1 choose the strength of the ridge, the others are fitted.

    Returns:
        The matrix `[d_a, d_b]`, its R² on unseen rows, and the condition number of the damped problem.
    """
    mean_a, mean_b = a[fold > 1].mean(0), b[fold > 1].mean(0)
    scale = a[fold > 1].std(0).clamp(min=1e-6 * float(a.std()) + 1e-12)
    inputs, targets = ((a - mean_a) / scale).double(), (b - mean_b).double()
    values, axes = torch.linalg.eigh(inputs[fold > 1].T @ inputs[fold > 1] / int((fold > 1).sum()))
    cross = axes.T @ (inputs[fold > 1].T @ targets[fold > 1]) / int((fold > 1).sum())

    def solve(strength: float, rows: torch.Tensor) -> tuple[torch.Tensor, float]:
        """The matrix, and its R² on `rows`."""
        matrix = axes @ (cross / (values.clamp(min=0) + strength)[:, None])
        error = (targets[rows] - inputs[rows] @ matrix).square().sum()
        return matrix, float(1 - error / targets[rows].square().sum())

    best = max(_RIDGES, key=lambda strength: solve(strength, fold == 1)[1])
    matrix, r2 = solve(best, fold == 0)
    condition = float((values[-1] + best) / (values[0].clamp(min=0) + best))
    return (matrix / scale[:, None].double()).float(), r2, round(condition, 1)
