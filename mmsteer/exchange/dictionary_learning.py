"""Dictionaries of dictionary_learning 0.1 (dictionary.py, trainers/top_k.py, trainers/batch_top_k.py)."""

from dataclasses import replace

import torch

from mmsteer.exchange import normal_form
from mmsteer.exchange.checkpoint import Checkpoint
from mmsteer.exchange.normal_form import NormalForm


def read(checkpoint: Checkpoint) -> NormalForm:
    """The normal form of a dictionary; SteerError for a class that has none."""
    kind = checkpoint.settings.get("trainer", {}).get("dict_class")
    if kind not in _READERS:
        raise checkpoint.unsupported(f"is a {kind!r}", ", ".join(_READERS))
    return _READERS[kind](checkpoint)


def _linear(checkpoint: Checkpoint, centre: str = "b_dec", threshold: float = 0.0) -> NormalForm:
    weight, b_enc, decoder, b_dec = checkpoint.get("encoder.weight", "encoder.bias", "decoder.weight", centre)
    return NormalForm(weight.T, b_enc, decoder.T, b_dec, torch.full_like(b_enc, max(threshold, 0.0)))


def _standard(checkpoint: Checkpoint) -> NormalForm:
    form = _linear(checkpoint, "bias")
    return form.stretched(form.W_dec.norm(dim=1))  # its library gives decoder rows unit length when it loads them


def _top_k(checkpoint: Checkpoint) -> NormalForm:
    tensors = checkpoint.tensors
    k = tensors["k"].item() if "k" in tensors else checkpoint.settings["trainer"].get("k")
    return replace(_linear(checkpoint), threshold=None, k=checkpoint.integer("k", k))


def _batch_top_k(checkpoint: Checkpoint) -> NormalForm:
    return _linear(checkpoint, threshold=float(checkpoint.get("threshold")[0]))


def _jump_relu(checkpoint: Checkpoint) -> NormalForm:
    W_enc, b_enc, W_dec, b_dec, threshold = checkpoint.get("W_enc", "b_enc", "W_dec", "b_dec", "threshold")
    return NormalForm(W_enc, b_enc, W_dec, b_dec, threshold).uncentred()


def _gated(checkpoint: Checkpoint) -> NormalForm:
    weight, decoder, b_dec = checkpoint.get("encoder.weight", "decoder.weight", "decoder_bias")
    return normal_form.gated(weight.T, decoder.T, b_dec, *checkpoint.get("r_mag", "gate_bias", "mag_bias"))


_READERS = {
    "AutoEncoder": _standard,
    "AutoEncoderTopK": _top_k,
    "BatchTopKSAE": _batch_top_k,
    "JumpReluAutoEncoder": _jump_relu,
    "GatedAutoEncoder": _gated,
}
