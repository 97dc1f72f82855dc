"""The text `parameters` that AUTOMATIC1111's web UI and its like write into PNGs: written beside a recipe, and read where there is none.

    a cat at night
    Negative prompt: blurry
    Steps: 25, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 3, Size: 512x512, Model: v1-5-pruned-emaonly

Input is hostile until checked. What mmsteer does not understand is named in a note and never an error.
"""

import re
from typing import NamedTuple

from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.recipes.recipe import Origin, Recipe

PNG_KEY = "parameters"
_LONGEST = 20_000  # characters
_NEGATIVE = "Negative prompt:"
_SETTING = re.compile(r'\s*(?P<name>\w[\w \-/]{0,40}):\s*(?P<value>"(?:\\.|[^\\"]){0,2000}"|[^,]*)(?:,|$)')
_SYNTAX = re.compile(
    r"<\w+:[^<>]+>|\([^()]+:\s*[\d.]+\)|\bBREAK\b|\bAND\b"
)  # extra networks, weights, parts of a prompt
_ABOUT = {"Sampler", "Schedule type", "Size", "Model", "Model hash", "Version", "VAE", "VAE hash"}  # say how, not what
_SAMPLERS = {
    "DDIMScheduler": "DDIM", "DPMSolverMultistepScheduler": "DPM++ 2M", "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler", "FlowMatchEulerDiscreteScheduler": "Euler", "HeunDiscreteScheduler": "Heun",
    "LCMScheduler": "LCM", "PNDMScheduler": "PLMS", "UniPCMultistepScheduler": "UniPC",
}  # fmt: skip


class Parameters(NamedTuple):
    """What was read."""

    recipe: Recipe
    notes: list[str]
    """What was not understood, in one sentence; none if all was."""


def written(recipe: Recipe, size: tuple[int, int]) -> str:
    """A recipe as this text: without its edits, which it has no word for.

    Args:
        recipe: of the picture.
        size: width and height in pixels.
    """
    scheduler = recipe.origin.scheduler.partition(",")[0]
    settings = {
        "Steps": str(recipe.sampler.steps), "Sampler": _SAMPLERS.get(scheduler, scheduler), "CFG scale": f"{recipe.sampler.guidance:g}",
        "Seed": str(recipe.seed), "Size": "x".join(map(str, size)), "Model": recipe.origin.backbone.replace(",", " "),
        "Denoising strength": f"{recipe.start.freedom:g}" if recipe.start else "",
    }  # fmt: skip
    lines = [recipe.prompt] + [f"{_NEGATIVE} {recipe.negative_prompt}"] * bool(recipe.negative_prompt)
    return "\n".join([*lines, ", ".join(f"{name}: {value}" for name, value in settings.items() if value)])


def read(text: str) -> Parameters:
    """Read this text.

    Raises:
        SteerError: it is too long, or its prompt is no prompt of a recipe.
    """
    if len(text) > _LONGEST:
        raise SteerError(
            f"the picture's `parameters` have {len(text):,} characters; {_LONGEST:,} are allowed: give a picture with fewer"
        )
    *lines, last = text.strip().split("\n")
    settings = {match["name"]: match["value"].strip() for match in _SETTING.finditer(last)}
    if len(settings) < 3:  # a picture without settings: its last line belongs to the prompt
        lines, settings = [*lines, last], {}
    prompt, _, negative = "\n".join(["", *lines]).partition(f"\n{_NEGATIVE}")
    unknown = [name for name in settings if name not in _ABOUT | {"Steps", "CFG scale", "Seed"}]
    steps = _number(settings, "Steps", (1, 50), unknown)
    guidance = _number(settings, "CFG scale", (0, 20), unknown)
    seed = _number(settings, "Seed", (0, 2**32 - 1), unknown)
    sampler = Sampler(
        int(Sampler.steps if steps is None else steps), float(Sampler.guidance if guidance is None else guidance)
    )
    recipe = Recipe(prompt, int(seed or 0), sampler, (), _origin(settings.get("Model", "")), None, negative)
    return Parameters(recipe, _notes(unknown, _SYNTAX.findall(prompt + negative)))


def _number(settings: dict[str, str], name: str, limits: tuple[int, int], unknown: list[str]) -> float | None:
    """A setting that is a number within its limits; else None, and what it is counts as not understood."""
    value = settings.get(name)
    if value is None:
        return None
    whole = name != "CFG scale"
    if (
        re.fullmatch(r"[0-9]{1,12}" if whole else r"[0-9]{1,3}(\.[0-9]{1,6})?", value)
        and limits[0] <= float(value) <= limits[1]
    ):
        return float(value)
    unknown.append(f"{name} {value:.20}")
    return None


def _origin(model: str) -> Origin:
    """The model's name as an origin, if it can be one."""
    try:
        return Origin(model)
    except SteerError:
        return Origin()


def _notes(unknown: list[str], syntax: list[str]) -> list[str]:
    """What was not understood, in one sentence."""
    parts = [f"settings left out: {', '.join(name[:40] for name in unknown[:8])}"] if unknown else []
    if syntax:
        parts.append(f"kept in the prompt as plain words: {', '.join(part[:40] for part in dict.fromkeys(syntax[:4]))}")
    return [f"Of this picture's settings, mmsteer does not understand all; {'; '.join(parts)}."] if parts else []
