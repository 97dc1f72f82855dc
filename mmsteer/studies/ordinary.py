"""What features do to a UNet that was not trained to be steered, through the words and through an image adapter.

`ordinary` was trained on captions alone, as real checkpoints are. Beside it, with --steerable FOLDER, a UNet of the same shape
and as many training steps, half of them with edits (`world train teacher --small`). Each by several routes:
  words            edits move the text encoder's states
  from a quarter   the same, from a quarter of the run on
  guidance         words, and each step goes twice as far from the prediction for *before* to that for *after* (2301.12247)
  image            an adapter reads an image embedding beside the words: the prompt's own, moved by the edits; vision-only
                   features move that alone
Figures as in `study effects`, beside a mean difference of known pictures or captions, as long, with the same suppression.
--figure FILE.webp draws vision-only features by words and by image, and beside it FILE.png the figures.
"""

from pathlib import Path
from typing import Any

from mmsteer.backbone import Backbone
from mmsteer.bank import Feature, FeatureBank
from mmsteer.edit import Edit
from mmsteer.recipe import Sampler
from mmsteer.steer import Steerer
from mmsteer.studies.cases import Value
from mmsteer.studies.effects import Sizes, Study, concepts
from mmsteer.studies.means import FEATURE, SHIPPED, WITH, Row, filled, over
from mmsteer.studies.methods import DIRECTIONS
from mmsteer.studies.report import save_strips, share, table
from mmsteer.world.assemble import MINI
from mmsteer.world.factors import INDEX
from mmsteer.world.judge import Judge

TARGETS = {"hit cross": 0.85, "hit vision": 0.80, "leak": 0.10}
FULL, QUICK = Sizes(14, 0, 6000, 1, 1), Sizes(4, 0, 600, 1, 1)
LENGTHS = (0.25, 0.5, 1.0, 1.5, 2.0)
"""Of the push of vision-only features, in lengths of their own at strength 1."""
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
    rows: list[Row] = []
    curves: list[Row] = []
    told: dict[str, Any] = {}
    for name in ("ordinary", "ordinary-image", *([str(steerable)] if steerable else [])):
        steerer = _load(name, steerable)
        run = Study(steerer, judge, seed, sizes, ("feature", "mean"))
        title = "steerable" if steerable and name == str(steerable) else "ordinary"
        told[f"{title}, {'image' if steerer.reads_image else 'words'}: before shows the prompt"] = _shows(run)
        some = _some(steerer, quick)
        own = {"image": (0.0, 1.0)} if steerer.reads_image else {"words": (0.0, 1.0)}
        if name == "ordinary":
            own |= {"from a quarter": (0.25, 1.0), "guidance": (0.0, 2.0)}
        for route, (start, towards) in own.items():
            run.start = start
            steerer.sampler = Sampler(steerer.backbone.steps, steerer.backbone.guidance, towards)
            rows += [{"UNet": title, "route": route} | row for row in _measure(run, some)]
            print(f"  {title}, {route}: done", flush=True)
        run.start, steerer.sampler = 0.0, Sampler(steerer.backbone.steps, steerer.backbone.guidance)
        curves += [{"UNet": title, "route": next(iter(own))} | row for row in _curve(run, some)]
    print(table([{"UNet": key, **value} for key, value in told.items()]))
    print("\n" + table(filled(rows)))
    print("\nvision-only features by the length of their push\n" + table(curves))
    if figure:
        _sheet(figure)
        _bars(rows, figure.with_suffix(".png"))
    return {"before": told, "rows": rows, "curves": curves, "targets": TARGETS, "sizes": sizes._asdict()}


def _load(name: str, steerable: Path | None) -> Steerer:
    """One of the UNets, beside the embedded CLIP, autoencoder and bank."""
    if steerable is None or name != str(steerable):
        return Steerer.load(name)
    import torch

    from mmsteer.world.parts import read_unet

    backbone = Backbone.load("ordinary")
    backbone.pipeline.unet = read_unet(steerable).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return Steerer(backbone, FeatureBank.load(MINI.parent / "banks" / "mini"))


def _some(steerer: Steerer, quick: bool) -> dict[str, dict[Value, list[Feature]]]:
    """Group -> concepts with their first feature: of things and people one in seven, of all others each."""
    found = {value: features[:1] for value, features in concepts(steerer, 1).items()}
    cross = {value: f for value, f in found.items() if f[0].modality == "cross"}
    things = [value for value in cross if value[0] in ("thing", "gender")]
    groups = {
        "cross: place, position, size": {v: f for v, f in cross.items() if v not in things},
        "cross: things, people": {v: cross[v] for v in things[::_EVERY_THING]},
        "vision": {v: f for v, f in found.items() if f[0].modality == "vision"},
    }
    return {group: dict(list(some.items())[: 2 if quick else None]) for group, some in groups.items()}


def _measure(run: Study, groups: dict[str, dict[Value, list[Feature]]]) -> list[Row]:
    rows = []
    for group, some in groups.items():
        figures: dict[str, list[float]] = {}
        for value, (feature,) in some.items():
            added, taken = run.added(feature, value, words=False), run.removed(feature, value)
            ways = {"": (SHIPPED, FEATURE), "mean difference: ": (_MEAN + WITH, _MEAN)}
            for head, (best, plain) in ways.items():
                for key, one in (added.get(best, added[plain]) | taken[plain]).items():
                    if one.trials:
                        figures.setdefault(f"{head}{key}", []).append(one.value)
        means = {key: over(values) for key, values in figures.items()}
        keys = (
            "hit",
            "leak",
            "gone",
            "kept others",
            "mean difference: hit",
            "mean difference: leak",
            "mean difference: gone",
        )
        rows.append({"concepts": group, "count": len(some)} | {key: means.get(key) for key in keys})
    return rows


def _curve(run: Study, groups: dict[str, dict[Value, list[Feature]]]) -> list[Row]:
    rows = []
    for length in LENGTHS:
        each = [
            run.added(feature, value, length, words=False)[FEATURE] for value, (feature,) in groups["vision"].items()
        ]
        rows.append(
            {"length": length} | {key: over([f[key].value for f in each if f[key].trials]) for key in ("hit", "leak")}
        )
    return rows


def _shows(run: Study) -> Row:
    """How much of its prompts the UNet draws at all: what nothing can add where it is low."""
    shown = {}
    for name in ("thing", "place", "position", "size"):
        k = INDEX[name]
        said = run.cases.told[:, k]
        right = said & (run.cases.before[:, k] == run.cases.values[:, k])
        shown[name] = share(int(right.sum()), int(said.sum()))
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
            some = [row[key] for row in rows if (row["UNet"], row["route"]) == way]
            at = [g + (k - (len(ways) - 1) / 2) * 0.8 / len(ways) for g in range(len(groups))]
            axes.bar(at, [mean.value for mean in some], 0.8 / len(ways), label=", ".join(way), color=_COLOURS[way])
            for x, mean in zip(at, some, strict=True):
                axes.vlines(x, mean.low, mean.high, "black", lw=1)
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
