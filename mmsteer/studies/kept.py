"""How much of a picture of one's own is kept as edits act on it, by its freedom: on scenes drawn from known factors, never by the UNet.

Each scene is drawn again from itself, with a prompt that says what a caption can say of it; the same scenes, noise and edits for
every freedom. By freedom:
  PSNR before   of *before*, the reconstruction without edits, to the picture, in dB; likewise the cosine of both in CLIP's joint space
  PSNR outside  of *after* to the picture, outside what the edit changes, and how much that is
  lost          of the drawn factors, the share that *before* no longer shows
  hit           of the pictures that do not have a value, the share that shows it in *after* once its feature is added at strength 1
  leak          of the drawn factors but the edited one, the share that *after* no longer shows
Free of the picture, at 1, is what the prompt alone gives. Intervals are 95 %, by Wilson or, of means, by bootstrap over pictures.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from mmsteer.models.sampler import Sampler
from mmsteer.pictures.kept import kept
from mmsteer.pictures.picture_features import PictureReader
from mmsteer.pixels import to_picture, to_pixels
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.recipes.start import Start
from mmsteer.steering.steered import Steered
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import Value, concept_of, index
from mmsteer.studies.measures.shares import mean_with_interval, share
from mmsteer.studies.report import save_strips, table
from mmsteer.world.captions import captions
from mmsteer.world.draws import random_scenes
from mmsteer.world.factors import DRAWN, INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.scene import SIZE, draw

FREEDOMS = (0.25, 0.5, 0.65, 0.75, 0.8, 0.85, 0.9, 1.0)
FEATURES = {"vision": ("warm light", "white frame", "vignette"), "cross": ("night", "desert", "penguin", "strawberry")}


class Own(NamedTuple):
    """Pictures of one's own with their truth."""

    values: np.ndarray
    """int64 [K, n_factors]"""
    prompts: list[str]
    pictures: list[Image.Image]


def study(seed: int, quick: bool, sheet: Path | None = None) -> dict[str, Any]:
    """Draw every scene again at every freedom, without and with each edit; print a row for each freedom.

    Args:
        seed: of scenes and noise.
        quick: three freedoms, two edits and 4 scenes instead of 24.
        sheet: where to draw a sheet of pictures.

    Returns:
        The figures, for JSON.
    """
    steerer, judge = Steerer.load("mini"), Judge.load(MINI / "judge")
    reader, own = PictureReader(steerer), scenes(seed, 4 if quick else 24)
    chosen = {kind: names[:1] if quick else names for kind, names in FEATURES.items()}
    freedoms = (0.5, 0.8, 1.0) if quick else FREEDOMS
    rows = [measure(steerer, judge, reader, own, chosen, freedom, seed) for freedom in freedoms]
    print(table(rows))
    if sheet:
        _sheet(steerer, own, sheet, seed)
    return {"freedoms": rows, "pictures": len(own.pictures), "features": chosen, "steps": steerer.sampler.steps}


def scenes(seed: int, count: int) -> Own:
    """Fresh scenes, drawn from their factors, with captions that say of each all that a caption can."""
    rng = np.random.default_rng((seed, 24))
    drawn = random_scenes(rng, count)
    mentioned = np.ones_like(drawn.mentioned)
    for name in ("opening", "mood", "closing"):
        mentioned[:, INDEX[name]] = False
    pictures = (draw(drawn.values, drawn.nuisance, SIZE) * 255).round().to(torch.uint8)
    return Own(drawn.values, captions(rng, drawn.values, mentioned), [to_picture(one) for one in pictures])


