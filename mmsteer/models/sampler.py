"""How a picture is sampled: numbers with their limits. Pure data."""

from dataclasses import dataclass

from mmsteer.errors import SteerError, quoted

OPTIONAL = ("edit_guidance", "pooled_guidance", "adapter_scale")
"""Fields that change nothing where they are 1."""
LARGEST_SCALE = 1.5
"""Of an image adapter: what is drawn with more is its picture alone, and soon no picture."""
MOST_STEPS = 50
_LARGEST = {"guidance": 20.0, "edit_guidance": 20.0, "pooled_guidance": 20.0, "adapter_scale": LARGEST_SCALE}


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
    adapter_scale: float = 1.0
    """How strongly the tokens of an image adapter act, where a backbone has one: 0 is as without it."""

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= MOST_STEPS:
            raise SteerError(f"`steps` is {quoted(self.steps)}: give a whole number from 1 to {MOST_STEPS}")
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= largest:  # nor NaN
                raise SteerError(f"`{name}` is {quoted(value)}: give a number from 0 to {largest:g}")
