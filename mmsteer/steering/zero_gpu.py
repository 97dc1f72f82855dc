"""Steering on ZeroGPU, where a Space has a GPU for seconds at a time. Nothing of this is used anywhere else.

There, `import spaces` must come before torch, the model is put on "cuda" before the page starts, and each call that needs a GPU
runs in a forked process: arguments and results travel as pickles, and caches stay in this process.
"""

import inspect
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.recipes.direction import check_name
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer

_START = 5  # seconds: until the weights are moved
_MOST = 120  # seconds
# Measured on an H200 in half precision, on untrained weights of the real shapes: a guided step takes 25 ms with the UNet of Stable
# Diffusion 1.5 at 512 pixels, 28 ms with that of 2.1 at 768, and 63 and 68 ms with that of XL at 512 and 1024. This is how long it
# takes to launch the kernels of their 391, 391 and 1,050 layers with weights, 58 us each, and 2 ms more for 512x512 pixels. Decoding
# takes 21, 48 and 85 ms at 512, 768 and 1024. What is asked for is half as much again, and twice as much where pixels count:
# the GPU that is lent computes more slowly.
_LAYER = 90e-6  # seconds a layer with weights
_PIXELS = 5e-3  # seconds a step for 512x512 pixels
_DECODING = 40e-3  # seconds a picture of 512x512 pixels
_OPERATIONS = 5e13  # a second, of transformers, whose steps are bound by computing; not measured, on the safe side
_PATCH = 16  # pixels a side of what makes one token of a transformer


def on_zero_gpu() -> bool:
    """Whether this process is a Space on ZeroGPU, by what the Space sets."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def step_seconds(denoiser: Any, side: int) -> float:
    """How long a guided step of one picture takes, on the safe side.

    Args:
        denoiser: a UNet or a transformer.
        side: of the picture, in pixels.
    """
    layers = sum(any(True for _ in module.parameters(recurse=False)) for module in denoiser.modules())
    launching = layers * _LAYER
    if "Transformer" not in type(denoiser).__name__:
        return launching + _PIXELS * (side / 512) ** 2
    weights: int = sum(parameter.numel() for parameter in denoiser.parameters())
    both = 2 * (side / _PATCH) ** 2  # tokens, for the prompt and for the empty one
    return launching + 2 * weights * both / _OPERATIONS


def seconds(calls: int, step: float, side: int, pictures: int) -> int:
    """For how long to ask for the GPU. The less, the sooner it is a visitor's turn and the longer their daily quota lasts.

    Args:
        calls: of the denoiser for one picture.
        step: seconds each (`step_seconds`).
        side: of the picture, in pixels.
        pictures: to draw.
    """
    return min(_MOST, _START + math.ceil(pictures * (calls * step + _DECODING * (side / 512) ** 2)))


def load_for_zero_gpu(load: "Callable[[], Steerer]") -> "Callable[[], Steerer]":
    """Load now, and return what stands in for the steerer while a GPU comes and goes."""
    import spaces  # makes torch believe in a GPU, so it must be there first

    steerer = ZeroGPUSteerer(load(), spaces.GPU)
    return lambda: cast("Steerer", steerer)


class ZeroGPUSteerer:
    """A Steerer each of whose calls runs on a GPU lent for it. Attributes are read in this process."""

    def __init__(self, steerer: "Steerer", gpu: Callable[..., Any]) -> None:
        self._steerer = steerer
        backbone = steerer.backbone
        self._side, self._step = backbone.side, step_seconds(backbone.denoiser, backbone.side)
        self._calls_a_step = backbone.pipeline.scheduler.order  # 2 for Heun
        self._on_gpu = gpu(duration=self._duration)(self._call)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._steerer, name)
        if not inspect.ismethod(attribute):
            return attribute
        return lambda *args, **kwargs: self._run(name, args, kwargs)

    def steer(self, *args: Any, **named: Any) -> "Steered":
        """As `Steerer.steer`, by the `pair` below."""
        return type(self._steerer).steer(cast("Steerer", self), *args, **named)

    def pair(self, recipe: Recipe) -> "Steered":
        """As `Steerer.pair`; what can be refused is refused before a GPU is asked for."""
        known = self._steerer
        for edit in recipe.edits:
            check_name(known.bank, edit.feature)
        result: Steered = self._run("pair", (recipe,), {}, recipe.plain)
        known.befores.put(recipe.plain, (result.before, result.blanked[0]))
        return result

    def _run(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], plain: Recipe | None = None) -> Any:
        before = plain and self._steerer.befores.get(plain)
        result = self._on_gpu(name, args, kwargs, (plain, before) if before else None)
        if isinstance(result, SteerError):
            raise result
        return result

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], before: Any) -> Any:
        """In the forked process. An error raised here would arrive without its sentence, so it is returned."""
        if before:
            self._steerer.befores.put(*before)
        try:
            return getattr(self._steerer, name)(*args, **kwargs)
        except SteerError as error:
            return error

    def _duration(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], before: Any) -> int:
        """Seconds for a call: `pair` draws one picture, or two; any other as many as its longest list, or one. A picture with a region
        counts twice: *before* is drawn beside it.
        """
        values = (*args, *kwargs.values())
        recipes = [value for value in values if isinstance(value, Recipe)]
        asked = [r.drawn_steps for r in recipes] + [v.steps for v in values if isinstance(v, Sampler)]
        steps = asked[0] if asked else self._steerer.sampler.steps
        pictures = max((len(value) for value in values if isinstance(value, list | tuple) and value), default=1)
        pictures += (name == "pair" and not before) + any(recipe.region for recipe in recipes)
        return seconds(steps * self._calls_a_step, self._step, self._side, pictures)