def measure(
    steerer: Steerer,
    judge: Judge,
    reader: PictureReader,
    own: Own,
    chosen: dict[str, tuple[str, ...]],
    freedom: float,
    seed: int,
) -> dict[str, Any]:
    """The row of a freedom."""
    names = [name for each in chosen.values() for name in each]
    drawn = {name: _drawn(steerer, own, [Edit(name)], freedom, seed) for name in names}
    pairs = drawn[names[0]]
    before = _read(judge, [pair.before for pair in pairs])
    given, again = reader.embed(own.pictures), reader.embed([pair.before for pair in pairs])
    factors = [INDEX[name] for name in DRAWN]
    row: dict[str, Any] = {
        "freedom": freedom,
        "steps": Start.of(own.pictures[0], SIZE, freedom).run(steerer.sampler.steps).drawn,
        "PSNR before": mean_with_interval([one.before for pair in pairs if (one := kept(pair))]),
        "CLIP before": mean_with_interval((given * again).sum(1).tolist()),
        "lost": share(int((before != own.values)[:, factors].sum()), len(before) * len(factors)),
    }
    for kind, each in chosen.items():
        afters = {name: _read(judge, [pair.after for pair in drawn[name]]) for name in each}
        measured = [one for name in each for pair in drawn[name] if (one := kept(pair))]
        values = {name: _value(steerer, name) for name in each}
        row |= {
            f"hit {kind}": share(*_sum(_hit(own, afters[name], values[name]) for name in each)),
            f"leak {kind}": share(*_sum(_leak(own, afters[name], values[name][0], factors) for name in each)),
            f"PSNR outside {kind}": mean_with_interval([one.outside for one in measured if one.outside is not None]),
            f"changed {kind}": mean_with_interval([one.changed for one in measured]),
        }
    return row


def _drawn(steerer: Steerer, own: Own, edits: list[Edit], freedom: float, seed: int) -> list[Steered]:
    """The pair of each picture, with the same noise whatever the edits and the freedom."""
    sampler = Sampler(steerer.sampler.steps, steerer.sampler.guidance)
    return [
        steerer.pair(
            Recipe(prompt, seed + k, sampler, tuple(edits), start=Start.of(picture, SIZE, freedom))
        ) for k, (prompt, picture) in enumerate(zip(own.prompts, own.pictures, strict=True))
    ]  # fmt: skip


def _read(judge: Judge, pictures: list[Image.Image]) -> np.ndarray:
    """What the judge reads, `int64 [K, n_factors]`."""
    return judge.read(_stacked(pictures))


def _stacked(pictures: list[Image.Image]) -> torch.Tensor:
    """`uint8 [K, 3, H, W]`."""
    return torch.stack([to_pixels(one) for one in pictures])


def _value(steerer: Steerer, name: str) -> Value:
    value = concept_of(steerer.bank.get(name))
    assert value is not None, "features of the study are named after factor values"
    return value


def _hit(own: Own, after: np.ndarray, value: Value) -> tuple[int, int]:
    """Pictures that show a value of those that do not have it, and these."""
    k = INDEX[value[0]]
    absent = own.values[:, k] != index(value)
    return int((absent & (after[:, k] == index(value))).sum()), int(absent.sum())


def _leak(own: Own, after: np.ndarray, factor: str, factors: list[int]) -> tuple[int, int]:
    """Other factors that are no longer shown, and all others. With another thing, man or woman goes too."""
    left = {INDEX[factor]} | ({INDEX["gender"]} if factor == "thing" else set())
    others = [k for k in factors if k not in left]
    return int((after != own.values)[:, others].sum()), len(after) * len(others)


def _sum(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    hits, trials = zip(*pairs, strict=True)
    return sum(hits), sum(trials)


def _sheet(steerer: Steerer, own: Own, path: Path, seed: int) -> None:
    """Draw the pictures on top; then, by freedom, *before* and two afters."""
    few = own._replace(values=own.values[:8], prompts=own.prompts[:8], pictures=own.pictures[:8])
    strips = [("the picture", _stacked(few.pictures))]
    for freedom in (0.5, 0.8, 0.9):
        for name in ("night", "warm light"):
            pairs = _drawn(steerer, few, [Edit(name)], freedom, seed)
            if name == "night":
                strips.append((f"before\n({freedom:g})", _stacked([pair.before for pair in pairs])))
            strips.append((f"{name}\n({freedom:g})", _stacked([pair.after for pair in pairs])))
    save_strips(strips, path)
