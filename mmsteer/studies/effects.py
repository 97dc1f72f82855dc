"""What features do to pictures, read by the judge on fresh prompts and noise; beside other directions and words.

Per concept (a factor value that a feature is named after), at strength 1 and with the sampler of the backbone:
  hit      of the pictures that did not show the value, the share that shows it once it is added
  leak     of the other factors that the prompt fixed and *before* showed, the share that *after* no longer shows
  gone     of the pictures whose prompt mentions the value and that showed it, the share that no longer does once it is removed
  kept     what removal leaves: of the pictures that show another value of the same factor (siblings), and of the other factors
           that the prompt fixes (others), the shares that still show. gone and both kept are UnlearnCanvas' three figures
           (2402.11846)
  change   (language-only) the share of pictures in which the judge reads any factor differently
The features of one concept ("owl", "owl 2") are averaged first: a concept counts once. Intervals are 95 % by bootstrap over
concepts. All directions are pushed as far as the feature's own, without and with the same suppression of the strongest mutually
exclusive feature in the prompt; for removal, back by as much as the feature's removal moves that prompt. The curves push each by
several lengths.
"""

from pathlib import Path
from typing import Any

from mmsteer.bank import MODALITIES, Feature
from mmsteer.recipes.edit import Edit
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import Value, concept_of
from mmsteer.studies.measures.means import FIGURES, Row, as_shipped, filled, over, summarise
from mmsteer.studies.measures.methods import WITH_SUPPRESSION
from mmsteer.studies.measures.steering_evaluation import Sizes, SteeringEvaluation
from mmsteer.studies.report import save_strips, table
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge

TARGETS = {"hit cross": 0.95, "hit vision": 0.95, "leak": 0.03, "gone": 0.90, "change language": 0.02}
FULL, QUICK = Sizes(10, 64, 6000, 1, 10), Sizes(4, 8, 600, 1000, 1000, (0.5, 1.0))
_SHOWN = ("night", "panda", "warm light", "white frame", "please draw")


def study(seed: int, quick: bool, sheet: Path | None = None) -> dict[str, Any]:
    """Measure every concept; print its row as shipped, then every method's means, then the curves.

    Args:
        seed: of prompts and noise.
        quick: measure one concept of each modality, on few prompts.
        sheet: where to draw a sheet of pictures.

    Returns:
        The figures, for JSON.
    """
    sizes = QUICK if quick else FULL
    evaluation = SteeringEvaluation(Steerer.load("mini"), Judge.load(MINI / "judge"), seed, sizes)
    measured = measure(evaluation, concepts(evaluation.steerer, sizes.every))
    print(table(as_shipped(measured)))
    summary = summarise(measured)
    for modality in MODALITIES:
        means = [row for row in summary if row["modality"] == modality]
        print(f"\n{modality}, means over concepts\n" + table(filled(means)))
    pushable = {v: f for v, f in concepts(evaluation.steerer, sizes.curves).items() if f[0].modality != "language"}
    curves = by_length(evaluation, pushable)
    print("\nby the length of the push, in lengths of the feature's own at strength 1\n" + table(curves))
    if sheet:
        _sheet(evaluation.steerer, sheet)
    return {
        "features": measured, "summary": summary, "curves": curves, "targets": TARGETS, "sizes": sizes._asdict(),
        "curve concepts": [" ".join(value) for value in pushable],
    }  # fmt: skip


def concepts(steerer: Steerer, every: int) -> dict[Value, list[Feature]]:
    """Factor values that features are named after, with those features; of each modality the first and then one in `every`."""
    named: dict[Value, list[Feature]] = {}
    for feature in steerer.bank.features:
        if (value := concept_of(feature)) is not None:
            named.setdefault(value, []).append(feature)
    chosen: list[Value] = []
    for modality in MODALITIES:
        of_modality = [value for value, features in named.items() if features[0].modality == modality]
        chosen += of_modality[::every]
    return {value: named[value] for value in chosen}


def measure(evaluation: SteeringEvaluation, chosen: dict[Value, list[Feature]]) -> list[Row]:
    """A row for each feature and method; figures that a method does not have are None."""
    rows: list[Row] = []
    for k, (value, features) in enumerate(chosen.items()):
        for feature in features:
            added = evaluation.added(feature, value)
            removed = {} if feature.modality == "language" else evaluation.removed(feature, value)
            head = {"feature": feature.name, "modality": feature.modality, "concept": " ".join(value)}
            for method in dict.fromkeys([*added, *removed]):
                # removal needs no suppression: its figures stand in both rows of a direction
                figures = added.get(method, {}) | removed.get(method.removesuffix(WITH_SUPPRESSION), {})
                rows.append(head | {"method": method} | {key: figures.get(key) for key in FIGURES})
        print(f"  {k + 1}/{len(chosen)} {value[1]}   ", end="\r", flush=True)
    return rows


def by_length(evaluation: SteeringEvaluation, chosen: dict[Value, list[Feature]]) -> list[Row]:
    """Hit and leak of every direction by how far it is pushed, means over concepts."""
    rows = []
    for length in evaluation.sizes.lengths:
        measured: dict[tuple[str, str], list[Row]] = {}
        for value, features in chosen.items():
            for method, figures in evaluation.added(features[0], value, length, words=False).items():
                measured.setdefault((features[0].modality, method), []).append(figures)
        for (modality, method), each in measured.items():
            means = {key: over([f[key].value for f in each if f[key].trials]) for key in ("hit", "leak")}
            rows.append({"modality": modality, "method": method, "length": length} | means)
    return rows


def _sheet(steerer: Steerer, path: Path) -> None:
    """Draw one prompt a column: *before* on top, then one feature a row, of each modality."""
    prompts = [  # each mentions a position: otherwise there may be two things
        "a big cat in the middle in a meadow", "a small car on the left on the beach", "a big penguin in the middle in the snow",
        "a rocket on the right in the desert", "a big fox in the middle in the forest", "a big strawberry on the left at sunset",
    ]  # fmt: skip
    seeds = list(range(len(prompts)))
    strips = [("before", steerer.render_many(prompts, (), seeds))]
    for feature in (f for name in _SHOWN for f in steerer.bank.features if f.name == name):
        title = f"{feature.name}\n({feature.modality})"
        strips.append((title, steerer.render_many(prompts, [Edit(feature.id)], seeds)))
    save_strips(strips, path)
