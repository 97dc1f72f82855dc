"""What each named feature does to pictures, read off by the judge on fresh prompts and seeds.

For every feature whose name is a factor value, at strength 1 and the default sampler:
  hit      of pictures that did not show the value, the share that shows it once the feature is added
  leak     of the other factors that the prompt fixed and *before* showed, the share that *after* no longer shows
  removal  of pictures that showed the value, the share that no longer does once it is removed
  change   (language-only features) the share of pictures in which the judge reads any factor differently; beside it the
           same for a push as long in a random direction. Of more prompts: which pictures tip over depends on the prompt
           and noise far more than on the feature, so features that share few prompts are few cases
Beside it, on the same prompts and noise: the same intent by prompt words, and by a mean-difference direction (mean
embedding of texts, or of pictures for vision-only features, with the value minus without).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.bank import Feature
from mmsteer.build.embed import load_clip
from mmsteer.build.label import known_value
from mmsteer.diffuse import render
from mmsteer.edit import Edit
from mmsteer.plan import Move, Plan
from mmsteer.prompt import encode
from mmsteer.steer import Steerer
from mmsteer.studies.report import Share, share, table
from mmsteer.world.assemble import MINI
from mmsteer.world.captions import caption_word, captions
from mmsteer.world.clip import tokens
from mmsteer.world.draws import READ
from mmsteer.world.factors import DRAWN, FACTORS, INDEX, THINGS, draw_factors
from mmsteer.world.judge import Judge
from mmsteer.world.pairs import WorldPairs

TARGETS = {"hit cross": 0.95, "hit vision": 0.95, "leak": 0.03, "removal": 0.90, "change language": 0.02}
_BATCH = 24
_SHOWN = ("night", "panda", "warm light", "white frame", "please draw")


class Cases(NamedTuple):
    """Prompts with what they fix, the noise, and *before* as the judge reads it."""

    prompts: list[str]
    values: np.ndarray
    """[B, n_factors]"""
    told: np.ndarray
    """bool [B, n_factors]"""
    seeds: list[int]
    before: np.ndarray
    """[B, n_factors], -1 for language factors"""


def intent(feature: Feature) -> tuple[str, str] | None:
    """The factor value a feature is named after, its number left out; None for other names."""
    return known_value(feature.name) if feature.named_by == "truth" else None


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Measure every named feature; print a row each, then the means the targets speak of."""
    steerer, judge = Steerer.load("mini"), Judge.load(MINI / "judge")
    known = [(f, i) for f in steerer.bank.features if (i := intent(f)) is not None]
    if quick:  # an even sample of each modality
        groups = [[pair for pair in known if pair[0].modality == m] for m in ("vision", "cross", "language")]
        known = [pair for group in groups for pair in group[:: max(1, len(group) // 2)][:2]]
    count, more = (12, 24) if quick else (20, 100)
    cases, many = (_cases(steerer, judge, seed, n, None) for n in (count, more))
    means = _mean_directions(steerer, seed, 600 if quick else 6000)
    rows = []
    for feature, (factor, value) in known:
        shown = cases if factor in DRAWN else many
        row = _measure(steerer, judge, shown, feature, factor, value, seed, count, means)
        rows.append(row)
        print(f"  {len(rows)}/{len(known)} {feature.name}", end="\r", flush=True)
    print(table([{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]))
    summary = _summary(rows)
    print("\n" + table(summary))
    if figure:
        _figure(steerer, figure)
    return {
        "features": rows,
        "summary": summary,
        "targets": TARGETS,
        "prompts": count,
        "prompts language": more,
    }


def _cases(steerer: Steerer, judge: Judge, seed: int, count: int, fixed: tuple[str, str] | None) -> Cases:
    """Fresh prompts; with `fixed`, each of them tells that factor value."""
    rng = np.random.default_rng((seed, 11) if fixed is None else (seed, 12, INDEX[fixed[0]], _index(*fixed)))
    values, told = draw_factors(rng, count)
    told[:, INDEX["thing"]] = True
    if fixed is not None and fixed[0] in ("thing", "gender", "place", "position", "size"):
        factor, value = fixed
        if factor == "gender":
            values[:, INDEX["thing"]] = rng.integers(len(THINGS), len(FACTORS[INDEX["thing"]].values), count)
        values[:, INDEX[factor]] = _index(factor, value)
        told[:, INDEX[factor]] = True
    person = values[:, INDEX["thing"]] >= len(THINGS)
    gender = INDEX["gender"]
    told[:, gender] &= person
    values[:, gender] = np.where(
        person, np.where(values[:, gender] == 0, rng.integers(1, 3, count), values[:, gender]), 0
    )
    prompts = captions(rng, values, told)
    seeds = [int(s) for s in rng.integers(0, 2**31, count)]
    pictures = _draw(seeds, lambda part: steerer.render_many(prompts[part], (), seeds[part]))
    return Cases(prompts, values, told, seeds, judge.read(pictures))


def _draw(seeds: list[int], some: Callable[[slice], torch.Tensor]) -> torch.Tensor:
    return torch.cat([some(slice(i, i + _BATCH)) for i in range(0, len(seeds), _BATCH)])


def _index(factor: str, value: str) -> int:
    return FACTORS[INDEX[factor]].values.index(value)


def _measure(
    steerer: Steerer, judge: Judge, cases: Cases, feature: Feature, factor: str, value: str, seed: int, count: int,
    means: dict[tuple[str, str], torch.Tensor],
) -> dict[str, Any]:  # fmt: skip
    """One feature's row. Keys that begin with _ are counts for the summary."""
    add = [Edit(feature.id)]
    after = judge.read(
        _draw(cases.seeds, lambda part: steerer.render_many(cases.prompts[part], add, cases.seeds[part]))
    )
    row: dict[str, Any] = {
        "feature": feature.name,
        "modality": feature.modality,
        "truth": FACTORS[INDEX[factor]].modality,
    }
    if factor not in DRAWN:
        chance = torch.randn(len(steerer.joint.inverse), generator=torch.Generator().manual_seed(feature.id))
        own = steerer.bank.bridge[f"effect_{feature.side}"][feature.latent] * feature.unit
        push = chance / chance.norm() * own.norm()
        pushed = judge.read(
            _draw(cases.seeds, lambda part: _along(steerer, cases.prompts[part], push, cases.seeds[part]))
        )
        none: Share = share(0, 0)
        return row | {
            "hit": none, "leak": none, "removal": none, "change": _change(cases, after),
            "change at random": _change(cases, pushed), "hit by words": none, "leak by words": none,
            "hit by mean": none, "leak by mean": none,
        }  # fmt: skip
    words = [f"{prompt} {caption_word(factor, value)}" for prompt in cases.prompts]
    by_words = judge.read(_draw(cases.seeds, lambda part: steerer.render_many(words[part], (), cases.seeds[part])))
    direction = means[factor, value]
    by_mean = judge.read(
        _draw(cases.seeds, lambda part: _along(steerer, cases.prompts[part], direction, cases.seeds[part]))
    )
    has = cases
    if FACTORS[INDEX[factor]].modality == "cross":
        has = _cases(steerer, judge, seed, max(8, count // 2), (factor, value))
    remove = [Edit(feature.id, "remove")]
    without = judge.read(_draw(has.seeds, lambda part: steerer.render_many(has.prompts[part], remove, has.seeds[part])))
    k, v = INDEX[factor], _index(factor, value)
    showed = has.before[:, k] == v
    return row | {
        "hit": _hit(cases, after, factor, value), "leak": _leak(cases, after, factor),
        "removal": share(int((showed & (without[:, k] != v)).sum()), int(showed.sum())), "change": share(0, 0),
        "change at random": share(0, 0),
        "hit by words": _hit(cases, by_words, factor, value), "leak by words": _leak(cases, by_words, factor),
        "hit by mean": _hit(cases, by_mean, factor, value), "leak by mean": _leak(cases, by_mean, factor),
    }  # fmt: skip


def _change(cases: Cases, after: np.ndarray) -> Share:
    changed = (after != cases.before)[:, [INDEX[name] for name in DRAWN]].any(1)
    return share(int(changed.sum()), len(changed))


def _hit(cases: Cases, after: np.ndarray, factor: str, value: str) -> Share:
    k, v = INDEX[factor], _index(factor, value)
    absent = cases.before[:, k] != v
    if factor == "gender":  # only people can be a man or a woman
        absent &= cases.values[:, INDEX["thing"]] >= len(THINGS)
    return share(int((absent & (after[:, k] == v)).sum()), int(absent.sum()))


def _leak(cases: Cases, after: np.ndarray, factor: str) -> Share:
    fixed = cases.told & (cases.before == cases.values)
    fixed[:, INDEX[factor]] = False
    if factor == "thing":  # with another thing, man or woman goes too
        fixed[:, INDEX["gender"]] = False
    return share(int((fixed & (after != cases.values)).sum()), int(fixed.sum()))


def _along(steerer: Steerer, prompts: list[str], direction: torch.Tensor, seeds: list[int]) -> torch.Tensor:
    """Pictures with a joint-space direction added as it is, by the same lift as a feature's."""
    encoded = encode(steerer.backbone, prompts)
    x, norm = steerer.joint.project(encoded.last)
    dh = steerer.joint.lift(direction.expand_as(x), norm)[:, None].repeat(1, encoded.hidden.shape[1], 1)
    dh[:, 0] = 0
    plan = Plan(encoded.conditioning, [Move(0.0, 1.0, dh)], direction.expand_as(x))
    return render(steerer.backbone, plan.at, steerer.empty, seeds, steerer.sampler).pictures


def _mean_directions(steerer: Steerer, seed: int, count: int) -> dict[tuple[str, str], torch.Tensor]:
    """Per factor value, mean embedding with minus without: of captions for cross factors, of pictures for vision ones."""
    clip, tokenizer = load_clip(MINI / "clip")
    batch = next(iter(WorldPairs(seed + 1, count, READ).batches(count)))
    with torch.no_grad():
        text = F.normalize(clip.get_text_features(tokens(tokenizer, batch.captions)).pooler_output, dim=-1)
        parts = [clip.get_image_features(p.float() / 127.5 - 1).pooler_output for p in batch.pictures.split(128)]
    image = F.normalize(torch.cat(parts), dim=-1)
    found = {}
    for k, factor in enumerate(FACTORS):
        if factor.modality == "language":
            continue
        for v, value in enumerate(factor.values):
            has = torch.from_numpy(batch.factors[:, k] == v)
            told = torch.from_numpy(batch.mentioned[:, k])
            with_it, x = (has, image) if factor.modality == "vision" else (has & told, text)
            found[factor.name, value] = x[with_it].mean(0) - x[~with_it].mean(0)
    return found


def _summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pooled shares per modality, the ones the targets speak of."""

    def pooled(some: list[dict[str, Any]], key: str) -> Share:
        shares = [row[key] for row in some if row[key].trials]
        return share(round(sum(s.value * s.trials for s in shares)), sum(s.trials for s in shares))

    keys = (
        "hit",
        "leak",
        "removal",
        "change",
        "change at random",
        "hit by words",
        "leak by words",
        "hit by mean",
        "leak by mean",
    )
    groups = {m: [row for row in rows if row["modality"] == m] for m in ("cross", "vision", "language")}
    return [
        {"features": m, "count": len(some)} | {key: pooled(some, key) for key in keys} for m, some in groups.items()
    ]


def _figure(steerer: Steerer, path: Path) -> None:
    """A sheet: one prompt a column, *before* on top, then one feature a row, some of each modality."""
    from PIL import Image, ImageDraw, ImageFont

    prompts = [  # all say where: else there may be two
        "a big cat in the middle in a meadow", "a small car on the left on the beach", "a big penguin in the middle in the snow",
        "a rocket on the right in the desert", "a big fox in the middle in the forest", "a big strawberry on the left at sunset",
    ]  # fmt: skip
    seeds = list(range(len(prompts)))
    chosen = [f for name in _SHOWN for f in steerer.bank.features if f.name == name]
    strips = [steerer.render_many(prompts, [Edit(f.id)] if f else (), seeds) for f in (None, *chosen)]
    side = strips[0].shape[-1]
    left = int(0.9 * side)
    sheet = Image.new("RGB", (left + side * len(prompts), side * len(strips)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(side / 8)
    for row, (strip, feature) in enumerate(zip(strips, (None, *chosen), strict=True)):
        told = "before" if feature is None else f"{feature.name}\n({feature.modality})"
        pen.multiline_text((side // 12, side * row + side // 2), told, "black", font, anchor="lm")
        for column, picture in enumerate(strip):
            sheet.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (left + side * column, side * row))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=90)
