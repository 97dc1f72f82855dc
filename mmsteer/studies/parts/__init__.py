"""What is left of an edit that acts in part: on some rows of the text encoder, in late steps, or in a region of the picture.

By rows and by steps, `left` is the mean difference between the pictures before and after, over that of the same edit on all rows and
in all steps; means over prompts and features, each feature at strength 1. Because the text encoder is causal, each row also holds what
stands before it, and the rows past the prompt hold all of it. For a region, the right half: `inside`, as `left`, two cells within it;
`outside` in dB, the peak signal-to-noise ratio of after against before two cells beyond it (higher is more alike; 40 is hardly to be
seen); `hit` and `hit everywhere`, in how many pictures the judge reads the feature's value, with the region and without.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from mmsteer.bank.feature import Feature
from mmsteer.labelling.naming.known_names import known_value
from mmsteer.models.sampler import Sampler
from mmsteer.pictures.kept import psnr
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.region import SIDE, Region
from mmsteer.steering.prompt_state import PromptState
from mmsteer.steering.sampling import render
from mmsteer.steering.schedule import Schedule
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.means import Row
from mmsteer.studies.report import table
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.scheme import SCHEME

if TYPE_CHECKING:
    import torch

_THINGS = ("fox", "cat", "penguin", "rocket", "house", "owl")
_PLACES = ("meadow", "forest", "desert", "meadow", "forest", "desert")
_FEATURES = ("night", "snow", "small", "warm light")
_STARTS = (0.25, 0.5, 0.75)
_RIGHT = Region.box(0.5, 0, 1, 1)
_MARGIN = 2  # cells


def study(seed: int, quick: bool) -> dict[str, Any]:
    """Measure both embedded UNets, and print a table for rows, for steps and for the region.

    Args:
        seed: of the noise.
        quick: two features on three prompts.

    Returns:
        The figures, for JSON.
    """
    count, names = (3, _FEATURES[:2]) if quick else (len(_THINGS), _FEATURES)
    judge, rows, steps, regions = Judge.load(MINI / "judge"), [], [], []
    for name in ("mini", "ordinary"):
        steerer = Steerer.load(name)
        parts = _Parts(steerer, count, seed)
        features = [steerer.bank.get(feature) for feature in names]
        head: Row = {"UNet": name}
        rows += [head | row for row in parts.by_rows(features)]
        steps += [head | row for row in parts.by_steps(features)]
        regions += [head | parts.in_region(feature, judge) for feature in features]
        print(f"  {name}: done", flush=True)
    print("what is left on some rows alone\n" + table(rows))
    print("\nwhat is left in the last steps alone\n" + table(steps))
    print("\nin the right half of the picture\n" + table(regions))
    return {"rows": rows, "steps": steps, "regions": regions, "prompts": count, "features": list(names)}


class _Parts:
    """The prompts of one UNet, and *before*."""

    def __init__(self, steerer: Steerer, count: int, seed: int) -> None:
        self.steerer, self.sampler = steerer, steerer.sampler
        pairs = zip(_THINGS[:count], _PLACES, strict=False)
        self.words = [("a", "big", thing, "in", place) for thing, place in pairs]
        self.prompts = [f"a big {thing} in a {place}" for _, _, thing, _, place in self.words]
        self.seeds = [seed + k for k in range(count)]
        self.state: PromptState = steerer.read(self.prompts)
        self.before = self._drawn(steerer.schedule(self.state, ()))

    def by_rows(self, features: list[Feature]) -> list[Row]:
        """What is left on each kind of rows."""
        kinds = self._kinds()
        left: dict[str, list[float]] = {kind: [] for kind in kinds}
        for feature in features:
            schedule = self.steerer.schedule(self.state, [Edit(feature.id)])
            whole = self._change(self._drawn(schedule))
            for kind, mask in kinds.items():
                moves = [move._replace(dh=None if move.dh is None else move.dh * mask) for move in schedule.moves]
                left[kind].append(self._change(self._drawn(Schedule(schedule.prompt, moves, schedule.shift))) / whole)
        return [{"rows": kind, "left": float(np.mean(shares))} for kind, shares in left.items()]

    def by_steps(self, features: list[Feature]) -> list[Row]:
        """What is left from a fraction of the run on."""
        rows: list[Row] = []
        wholes = [self._change(self._steered(Edit(feature.id))) for feature in features]
        for start in _STARTS:
            late = [self._change(self._steered(Edit(feature.id, start=start))) for feature in features]
            rows.append({"from": start, "left": float(np.mean([a / b for a, b in zip(late, wholes, strict=True)]))})
        return rows

    def in_region(self, feature: Feature, judge: Judge) -> Row:
        """What happens within the region and beyond it."""
        schedule = self.steerer.schedule(self.state, [Edit(feature.id)])
        everywhere, within = self._drawn(schedule), self._drawn(schedule, _RIGHT)
        side = within.shape[-1]
        middle, margin = side // 2, _MARGIN * side // SIDE
        inside, outside = slice(middle + margin, None), slice(0, middle - margin)
        return {
            "feature": feature.name, "inside": self._change(within, inside) / self._change(everywhere, inside),
            "outside, dB": psnr(within[..., outside].numpy(), self.before[..., outside].numpy()),
            "hit": _hit(judge, within, feature), "hit everywhere": _hit(judge, everywhere, feature),
            "hit before": _hit(judge, self.before, feature),
        }  # fmt: skip

    def _kinds(self) -> "dict[str, torch.Tensor]":
        """By name, which rows, `[B, T, 1]` of 0 and 1."""
        import torch

        encoded = self.state.encoded
        masks = {}
        for number, kind in enumerate(("article", "size", "thing", "preposition", "place")):
            mask = torch.zeros(*encoded.hidden.shape[:2], 1)
            for prompt, words in enumerate(self.words):
                mask[prompt, list(encoded.rows(prompt, words[number]))] = 1
            masks[kind] = mask
        end = 1 - torch.stack(list(masks.values())).sum(0).clamp(max=1)
        end[:, list(encoded.starts)] = 0
        return masks | {"end of the prompt, and what follows": end}

    def _steered(self, edit: Edit) -> "torch.Tensor":
        return self._drawn(self.steerer.schedule(self.state, [edit]))

    def _drawn(self, schedule: Schedule, region: Region | None = None) -> "torch.Tensor":
        sampler: Sampler = self.sampler
        against = self.state.against.conditioning
        return render(self.steerer.backbone, schedule, against, self.seeds, sampler, lambda _: None, region).pictures

    def _change(self, after: "torch.Tensor", columns: slice = slice(None)) -> float:
        """The mean difference from *before*, of 255."""
        return float((after.float() - self.before.float())[..., columns].abs().mean())


def _hit(judge: Judge, pictures: "torch.Tensor", feature: Feature) -> float:
    """The share of the pictures in which the judge reads the value that a feature is named after."""
    value = known_value(feature.name, SCHEME)
    assert value is not None
    read = judge.read(pictures)[:, INDEX[value[0]]]
    return float(np.mean(read == FACTORS[INDEX[value[0]]].values.index(value[1])))
