"""Whether a checkpoint was distilled to a few steps, by several signs: what its denoiser reads, its scheduler, its name. A person can
always say otherwise.
"""

import re
from typing import Any

from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.families import Family

UNGUIDED = 0.0
"""Guidance of a distilled checkpoint: none, unless its denoiser reads the scale."""
_FEW_STEPS = 4
_CONSISTENCY = ("LCMScheduler", "TCDScheduler")
_EMBEDDED_GUIDANCE = 8.0  # of latent consistency models (Luo et al., 2310.04378), as their cards have it
_NAMES = re.compile(r"(?<![a-z])(?P<kind>turbo|lightning|hyper|lcm|dmd2?)(?![a-z])")
_STEPS = re.compile(r"(?<!\d)([1-9])[-_ ]?steps?(?![a-z])")


def few_steps(checkpoint: Checkpoint, family: Family, pipeline: Any) -> tuple[int, float] | None:
    """Steps and guidance of a distilled checkpoint; None for any other.

    In this order: its denoiser reads the guidance scale as a number, as latent consistency models do; its scheduler is one of
    consistency models; its family knows it (by default by a schedule such as Turbo's); it has a name that says so.
    """
    if embeds_guidance(getattr(pipeline, family.denoiser, None)):
        return _FEW_STEPS, _EMBEDDED_GUIDANCE
    if type(pipeline.scheduler).__name__ in _CONSISTENCY:
        return _FEW_STEPS, UNGUIDED
    if family.distilled(pipeline):
        return family.distilled_steps, UNGUIDED
    name = re.split(r"[/\\]", str(checkpoint.source))[-1].lower()
    if not (sign := _NAMES.search(name)):
        return None
    said = _STEPS.search(name)
    return int(said[1]) if said else family.distilled_steps if sign["kind"] == "turbo" else _FEW_STEPS, UNGUIDED


def embeds_guidance(denoiser: Any) -> bool:
    """Whether a UNet reads the guidance scale as a number: then no prediction for the empty prompt is made."""
    return denoiser is not None and denoiser.config.get("time_cond_proj_dim") is not None
