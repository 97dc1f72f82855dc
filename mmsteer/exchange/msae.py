"""Dictionaries of MSAE (github.com/WolodjaZ/MSAE: sae.py, train.py; Zaigrajew et al., 2502.20578), of CLIP's joint space.

One file, `LATENTS_INPUTS_ACTIVATION[_K][_UW|_RW]_TIED_NORMALIZE_SOFTCAP_DATA.pth`, whose name has the settings and which has the
weights, and the mean and the factor by which vectors are centred and scaled before they are encoded:

    code = activation(((x - mean) * factor - pre_bias) @ encoder + latent_bias)
"""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mmsteer.errors import SteerError, quoted
from mmsteer.exchange.checkpoint import Checkpoint, as_tensors, read_weights
from mmsteer.exchange.normal_form import NormalForm

NAME = re.compile(
    r"\d+_\d+_(?P<activation>[A-Za-z]+)(?:_(?P<k>\d+))?(?P<nested>_[UR]W)?_(?P<tied>True|False)_(?P<normalize>True|False)"
    r"_(?P<soft_cap>\d+(?:\.\d+)?)(?:_.*)?\.pth?"
)
_SUPPORTED = "ReLU, TopKReLU, BatchTopKReLU and JumpReLU, without normalize and with soft cap 0"


def load(folder: Path, weights: str) -> Checkpoint:
    """Read one file; SteerError if it contains anything but weights and numbers."""
    content, name = read_weights(folder / weights), NAME.fullmatch(weights)
    if not name or not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise SteerError(f"{folder / weights} has no weights under `model`: give a file that MSAE's train.py saved")
    settings = name.groupdict() | {"factor": content.get("scaling_factor")}
    tensors = dict(content["model"])
    if isinstance(content.get("mean_center"), torch.Tensor):
        tensors["mean_center"] = content["mean_center"]
    return Checkpoint(folder / weights, settings, as_tensors(tensors, folder / weights))


def read(checkpoint: Checkpoint) -> NormalForm:
    """The normal form of a dictionary; SteerError for settings that have none."""
    _check_settings(checkpoint)
    W_enc, b_enc, b_dec, mean = checkpoint.get("encoder", "latent_bias", "pre_bias", "mean_center")
    W_dec = W_enc.mT if checkpoint.settings["tied"] == "True" else checkpoint.get("decoder")[0]
    form = _activation(checkpoint, NormalForm(W_enc, b_enc, W_dec, b_dec, torch.zeros_like(b_enc)))
    return form.scaled(_factor(checkpoint)).moved(mean)


def _activation(checkpoint: Checkpoint, form: NormalForm) -> NormalForm:
    """Which latents fire.

    Nested dictionaries (UW, RW) were trained with several k, up to all latents, and are used with all; BatchTopK has no threshold of
    its own outside a batch. As in `SAE.encode` both have a ReLU alone.
    """
    kind, k = checkpoint.settings["activation"], checkpoint.settings["k"]
    if kind == "JumpReLU":
        return replace(form, threshold=checkpoint.get("activation.log_threshold")[0].exp())
    if kind == "TopKReLU" and not checkpoint.settings["nested"]:
        return replace(form, threshold=None, k=checkpoint.integer("k", k and int(k)))
    return form


def _check_settings(checkpoint: Checkpoint) -> None:
    settings: dict[str, Any] = checkpoint.settings
    kind = settings["activation"]
    if kind in ("Identity", "TopK", "BatchTopK", "TopKabs", "BatchTopKabs"):
        raise checkpoint.signed(f"has the activation {kind!r}")
    if kind not in ("ReLU", "TopKReLU", "BatchTopKReLU", "JumpReLU"):
        raise checkpoint.unsupported(f"has the activation {kind!r}", _SUPPORTED)
    if settings["normalize"] == "True":
        raise checkpoint.unsupported("normalizes each vector by its own mean and deviation", _SUPPORTED)
    if float(settings["soft_cap"]):
        raise checkpoint.unsupported(f"bends activations by a soft cap of {settings['soft_cap']}", _SUPPORTED)


def _factor(checkpoint: Checkpoint) -> float:
    factor = checkpoint.settings["factor"]
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 < factor < math.inf:
        raise SteerError(f"{checkpoint.folder}: its scaling_factor is {quoted(factor)}, not a number above 0")
    return float(factor)
