"""What features do to a UNet that was not trained to be steered, through the words and through an image adapter.

`ordinary` was trained on captions alone, as real checkpoints are. Beside it, with --steerable FOLDER, a UNet of the same shape
and as many training steps, half of them with edits (`world train teacher --small`). Each by several routes:
  words            edits move the text encoder's states
  from a quarter   the same, from a quarter of the run on (vision-only features)
  guidance         words, and each step goes twice as far from the prediction for *before* to that for *after* (2301.12247)
  image            an adapter reads an image embedding beside the words: the prompt's own, moved by the edits; vision-only
                   features move that alone
Figures as in `study effects`, beside a mean difference of known pictures or captions, as long, with the same suppression.
--figure FILE.webp draws vision-only features by words and by image, and beside it FILE.png the figures.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmsteer.bank import Feature, FeatureBank
from mmsteer.models.backbone import Backbone
from mmsteer.steering.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.cases import Value
from mmsteer.studies.effects import Sizes, Study, by_length, concepts
from mmsteer.studies.means import FEATURE, WITH, Row, filled, over
from mmsteer.studies.methods import DIRECTIONS
from mmsteer.studies.report import save_strips, share, table
from mmsteer.world.factors import INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

TARGETS = {"hit cross": 0.85, "hit vision": 0.80, "leak": 0.10}
FULL, QUICK = Sizes(12, 0, 6000, 1, 1, (0.05, 0.1, 0.25, 0.5, 1.0, 1.5)), Sizes(3, 0, 600, 1, 1, (0.5, 1.0))
_VISION = "vision"
_MEAN = DIRECTIONS["mean"].title
_COLOURS = {
    ("ordinary", "words"): "#c44536", ("ordinary", "from a quarter"): "#e39a8f", ("ordinary", "guidance"): "#f1ccc6",
    ("ordinary", "image"): "#0b6e4f", ("steerable", "words"): "#888888",
}  # fmt: skip
_PROMPTS = [
    "a big cat in the middle in a meadow", "a small penguin on the left in the snow", "a big rocket in the middle in the desert",
    "a big fish in the middle in the ocean", "a small house on the right at sunset", "a big fox in the middle in the forest",
]  # fmt: skip
_SHOWN = ("white frame", "warm light", "vignette")
_EVERY_THING = 7  # one in so many things and people is measured


def study(seed: int, quick: bool, figure: Path | None, steerable: Path | None = None) -> dict[str, Any]:
    """Measure both UNets by every route; print means a group of concepts."""
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
        run = Study(steerer, judge, seed, sizes, ("feature", "mean"), brief=True)
        head = {"UNet": title, "route": route}
        some = _some(steerer, quick)
        before.append(head | _shows(run))
        rows += [head | row for row in _measure(run, some)]
        curves += [head | row for row in _curve(run, some[_VISION])]
        print(f"  {title}, {route}: done", flush=True)
        if title == "ordinary" and route == "words":  # what else might help
            run.start = 0.25
            rows += [head | {"route": "from a quarter"} | row for row in _measure(run, {_VISION: some[_VISION]})]
            run.start, steerer.sampler = 0.0, replace(steerer.sampler, edit_guidance=2.0)
            rows += [head | {"route": "guidance"} | row for row in _measure(run, {_VISION: some[_VISION]})]
    print("of what prompts say, before shows\n" + table(before))
    print("\n" + table(filled(rows)))
    print("\nvision-only features by the length of their push\n" + table(curves))
    if figure:
        _sheet(figure)
        _bars(rows, figure.with_suffix(".png"))
    return {"before": before, "rows": rows, "curves": curves, "targets": TARGETS, "sizes": sizes._asdict()}


def _load(title: str, route: str, steerable: Path | None) -> Steerer:
    """One of the UNets, beside the embedded CLIP, autoencoder and bank."""
    if title == "ordinary" or steerable is None:
        return Steerer.load("ordinary-image" if route == "image" else "ordinary")
    from mmsteer.world.models.parts import read_unet

    backbone = Backbone.load("ordinary")
    backbone.pipeline.unet = read_unet(steerable).eval().requires_grad_(False)
    return Steerer(backbone, FeatureBank.load(MINI.parent / "banks" / "mini"))


def _some(steerer: Steerer, quick: bool) -> dict[str, dict[Value, Feature]]:
    """Group -> concepts with their first feature: of things and people one in seven, of all others each."""
    first = {value: features[0] for value, features in concepts(steerer, 1).items()}
    things = [value for value, f in first.items() if f.modality == "cross" and value[0] in ("thing", "gender")]
    groups = {
        "cross: place, position, size": {v: f for v, f in first.items() if f.modality == "cross" and v not in things},
        "cross: things, people": {v: first[v] for v in things[::_EVERY_THING]},
        _VISION: {v: f for v, f in first.items() if f.modality == "vision"},
    }
    return {group: dict(list(some.items())[: 1 if quick else None]) for group, some in groups.items()}


def _measure(run: Study, groups: dict[str, dict[Value, Feature]]) -> list[Row]:
    rows = []
    for group, some in groups.items():
        figures: dict[str, list[float]] = {}
        for value, feature in some.items():
            added, taken = run.added(feature, value, words=False), run.removed(feature, value)
            for head, way in (("", FEATURE), ("mean difference: ", _MEAN)):
                for key, one in (added.get(way + WITH, added.get(way, {})) | taken[way]).items():
                    if one.trials:
                        figures.setdefault(f"{head}{key}", []).append(one.value)
        means = {key: over(values) for key, values in figures.items()}
        keys = ("hit", "leak", "gone", "mean difference: hit", "mean difference: leak", "mean difference: gone")
        rows.append({"concepts": group, "count": len(some)} | {key: means.get(key) for key in keys})
    return rows


def _curve(run: Study, some: dict[Value, Feature]) -> list[Row]:
    rows = by_length(run, {value: [feature] for value, feature in some.items()})
    return [{key: row[key] for key in ("length", "hit", "leak")} for row in rows if row["method"] == FEATURE]


def _shows(run: Study) -> Row:
    """How much of its prompts the UNet draws at all: where that is low, no feature can add."""
    shown: Row = {}
    for name in ("thing", "place", "position", "size"):
        k = INDEX[name]
        right = run.cases.told[:, k] & (run.cases.before[:, k] == run.cases.values[:, k])
        shown[name] = share(int(right.sum()), int(run.cases.told[:, k].sum()))
    return shown


def _bars(rows: list[Row], path: Path) -> None:
    """Hit and leak of each group of concepts by UNet and route, with the targets as lines."""
    from matplotlib.figure import Figure

    sheet = Figure((11, 4), layout="constrained")
    panels = sheet.subplots(1, 2, sharey=True)
    groups = list(dict.fromkeys(row["concepts"] for row in rows))
    ways = list(dict.fromkeys((row["UNet"], row["route"]) for row in rows))
    for axes, key in zip(panels, ("hit", "leak"), strict=True):
        for k, way in enumerate(ways):
            some = [row for row in rows if (row["UNet"], row["route"]) == way]
            at = [groups.index(row["concepts"]) + (k - (len(ways) - 1) / 2) * 0.8 / len(ways) for row in some]
            axes.bar(at, [row[key].value for row in some], 0.8 / len(ways), label=", ".join(way), color=_COLOURS[way])
            for x, row in zip(at, some, strict=True):
                axes.vlines(x, row[key].low, row[key].high, "black", lw=1)
        lines = {"hit": (TARGETS["hit cross"], TARGETS["hit vision"]), "leak": (TARGETS["leak"],)}[key]
        for line in lines:
            axes.axhline(line, color="#888888", lw=0.8, dashes=(5, 5))
        axes.set(title=key, ylim=(0, 1.03), xticks=range(len(groups)))
        axes.set_xticklabels([group.replace(": ", ":\n") for group in groups])
        axes.spines[["top", "right"]].set_visible(False)
    sheet.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)


def _sheet(path: Path) -> None:
    """The ordinary UNet's pictures: one prompt a column; *before*, then vision-only features by words and by image."""
    seeds = list(range(len(_PROMPTS)))
    strips: list[tuple[str, Any]] = []
    for name, route in (("ordinary", "words"), ("ordinary-image", "image")):
        steerer = Steerer.load(name)
        for feature in (None, *_SHOWN):
            edits = [] if feature is None else [Edit(feature)]
            title = f"before,\n{route}" if feature is None else f"{feature},\n{route}"
            strips.append((title, steerer.render_many(_PROMPTS, edits, seeds)))
    save_strips(strips, path)
