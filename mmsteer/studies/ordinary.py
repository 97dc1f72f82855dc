"""What features do to a UNet that was not trained to be steered, through the words and through an image adapter.

`ordinary` was trained on captions alone, as real checkpoints are. With --steerable FOLDER it is compared with a UNet of the same
shape and as many training steps, half of them with edits (`world train teacher --small`). The routes:
  words            edits move the text encoder's states
  from a quarter   the same, from a quarter of the run on (vision-only features)
  guidance         words, and each step goes twice as far from the prediction for *before* to that for *after* (2301.12247)
  image            an adapter reads an image embedding beside the words: the prompt's own, moved by the edits; vision-only
                   features move the image embedding alone
Figures as in `study effects`, beside a mean difference of known pictures or captions, as long and with the same suppression.
--figure FILE.webp also draws pictures: vision-only features by words and by image.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmsteer.bank import Feature, FeatureBank
from mmsteer.models.backbone import Backbone
from mmsteer.recipes.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.effects import by_length, concepts
from mmsteer.studies.measures.cases import Value
from mmsteer.studies.measures.means import FEATURE, Row, filled, over
from mmsteer.studies.measures.methods import DIRECTIONS, WITH_SUPPRESSION
from mmsteer.studies.measures.shares import share
from mmsteer.studies.measures.steering_evaluation import Sizes, SteeringEvaluation
from mmsteer.studies.report import save_strips, table
from mmsteer.world.factors import INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

TARGETS = {"hit cross": 0.85, "hit vision": 0.80, "leak": 0.10}
FULL, QUICK = Sizes(12, 0, 6000, 1, 1, (0.05, 0.1, 0.25, 0.5, 1.0, 1.5)), Sizes(3, 0, 600, 1, 1, (0.5, 1.0))
_VISION = "vision"
_MEAN = DIRECTIONS["mean"].title
_PROMPTS = [
    "a big cat in the middle in a meadow", "a small penguin on the left in the snow", "a big rocket in the middle in the desert",
    "a big fish in the middle in the ocean", "a small house on the right at sunset", "a big fox in the middle in the forest",
]  # fmt: skip
_SHOWN = ("white frame", "warm light", "vignette")
_EVERY_THING = 7  # one in so many things and people is measured


def study(seed: int, quick: bool, sheet: Path | None = None, steerable: Path | None = None) -> dict[str, Any]:
    """Measure both UNets by every route; print means over each group of concepts.

    Args:
        seed: of prompts and noise.
        quick: measure one concept of each group, on few prompts.
        sheet: where to draw a sheet of pictures.
        steerable: the folder of a UNet to compare with; without it, only the ordinary one is measured.

    Returns:
        The figures, for JSON.
    """
    judge, sizes = Judge.load(MINI / "judge"), QUICK if quick else FULL
    before: list[Row] = []
    rows: list[Row] = []
    curves: list[Row] = []
    for title, route in [
        ("ordinary", "words"),
        ("ordinary", "image"),
        *([("steerable", "words")] if steerable else []),
    ]:
        steerer = _load(title, route, steerable)
        evaluation = SteeringEvaluation(steerer, judge, seed, sizes, ("feature", "mean"), brief=True)
        head = {"UNet": title, "route": route}
        groups = _groups(steerer, quick)
        vision_only = {_VISION: groups[_VISION]}
        before.append(head | _shown_before(evaluation))
        rows += [head | row for row in _measure(evaluation, groups)]
        curves += [head | row for row in _curve(evaluation, groups[_VISION])]
        print(f"  {title}, {route}: done", flush=True)
        if title == "ordinary" and route == "words":  # what else might help
            evaluation.start = 0.25
            rows += [head | {"route": "from a quarter"} | row for row in _measure(evaluation, vision_only)]
            evaluation.start, steerer.sampler = 0.0, replace(steerer.sampler, edit_guidance=2.0)
            rows += [head | {"route": "guidance"} | row for row in _measure(evaluation, vision_only)]
    print("of what prompts mention, before shows\n" + table(before))
    print("\n" + table(filled(rows)))
    print("\nvision-only features by the length of their push\n" + table(curves))
    if sheet:
        _sheet(sheet)
    return {"before": before, "rows": rows, "curves": curves, "targets": TARGETS, "sizes": sizes._asdict()}


def _load(title: str, route: str, steerable: Path | None) -> Steerer:
    """One of the UNets, with the embedded CLIP, autoencoder and bank."""
    if title == "ordinary" or steerable is None:
        return Steerer.load("ordinary-image" if route == "image" else "ordinary")
    from mmsteer.world.models.parts import read_unet

    backbone = Backbone.load("ordinary")
    backbone.pipeline.unet = read_unet(steerable).eval().requires_grad_(False)
    return Steerer(backbone, FeatureBank.load(MINI.parent / "banks" / "mini"))


def _groups(steerer: Steerer, quick: bool) -> dict[str, dict[Value, Feature]]:
    """Group -> concepts with their first feature: one in seven things and people, all others."""
    first = {value: features[0] for value, features in concepts(steerer, 1).items()}
    things = [value for value, f in first.items() if f.modality == "cross" and value[0] in ("thing", "gender")]
    groups = {
        "cross: place, position, size": {v: f for v, f in first.items() if f.modality == "cross" and v not in things},
        "cross: things, people": {v: first[v] for v in things[::_EVERY_THING]},
        _VISION: {v: f for v, f in first.items() if f.modality == "vision"},
    }
    return {group: dict(list(chosen.items())[: 1 if quick else None]) for group, chosen in groups.items()}


def _measure(evaluation: SteeringEvaluation, groups: dict[str, dict[Value, Feature]]) -> list[Row]:
    rows = []
    for group, chosen in groups.items():
        figures: dict[str, list[float]] = {}
        for value, feature in chosen.items():
            added, removed = evaluation.added(feature, value, words=False), evaluation.removed(feature, value)
            for head, method in (("", FEATURE), ("mean difference: ", _MEAN)):
                with_suppression = added.get(method + WITH_SUPPRESSION, added.get(method, {}))
                for key, one in (with_suppression | removed[method]).items():
                    if one.trials:
                        figures.setdefault(f"{head}{key}", []).append(one.value)
        means = {key: over(values) for key, values in figures.items()}
        keys = ("hit", "leak", "gone", "mean difference: hit", "mean difference: leak", "mean difference: gone")
        rows.append({"concepts": group, "count": len(chosen)} | {key: means.get(key) for key in keys})
    return rows


def _curve(evaluation: SteeringEvaluation, chosen: dict[Value, Feature]) -> list[Row]:
    rows = by_length(evaluation, {value: [feature] for value, feature in chosen.items()})
    return [{key: row[key] for key in ("length", "hit", "leak")} for row in rows if row["method"] == FEATURE]


def _shown_before(evaluation: SteeringEvaluation) -> Row:
    """How much of its prompts the UNet draws at all: where that is low, no feature can add anything."""
    shown: Row = {}
    cases = evaluation.cases
    for name in ("thing", "place", "position", "size"):
        k = INDEX[name]
        right = cases.mentioned[:, k] & (cases.before[:, k] == cases.values[:, k])
        shown[name] = share(int(right.sum()), int(cases.mentioned[:, k].sum()))
    return shown


def _sheet(path: Path) -> None:
    """Draw the ordinary UNet's pictures, one prompt a column: *before*, then vision-only features, by words and by image."""
    seeds = list(range(len(_PROMPTS)))
    strips: list[tuple[str, Any]] = []
    for name, route in (("ordinary", "words"), ("ordinary-image", "image")):
        steerer = Steerer.load(name)
        for feature in (None, *_SHOWN):
            edits = [] if feature is None else [Edit(feature)]
            title = f"before,\n{route}" if feature is None else f"{feature},\n{route}"
            strips.append((title, steerer.render_many(_PROMPTS, edits, seeds)))
    save_strips(strips, path)
