"""Dictionaries of dictionary_learning 0.1 and its forks, such as sae-for-vlm's: dictionary.py, trainers/*.py.

A class is known by its tensors, since forks rename and misspell it. Only where two classes have the same tensors does its name
decide: TopK or BatchTopK.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch

from mmsteer.errors import SteerError
from mmsteer.exchange import normal_form
from mmsteer.exchange.checkpoint import Checkpoint
from mmsteer.exchange.normal_form import NormalForm

_STATE = {"k", "threshold", "group_sizes"}  # beside the weights


class _Kind(NamedTuple):
    """What is computed from these tensors, whatever the class is called."""

    classes: str
    tensors: frozenset[str]
    read: Callable[[Checkpoint], NormalForm]


def read(checkpoint: Checkpoint) -> NormalForm:
    """The normal form of a dictionary; SteerError for weights that have none, or that lack a part."""
    name = _class_of(checkpoint)
    if "abs" in name.lower():
        raise checkpoint.signed(f"is a {name!r}")
    weights = checkpoint.tensors.keys() - _STATE
    for kind in _KINDS:
        if weights == kind.tensors - _STATE and kind.tensors <= checkpoint.tensors.keys():
            return kind.read(checkpoint)
    for kind in _KINDS:
        if name in kind.classes.split(", "):
            checkpoint.get(*sorted(kind.tensors))  # says which are missing
    present = ", ".join(sorted(checkpoint.tensors)) or "nothing"
    what = f"is a {name!r} with the weights {present[:200]}"
    raise checkpoint.unsupported(what, ", ".join(kind.classes for kind in _KINDS))


def _class_of(checkpoint: Checkpoint) -> str:
    """The name of its class; empty if its settings do not say."""
    return str(checkpoint.section("trainer").get("dict_class") or "")


def _linear(checkpoint: Checkpoint, centre: str) -> NormalForm:
    weight, b_enc, decoder, b_dec = checkpoint.get("encoder.weight", "encoder.bias", "decoder.weight", centre)
    return NormalForm(weight.mT, b_enc, decoder.mT, b_dec, torch.zeros_like(b_enc))


def _standard(checkpoint: Checkpoint) -> NormalForm:
    form = _linear(checkpoint, "bias")
    return form.stretched(form.W_dec.norm(dim=1))  # its library gives decoder rows unit length when it loads them


def _new(checkpoint: Checkpoint) -> NormalForm:
    return _linear(checkpoint, "decoder.bias").uncentred()


def _top_k(checkpoint: Checkpoint) -> NormalForm:
    """TopK, or BatchTopK: trained so that k fire on average over a batch, and at inference those above one threshold."""
    name, form = _class_of(checkpoint).lower(), _linear(checkpoint, "b_dec")
    if "batch" in name:
        return _above_one_threshold(checkpoint, form)
    if "topk" not in name:
        raise SteerError(
            f"{checkpoint.folder} does not say whether it is a TopK or a BatchTopK dictionary, whose weights look the same: write "
            '{"trainer": {"dict_class": "AutoEncoderTopK"}} or "BatchTopKSAE" into its config.json'
        )
    tensors = checkpoint.tensors
    k = tensors["k"].item() if "k" in tensors else checkpoint.section("trainer").get("k")
    return replace(form, threshold=None, k=checkpoint.integer("k", k))


def _rows(checkpoint: Checkpoint) -> NormalForm:
    """Matryoshka BatchTopK, which subtracts b_dec from its input and has one threshold; or JumpReLU, with neither.

    The groups of a Matryoshka dictionary matter in training alone. They must still cover its latents.
    """
    W_enc, b_enc, W_dec, b_dec, threshold = checkpoint.get("W_enc", "b_enc", "W_dec", "b_dec", "threshold")
    form = NormalForm(W_enc, b_enc, W_dec, b_dec)
    if threshold.ndim or "k" not in checkpoint.tensors:
        return replace(form, threshold=threshold).uncentred()
    groups = checkpoint.tensors.get("group_sizes")
    if groups is not None and int(groups.sum()) != len(form.b_enc):
        raise SteerError(
            f"{checkpoint.folder}: its groups have {int(groups.sum())} latents in all, and its weights {len(form.b_enc)}: the file "
            "is damaged"
        )
    return _above_one_threshold(checkpoint, form)


def _above_one_threshold(checkpoint: Checkpoint, form: NormalForm) -> NormalForm:
    (threshold,) = checkpoint.get("threshold")
    if threshold.ndim:
        raise ValueError(f"threshold is {tuple(threshold.shape)}, not one number")
    return replace(form, threshold=torch.full_like(form.b_enc, max(threshold.item(), 0.0)))  # -1 before it is measured


def _gated(checkpoint: Checkpoint) -> NormalForm:
    weight, decoder, b_dec = checkpoint.get("encoder.weight", "decoder.weight", "decoder_bias")
    return normal_form.gated(weight.mT, decoder.mT, b_dec, *checkpoint.get("r_mag", "gate_bias", "mag_bias"))


_BOTH = frozenset({"encoder.weight", "decoder.weight"})
_KINDS = (
    _Kind("AutoEncoder", _BOTH | {"encoder.bias", "bias"}, _standard),
    _Kind("AutoEncoderNew", _BOTH | {"encoder.bias", "decoder.bias"}, _new),
    _Kind("AutoEncoderTopK, BatchTopKSAE", _BOTH | {"encoder.bias", "b_dec"}, _top_k),
    _Kind(
        "MatryoshkaBatchTopKSAE, JumpReluAutoEncoder", frozenset({"W_enc", "b_enc", "W_dec", "b_dec", "threshold"}), _rows
    ),
    _Kind("GatedAutoEncoder", _BOTH | {"decoder_bias", "r_mag", "gate_bias", "mag_bias"}, _gated),
)  # fmt: skip
