"""How a picture is sampled: numbers with their limits. Pure data."""

import math
from dataclasses import dataclass

from mmsteer.errors import SteerError

EDIT_GUIDANCE = ("edit_guidance", "pooled_guidance")


@dataclass(frozen=True)
class Sampler:
    """How the pipeline samples; SteerError for values out of range."""

    steps: int = 4
    guidance: float = 1.0
    """Classifier-free guidance scale; 1 and below switch guidance off."""
    edit_guidance: float = 1.0
    """How far each step goes from the prediction for *before* to that for *after*: 1 is *after* itself, more goes beyond it, at
    half as much time again (semantic guidance, 2301.12247)."""
    pooled_guidance: float = 1.0
    """Where a backbone reads a pooled vector y: the w of y + w (y+ - y), y+ being the edited one (modulation guidance,
    2602.09268)."""

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= 50:
            raise SteerError(f"`steps` is {self.steps!r}: give a whole number from 1 to 50")
        for name in ("guidance", *EDIT_GUIDANCE):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not 0 <= value <= 20:
                raise SteerError(f"`{name}` is {value!r}: give a number from 0 to 20")
