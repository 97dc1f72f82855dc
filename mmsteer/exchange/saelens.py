"""Dictionaries of SAELens 6.54 (sae_lens/saes): standard, topk, jumprelu, gated; and settings from before its version 6."""

from dataclasses import replace
from typing import Any

import torch

from mmsteer.exchange.checkpoint import Checkpoint
from mmsteer.exchange.normal_form import NormalForm, gated

_KINDS = ("standard", "topk", "jumprelu", "gated")
_SUPPORTED = "standard, topk, jumprelu and gated"


def read(checkpoint: Checkpoint) -> NormalForm:
    """The normal form of a dictionary; SteerError for an architecture that has none."""
    settings = checkpoint.settings
    kind, k = _kind(checkpoint)
    form = _threshold_form(checkpoint, kind)
    if kind == "topk":
        form = replace(form, threshold=None, k=checkpoint.integer("k", k))
        if settings.get("rescale_acts_by_decoder_norm", False):
            form = form.stretched(form.W_dec.norm(dim=1))
    if not settings.get("apply_b_dec_to_input", True):
        form = form.uncentred()
    return _for_unit_vectors(checkpoint, form)


def _kind(checkpoint: Checkpoint) -> tuple[str, Any]:
    """Architecture and, for topk, its k."""
    settings = checkpoint.settings
    kind = settings.get("architecture", "standard")
    activation = settings.get("activation_fn", settings.get("activation_fn_str", "relu"))
    k = settings.get("k")
    if kind == "standard" and activation == "topk":  # before version 6
        kind, k = "topk", checkpoint.section("activation_fn_kwargs").get("k")
    if "abs" in str(kind):
        raise checkpoint.signed(f"is of architecture {kind!r}")
    if kind not in _KINDS or activation not in ("relu", "topk"):
        raise checkpoint.unsupported(f"is of architecture {kind!r} with activation {activation!r}", _SUPPORTED)
    if settings.get("reshape_activations", "none") != "none":
        raise checkpoint.unsupported(f"reshapes its input ({settings['reshape_activations']})", _SUPPORTED)
    if "scaling_factor" in checkpoint.tensors:
        raise checkpoint.unsupported("has a finetuned scaling factor", _SUPPORTED)
    return kind, k


def _threshold_form(checkpoint: Checkpoint, kind: str) -> NormalForm:
    W_enc, W_dec, b_dec = checkpoint.get("W_enc", "W_dec", "b_dec")
    if kind == "gated":
        return gated(W_enc, W_dec, b_dec, *checkpoint.get("r_mag", "b_gate", "b_mag"))
    (b_enc,) = checkpoint.get("b_enc")
    threshold = torch.zeros_like(b_enc)
    if kind == "jumprelu":
        old = "log_threshold" in checkpoint.tensors
        (threshold,) = checkpoint.get("log_threshold" if old else "threshold")
        threshold = threshold.exp() if old else threshold
    return NormalForm(W_enc, b_enc, W_dec, b_dec, threshold)


def _for_unit_vectors(checkpoint: Checkpoint, form: NormalForm) -> NormalForm:
    """Undo the normalization of its training vectors."""
    normalize = checkpoint.settings.get("normalize_activations") or "none"
    if normalize == "constant_norm_rescale":  # brings every vector to length sqrt(d_in); ours have length 1
        return form.scaled(len(form.W_enc) ** 0.5)
    if normalize != "none":
        raise checkpoint.unsupported(
            f"was trained with normalize_activations {normalize!r}, not folded into its weights",
            "'none' and 'constant_norm_rescale'",
        )
    return form
