"""What is left of an edit that acts in part: on some rows of the text encoder, in late steps, or in a region of the picture.

Every part of an edit, the whole edit and *before* are drawn from the same prompts and noise, on both embedded UNets, each feature
at strength 1. All rows are moved by the same vector: what is left on one row is beside what the same vector does on all.
  left     the mean difference between before and after, over that of the whole edit: the ratio of the sums over prompts, its mean
           over features. Above 1, a part changes more than the whole
  hit      of the pictures without the feature's value, the share that the judge reads it in
For the region, the right half of the picture, by feature:
  inside   as left, of the pixels two cells within the region and further in
  outside  in dB, the peak signal-to-noise ratio of after against before, two cells beyond the region and further out (higher is more
           alike; 40 is hardly to be seen); beside it that of the edit everywhere, in the same pixels
Intervals are 95 %: of a hit by Wilson, else by bootstrap over prompts. Parts do not add up to the whole.

Because the text encoder is causal, each row also holds what stands before it, and the rows past the prompt hold all of it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.means import Row
from mmsteer.studies.measures.shares import Share, mean_with_interval, ratio_with_interval, share
from mmsteer.studies.parts.drawing import (
    REGION,
    ROWS,
    STARTS,
    WHOLE,
    Measured,
    Scene,
    from_start,
    measure,
    pictures,
    row_masks,
    scenes,
)
from mmsteer.studies.report import save_strips, table
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

UNETS = ("mini", "ordinary")
_SHOWN = {WHOLE: "everywhere", "thing": "the thing's\nword alone", "end of text": "end of text\nalone",
          from_start(0.5): "from half\nof the run", REGION: "right half"}  # fmt: skip
_COLUMNS = 6
FEATURES = ("night", "snow", "small", "penguin", "warm light", "white frame")


def study(seed: int, quick: bool, sheet: Path | None = None) -> dict[str, Any]:
    """Measure both embedded UNets, and print a table for rows, for steps and for the region.

    Args:
        seed: of prompts and noise.
        quick: two features on 3 prompts instead of six on 24.
        sheet: where to draw a sheet of pictures.

    Returns:
        The figures, for JSON.
    """
    judge, names = Judge.load(MINI / "judge"), list(FEATURES[:2] if quick else FEATURES)
    each = scenes(seed, 3 if quick else 24, names)
    steerers = {name: Steerer.load(name) for name in UNETS}
    rows, steps, regions = [], [], []
    for name, steerer in steerers.items():
        measured = measure(steerer, judge, each, [steerer.bank.get(feature) for feature in names])
        masks = row_masks(steerer.read([each[0].prompt]).encoded, each[:1])
        rows += [{"UNet": name, "on": kind, "rows": int(masks[kind].sum())} | left(measured, kind) for kind in ROWS]
        parts = {0.0: WHOLE} | {start: from_start(start) for start in STARTS}
        steps += [{"UNet": name, "from": start} | left(measured, part) for start, part in parts.items()]
        regions += [{"UNet": name, "feature": feature} | in_region(measured, k) for k, feature in enumerate(names)]
        print(f"  {name}: done", flush=True)
    print("what is left on some rows alone\n" + table(rows))
    print("\nwhat is left in the last steps alone\n" + table(steps))
    print("\nin the right half of the picture\n" + table(regions))
    if sheet:
        _sheet(steerers, each[:_COLUMNS], sheet)
    return {"rows": rows, "steps": steps, "regions": regions, "prompts": len(each), "features": names}


def left(measured: dict[str, Measured], part: str) -> Row:
    """What is left of the whole edit in a part, and in how many pictures it shows."""
    return {
        "left": ratio_with_interval(measured[part].change, measured[WHOLE].change),
        "hit": _hit(measured[part].new),
    }


def in_region(measured: dict[str, Measured], feature: int) -> Row:
    """What a feature, by its row, does within the region and beyond it."""
    one = slice(feature, feature + 1)
    within, everywhere = measured[REGION], measured[WHOLE]
    return {
        "inside": ratio_with_interval(within.inside[one], everywhere.inside[one]),
        "outside, dB": mean_with_interval(within.outside[feature].tolist()),
        "outside everywhere, dB": mean_with_interval(everywhere.outside[feature].tolist()),
        "hit": _hit(within.new[one]), "hit everywhere": _hit(everywhere.new[one]),
    }  # fmt: skip


def _hit(new: np.ndarray) -> Share:
    return share(int(np.nansum(new)), int(np.isfinite(new).sum()))


def _sheet(steerers: dict[str, Steerer], each: list[Scene], path: Path) -> None:
    """Draw one prompt a column: of each UNet *before*, then the first feature in whole and in parts."""
    strips, feature = [], FEATURES[0]
    for name, steerer in steerers.items():
        drawn = pictures(steerer, each, steerer.bank.get(feature))
        strips.append((f"before,\n{name}", drawn["before"]))
        strips += [(f"{feature},\n{title}", drawn[part]) for part, title in _SHOWN.items()]
    save_strips(strips, path)
