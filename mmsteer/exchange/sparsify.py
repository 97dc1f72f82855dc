"""Dictionaries of sparsify 1.3 (sparsify/sparse_coder.py): TopK."""

from mmsteer.exchange.checkpoint import Checkpoint
from mmsteer.exchange.normal_form import NormalForm


def read(checkpoint: Checkpoint) -> NormalForm:
    """The normal form of a dictionary; SteerError for settings that have none."""
    settings = checkpoint.settings
    if settings.get("signed"):
        raise checkpoint.signed("was trained with signed = True")
    for name, usual in (("activation", "topk"), ("transcode", False), ("skip_connection", False)):
        if settings.get(name, usual) != usual:
            raise checkpoint.unsupported(f"was trained with {name} = {settings[name]!r}", f"{name} = {usual!r}")
    weight, b_enc, W_dec, b_dec = checkpoint.get("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    return NormalForm(weight.mT, b_enc, W_dec, b_dec, k=checkpoint.integer("k", settings.get("k")))
