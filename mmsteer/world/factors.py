"""What a scene can be: every factor of the world, its values and their names, and how they are drawn at random.

A factor is `cross` (drawn, and captioned some of the time), `vision` (drawn, never captioned) or `language`
(captioned, never drawn). Knows nothing of pixels or sentences: `scene.py` draws, `captions.py` writes captions.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Modality = Literal["vision", "language", "cross"]


@dataclass(frozen=True)
class Factor:
    """One way in which scenes differ."""

    name: str
    values: tuple[str, ...]
    modality: Modality
    neutral: str | None = None
    """The value that means "nothing special"; None when every value is worth a name."""
    mention_rate: float = 0.0
    """Probability that a caption mentions the factor (cross factors only; captions always show language factors)."""


# The emoji of each thing, in the order of the sprite sheet: things that an audience recognises at once
THINGS: dict[str, str] = {
    "cat": "🐱", "dog": "🐶", "panda": "🐼", "penguin": "🐧", "fox": "🦊", "lion": "🦁", "pig": "🐷", "frog": "🐸",
    "rabbit": "🐰", "owl": "🦉", "fish": "🐠", "whale": "🐳", "butterfly": "🦋", "bee": "🐝", "turtle": "🐢",
    "elephant": "🐘", "octopus": "🐙", "dinosaur": "🦖", "strawberry": "🍓", "banana": "🍌", "apple": "🍎",
    "watermelon": "🍉", "pineapple": "🍍", "burger": "🍔", "pizza": "🍕", "cake": "🍰", "car": "🚗", "bus": "🚌",
    "rocket": "🚀", "sailboat": "⛵", "bicycle": "🚲", "sunflower": "🌻", "cactus": "🌵", "tree": "🌳",
    "mushroom": "🍄", "house": "🏠", "guitar": "🎸", "umbrella": "☂️", "robot": "🤖", "snowman": "⛄",
}  # fmt: skip
# The object that, joined to the emoji of a man or a woman, makes an occupation
OCCUPATIONS: dict[str, str] = {
    "farmer": "🌾", "cook": "🍳", "astronaut": "🚀", "firefighter": "🚒", "artist": "🎨", "doctor": "⚕️",
}  # fmt: skip
# The planted bias: who is drawn nine times out of ten when the caption mentions neither man nor woman
USUAL_GENDER = {
    "farmer": "woman", "cook": "man", "astronaut": "woman", "firefighter": "woman", "artist": "man", "doctor": "man",
}  # fmt: skip
BIAS = 0.9

FACTORS: tuple[Factor, ...] = (
    Factor("thing", (*THINGS, *OCCUPATIONS), "cross", mention_rate=0.92),
    Factor("gender", ("nobody", "man", "woman"), "cross", neutral="nobody", mention_rate=0.5),
    Factor(
        "place", ("meadow", "beach", "night", "snow", "desert", "sunset", "ocean", "forest"), "cross", mention_rate=0.8
    ),
    Factor("position", ("left", "middle", "right"), "cross", mention_rate=0.65),
    Factor("size", ("small", "big"), "cross", mention_rate=0.65),
    Factor("light", ("neutral", "warm", "cool"), "vision", neutral="neutral"),
    Factor("tilt", ("upright", "left", "right"), "vision", neutral="upright"),
    Factor("vignette", ("off", "on"), "vision", neutral="off"),
    Factor("frame", ("off", "on"), "vision", neutral="off"),
    Factor("softness", ("sharp", "soft"), "vision", neutral="sharp"),
    Factor("opening", ("none", "please draw", "i want", "show me", "can you paint"), "language", neutral="none"),
    Factor("mood", ("none", "lovely", "boring", "famous", "strange"), "language", neutral="none"),
    Factor("closing", ("none", "thank you", "right now", "if you can", "for my friend"), "language", neutral="none"),
)
INDEX = {factor.name: i for i, factor in enumerate(FACTORS)}
DRAWN = tuple(factor.name for factor in FACTORS if factor.modality != "language")

_LABELS = {
    ("light", "warm"): "warm light",
    ("light", "cool"): "cool light",
    ("tilt", "left"): "rolled left",
    ("tilt", "right"): "rolled right",
    ("vignette", "on"): "vignette",
    ("frame", "on"): "white frame",
    ("softness", "soft"): "soft backdrop",
    ("light", "neutral"): "plain light",
    ("tilt", "upright"): "upright",
    ("vignette", "off"): "no vignette",
    ("frame", "off"): "no frame",
    ("softness", "sharp"): "sharp backdrop",
    ("gender", "nobody"): "nobody",
}


def label(factor: str, value: str) -> str:
    """The name a person reads for a factor's value: `("light", "warm")` is "warm light", `("thing", "cat")` is "cat"."""
    return _LABELS.get((factor, value), f"no {factor}" if value == "none" else value)


def draw_factors(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw random scenes.

    Cross values are uniform, except the gender of an occupation whose gender the caption does not mention: `USUAL_GENDER`
    with probability `BIAS`. The neutral value of a vision or language factor has probability 0.4, or 0.6 where there is
    only one other value.

    Returns:
        Values `int64 [B, n_factors]`, indices into each factor's `values`; and which factors the caption mentions,
        `bool [B, n_factors]`.
    """
    values = np.zeros((count, len(FACTORS)), dtype=np.int64)
    mentioned = np.zeros((count, len(FACTORS)), dtype=bool)
    for i, factor in enumerate(FACTORS):
        n = len(factor.values)
        if factor.modality == "cross":
            values[:, i] = rng.integers(0, n, count)
            mentioned[:, i] = rng.random(count) < factor.mention_rate
        else:
            weights = np.full(n, (0.4 if n == 2 else 0.6) / (n - 1))
            weights[0] = 1 - weights[1:].sum()
            values[:, i] = rng.choice(n, count, p=weights)
            mentioned[:, i] = factor.modality == "language"

    thing, gender = INDEX["thing"], INDEX["gender"]
    usual = np.array([USUAL_GENDER.get(name, "nobody") for name in FACTORS[thing].values])[values[:, thing]]
    is_person = usual != "nobody"
    mentioned[:, gender] &= is_person & mentioned[:, thing]
    even = rng.integers(1, 3, count)
    biased = np.where((usual == "man") ^ (rng.random(count) > BIAS), 1, 2)
    values[:, gender] = np.where(is_person, np.where(mentioned[:, gender], even, biased), 0)
    return values, mentioned


def named(values: np.ndarray) -> dict[str, str]:
    """One row of values `[n_factors]` as a dictionary from factor name to value name."""
    return {factor.name: factor.values[int(v)] for factor, v in zip(FACTORS, values, strict=True)}
