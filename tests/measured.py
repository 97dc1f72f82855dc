"""What README says of what was measured, made from the files the studies and the bench wrote: `python -m tests.measured`.

`tests/test_numbers.py` compares. Who runs a study again with `--json assets/figures/STUDY.json` pastes what is printed here. A
function a file gives the passages that stand in README; a new study is a function here and a line in `PASSAGES`.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES
from mmsteer.labelling.known_names import agrees, known_value
from mmsteer.studies import concepts as vectors
from mmsteer.studies.labels import DEFAULT, TARGETS
from mmsteer.studies.truth import values
from mmsteer.training.objectives import objective_name
from mmsteer.world.factors import FACTORS, INDEX, label
from mmsteer.world.scheme import SCHEME

README = ASSETS.parent / "README.md"
_STUDIES = "world", "effects", "ordinary", "presets", "bench", "labels", "concepts", "removal", "stability"
FILES = {name: f"figures/{name}.json" for name in _STUDIES}
FILES["bank"] = "banks/mini/bank.json"

Figures = dict[str, Any]


def read(assets: Path = ASSETS) -> dict[str, Figures]:
    """What commands wrote, by name."""
    return {name: json.loads((assets / file).read_text(encoding="utf-8")) for name, file in FILES.items()}


def passages(written: dict[str, Figures]) -> dict[str, list[str]]:
    """By file, what README has to say: rows of tables, and sentences or parts of them."""
    return {name: PASSAGES[name](figures) for name, figures in written.items()}


def bold_if(missed: bool, text: str) -> str:
    """What misses its target is bold."""
    return f"**{text}**" if missed else text


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def interval(share: Figures, digits: int = 2) -> str:
    """A value with what the JSON has in brackets."""
    return f"{share['value']:.{digits}f} [{share['low']:.{digits}f}, {share['high']:.{digits}f}]"


def took(seconds: float) -> str:
    """A duration as README gives it."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def span(numbers: Iterable[float], digits: int = 2) -> str:
    """The lowest and the highest; one of them where both read the same."""
    every = list(numbers)
    ends = [f"{end:.{digits}f}" for end in (min(every), max(every))]
    return " to ".join(dict.fromkeys(ends))


def listed(words: list[str]) -> str:
    """Words as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _world(figures: Figures) -> list[str]:
    # how many prompts is set in mmsteer/studies/world.py: of each factor the file counts only those that say it
    measured, targets = figures["measured"], figures["targets"]
    rows = []
    for name, value in measured.items():
        reached = value["value"] if isinstance(value, dict) else value
        told = interval(value, 3) if isinstance(value, dict) else f"{value:.2f}"
        missed = name in targets and reached < targets[name]
        rows.append(line([name, bold_if(missed, told), str(targets.get(name, ""))]))
    scenes = measured["judge: thing"]["trials"]
    return [f"`python -m mmsteer study world` ({scenes:,} scenes, 2,048 prompts; {took(figures['seconds'])} ", *rows]


def _effects(figures: Figures) -> list[str]:
    targets, summary, sizes = figures["targets"], figures["summary"], figures["sizes"]
    concepts, features = ({row[key] for row in figures["features"]} for key in ("concept", "feature"))
    shipped = {"cross": "feature + suppression", "vision": "feature", "language": "feature + suppression"}

    def missed(row: Figures, key: str) -> bool:
        target = targets.get(f"{key} {row['modality']}", targets.get(key))
        if row["method"] != shipped[row["modality"]] or target is None:
            return False
        return row[key]["value"] > target if key in ("leak", "change") else row[key]["value"] < target

    def rows(modality: str, keys: tuple[str, ...]) -> list[str]:
        some = [row for row in summary if row["modality"] == modality and any(row[key] for key in keys)]
        if keys[0] == "gone":  # to remove, nothing is suppressed
            some = [row for row in some if not row["method"].endswith(" + suppression")]
        return [
            line([
                row["method"], row["needs labels"] or "",
                *(bold_if(missed(row, key), interval(row[key])) if row[key] else "-" for key in keys),
            ])
            for row in some
        ]  # fmt: skip

    removal = ("gone", "kept siblings", "kept others")
    one = {(row["modality"], row["method"]): row for row in summary}
    own, alone = one["cross", shipped["cross"]], one["cross", "feature"]
    labelled, mean = one["cross", "mean difference + suppression"], one["cross", "mean difference"]
    half, twice = (
        {
            row["method"]: row["hit"]
            for row in figures["curves"]
            if (row["modality"], row["length"]) == ("cross", length)
        }
        for length in (0.5, 2.0)
    )
    weak = [row for row in _shipped(figures, "cross", shipped["cross"]) if row["hit"] and row["hit"]["value"] < 0.6]
    faint = ", ".join(f'"{row["feature"]}" ({row["hit"]["value"]:.1f})' for row in weak)
    stays = [row for row in _shipped(figures, "cross", shipped["cross"]) if row["gone"] and row["gone"]["value"] < 0.5]
    held = ", ".join(f'"{row["feature"]}" ({row["gone"]["value"]:.1f})' for row in stays)
    return [
        f"`python -m mmsteer study effects` ({len(concepts)} concepts, {len(features)} features, at strength 1; {sizes['prompts']} prompts "
        f"each, {sizes['prompts_language']} for language-only ones; mean differences from {sizes['pairs']:,} pairs; "
        f"{took(figures['seconds'])} on one core beside other work)",
        f"Targets: hit {targets['hit cross']:.2f}, leak at most {targets['leak']:.2f}, gone {targets['gone']:.2f}, change at most "
        f"{targets['change language']:.2f}.",
        *rows("cross", ("hit", "hit - shipped", "leak")),
        *rows("cross", removal),
        *rows("vision", ("hit", "leak", "gone", "kept others")),
        *rows("language", ("change",)),
        f"Alone, a feature reaches {alone['hit']['value']:.2f} and a mean difference {mean['hit']['value']:.2f}; with the prompt's rival "
        f"suppressed {own['hit']['value']:.2f} and {labelled['hit']['value']:.2f}.",
        f"Pushed twice as far, they reach {twice['feature']['value']:.2f} and {twice['mean difference']['value']:.2f} without it",
        f"Pushed half as far, a feature with suppression reaches {half[shipped['cross']]['value']:.2f} and a mean difference with it "
        f"{half['mean difference + suppression']['value']:.2f}",
        f"Weakest in hit are {faint}." if faint else "No feature's hit is below 0.6.",
        f"Weakest in removal are {held}:" if held else "No feature's removal is below 0.5:",
    ]  # fmt: skip


def _shipped(figures: Figures, modality: str, method: str) -> list[Figures]:
    """The rows of what a slider does, weakest hit first."""
    some = [row for row in figures["features"] if (row["modality"], row["method"]) == (modality, method)]
    return sorted(some, key=lambda row: (row["hit"] or {"value": 9})["value"])


def _ordinary(figures: Figures) -> list[str]:
    targets = figures["targets"]

    def missed(row: Figures, key: str) -> bool:
        if row["UNet"] != "ordinary":
            return False
        target = (
            targets["leak"] if key == "leak" else targets["hit vision" if row["concepts"] == "vision" else "hit cross"]
        )
        return row[key]["value"] > target if key == "leak" else row[key]["value"] < target

    rows = []
    for row in figures["rows"]:
        own = [bold_if(missed(row, key), interval(row[key])) for key in ("hit", "leak")]
        rest = [
            interval(row[key]) if row[key] else "-" for key in ("gone", "mean difference: hit", "mean difference: leak")
        ]
        rows.append(line([row["UNet"], row["route"], f"{row['concepts']} ({row['count']})", *own, *rest]))
    before = [
        line(
            [row["UNet"], row["route"], *(f"{row[key]['value']:.2f}" for key in ("thing", "place", "position", "size"))]
        )
        for row in figures["before"]
    ]
    vision = {(row["UNet"], row["route"]): row for row in figures["rows"] if row["concepts"] == "vision"}
    words, image = vision["ordinary", "words"], vision["ordinary", "image"]
    curve = {(row["UNet"], row["route"], row["length"]): row for row in figures["curves"]}
    weakest = curve["ordinary", "words", 0.25]
    return [
        f"`python -m mmsteer study ordinary --steerable FOLDER` ({figures['sizes']['prompts']} prompts a concept; "
        f"{took(figures['seconds'])} on one core beside other work)",
        f"Targets on the ordinary UNet: hit {targets['hit cross']:.2f} for cross-modal and {targets['hit vision']:.2f} for vision-only "
        f"features, leak at most {targets['leak']:.2f}.",
        *before,
        *rows,
        f"vision-only features pushed through the words show in {words['hit']['value']:.2f} of cases and break "
        f"{words['leak']['value']:.2f} of what the prompt fixed; through the image adapter they show in {image['hit']['value']:.2f} and "
        f"break {image['leak']['value']:.2f}.",
        f"a quarter of the push shows in {weakest['hit']['value']:.2f} and breaks {weakest['leak']['value']:.2f}",
    ]  # fmt: skip


def _presets(figures: Figures) -> list[str]:
    seeds = figures["seeds"]
    rows = []
    for row in figures["presets"]:
        shares = [share for share in row.values() if isinstance(share, dict)]
        counts = [str(round(share["value"] * share["trials"])) for share in shares]
        counts[2] = bold_if(row["both"]["value"] < figures["target"], counts[2])
        rows.append(line([row["preset"], *counts, str(row["first such seed"])]))
    command = f"`python -m mmsteer study presets --seed {figures['seed']} --threads 1`"
    return [
        f"{command} ({seeds} seeds a preset; {took(figures['seconds'])} ",
        f"of the {seeds} seeds, those on which",
        f"those on which both do (share of all: target {figures['target']:.2f})",
        *rows,
    ]


def _bench(figures: Figures) -> list[str]:
    measured = figures["measured"]

    def at_most(target: float, name: str, digits: int) -> str:
        return bold_if(measured[name] > target, f"{measured[name]:.{digits}f}")

    def at_least(target: float, name: str, digits: int) -> str:
        return bold_if(measured[name] < target, f"{measured[name]:.{digits}f}")

    bare = at_most(150, "picture, bare pipeline, ms", 0)
    first = at_most(0.6, "bare / first generation's shapes (128 px, 12 guided steps)", 3)
    steered = at_most(1.02, "steered / bare, median of pairs", 3)
    plan = at_most(5, "encoding the prompt and editing, ms", 1)
    live = at_least(4, "live: pictures per second while a slider is dragged", 1)
    embedding = at_least(0.9, "embedding: share of a bare forward loop's rate", 3)
    return [
        f"`python -m mmsteer bench --quick` (two idle cores, {measured['torch threads']} threads)",
        f"a picture takes {bare} ms through the stock pipeline (target 150), {first} of one of the first generation's shapes in the "
        f"same run (128 pixels, 12 guided steps; target 0.6), and steered {steered} of that (target 1.02), {plan} ms of it for prompt "
        "and edits (target 5).",
        f"the page shows {live} pictures a second (target 4).",
        f"Memory at its highest: {measured['memory at its highest, MB']} MB.",
        f"shape runs at {embedding} of a bare forward loop's rate (target 0.90).",
        f"The page is imported {measured['start-up: page imported, s']:.1f} s after the process starts, the first picture is there "
        f"after {measured['start-up: first picture, s']:.1f} s.",
    ]  # fmt: skip


def _labels(figures: Figures) -> list[str]:
    default = _default_row(figures)
    modality = {label(*value): FACTORS[INDEX[value[0]]].modality for value in values()}
    readable = Counter(modality[name] for name in figures["readable"])
    held = figures["held_out"] // 2
    counts = ", ".join(f"{readable[m]} {_KINDS[m]}" for m in MODALITIES)
    quoted = [f'"{name}"' for name in figures["not readable"]]
    missed = _missed(default)
    verdict = (
        f"The default meets all but {listed([_VERDICTS[key] for key in missed])}" if missed else "The default meets all"
    )
    return [
        f"`python -m mmsteer study labels` ({figures['pairs']:,} fresh pairs to train on, {held:,} to match on, {held:,} to score "
        f"on; {figures['seeds']} seeds; {took(figures['seconds'])} ",
        f"({len(figures['readable'])}; not {listed(quoted)})",
        f"({counts} values)",
        f"Targets: precision {TARGETS['precision']:.2f}, recall {TARGETS['recall']:.2f} in each class, split at most "
        f"{TARGETS['split']:.2f}.",
        verdict,
        *(_label_row(row, missed if row is default else []) for row in figures["objectives"]),
        *_label_sentences(figures),
    ]  # fmt: skip


def _default_row(figures: Figures) -> Figures:
    """The default objective's row, under its present or a former name."""
    return next(row for row in figures["objectives"] if objective_name(row["objective"]) == DEFAULT)


_KINDS = {"vision": "vision-only", "language": "language-only", "cross": "cross-modal"}
_VERDICTS = {
    "precision": "precision", "recall vision": "the recall of vision-only values", "recall language": "the recall of "
    "language-only values", "recall cross": "the recall of cross-modal values", "split": "split",
}  # fmt: skip


def _missed(row: Figures) -> list[str]:
    """Which targets an objective misses."""
    few = [k for k in _VERDICTS if k != "split" and row[k]["value"] < TARGETS[k.partition(" ")[0]]]
    return few + ["split"] * (row["split"] > TARGETS["split"])


def _label_row(row: Figures, missed: list[str]) -> str:
    name = row["objective"]
    shares = [bold_if(key in missed, interval(row[key])) for key in _VERDICTS if key != "split"]
    return line([
        f"**{name}** (default)" if objective_name(name) == DEFAULT else name, *shares, bold_if("split" in missed, f"{row['split']:.2f}"),
        f"{row['FVU image']:.2f} / {row['FVU text']:.2f}", f"{row['L0 image']:.0f} / {row['L0 text']:.0f}",
    ])  # fmt: skip


def _label_sentences(figures: Figures) -> list[str]:
    nulls, agreement = figures["nulls"], figures["agreement"]
    auc, null = (span(row[key] for row in nulls) for key in ("AUC of |MDS - 1/2|", "of the null"))
    alike, same = (
        span((100 * row[key]["value"] for row in agreement), 0) for key in ("features matched", "same label")
    )
    rates = {round(100 * row["told"]): row for row in figures["rates"]}
    shown = (10, 40, 70, 100)
    scores = listed([f"{rates[told]['MDS']:.2f}" for told in shown])
    both = span(row["MDS where both fire"] for row in figures["rates"])
    kept = {told: f"{row['labelled cross']['value']:.2f}" for told, row in rates.items()}
    mms = {row["objective"]: f"{row['MMS']:.2f}" for row in figures["similarity"]}
    matched = next(row for row in figures["objectives"] if row["objective"] == "matched")
    default = _default_row(figures)["objective"]
    return [
        f"(AUC {auc} becomes {null}; 0.5 is chance",
        f"Of the features of two seeds that fire alike ({alike} %), {same} % have the same label.",
        f"Captioned in {listed([str(told) for told in shown])} % of pictures, the same concepts have MDS {scores}, near 1 - share/2; "
        f"over pairs where both sides fire it is {both} throughout.",
        f"At 40 % the label of {kept[40]} of them holds, while MDS alone with the same cuts says cross-modal of "
        f"{rates[40]['MDS alone would say']['value']:.2f}; at 25 % that of {kept[25]} holds; at 10 %, where few pairs fire on both "
        f"sides, that of {kept[10]}.",
        f"{mms[default]} for the default, {mms[f'{default}, nothing read']} without reading across, {mms['random']} for random.",
        f"In the world above they find {matched['recall vision']['value']:.2f} of the vision-only and "
        f"{matched['recall cross']['value']:.2f} of the cross-modal values.",
    ]  # fmt: skip


def _concepts(figures: Figures) -> list[str]:
    found = {(row["objective"], row["cosine"]): row for row in figures["concepts"]}
    names = list(dict.fromkeys(row["objective"] for row in figures["concepts"]))
    cosines = sorted({row["cosine"] for row in figures["concepts"]}, reverse=True)
    recalls = [f"recall {modality}" for modality in MODALITIES]
    none = [
        name for name in ("raw", "pca") if all(found[name, c][key]["value"] == 0 for c in cosines for key in recalls)
    ]
    shown = [name for name in names if name not in none]
    return [
        f"`python -m mmsteer study concepts` (made-up vectors: {vectors.CROSS} cross-modal concepts, {vectors.SINGLE} of each side "
        f"alone; {figures['seeds']} seeds; {took(figures['seconds'])} ",
        f"{listed([{'raw': 'Raw coordinates', 'pca': 'principal axes'}[name] for name in none])} find none.",
        line(["objective", *(f"cosine {cosine}" for cosine in cosines), f"FVU at {cosines[-1]}"]),
        *(
            line([
                name, *(" / ".join(f"{found[name, c][key]['value']:.2f}" for key in recalls) for c in cosines),
                f"{found[name, cosines[-1]]['FVU']['value']:.2f}",
            ])
            for name in shown
        ),
    ]  # fmt: skip


def _removal(figures: Figures) -> list[str]:
    return [f"({figures['pairs']:,} pairs, {took(figures['seconds'])})", figures["text"]]


def _bank(figures: Figures) -> list[str]:
    known = [feature for feature in figures["features"] if feature["named_by"] == "truth"]
    agree = sum(agrees(feature["automatic"], feature["name"], SCHEME) for feature in known)
    features = Counter(known_value(feature["name"], SCHEME) for feature in known)
    absent = [
        label(*value) for value in values() if value not in features and FACTORS[INDEX[value[0]]].modality != "vision"
    ]
    several = sum(count > 1 for count in features.values())
    lists = listed([f'"{name}"' if " " in name else name for name in absent])
    return [
        f"of the {len(known)} features of the shipped bank named after a known factor, {agree} get a name that says the same.",
        f"{lists[:1].upper()}{lists[1:]} have no feature that detects them well enough to be named after them.",
        f"{several} concepts have two features or more",
    ]  # fmt: skip


def _stability(figures: Figures) -> list[str]:
    nulls, builds = figures["null"], figures["builds"]
    rows = []
    for row in figures["summary"]:
        name = "no sure name" if row["features"] == "no sure name" else f"{row['features']}, named"
        found = [f"{row[key]['value']:.2f}" for key in ("2 of 3", "1 of 3")]
        rest = [
            interval(row[key]) if row[key] else "-"
            for key in ("same label", "same name", "hit", "hit of matches", "spread")
        ]
        rows.append(line([f"{name} ({row['count']})", interval(row["3 of 3"]), *found, *rest]))
    changes: dict[tuple[str, str], dict[str, str]] = {}
    for row in figures["changes"]:
        which = "all others" if row["features"].endswith("others") else "named after a factor"
        ends = f"{row['median']['value']:.3f}, {row['95th percentile']['value']:.2f}"
        changes.setdefault((row["what"], which), {})[row["modality"]] = ends
    other = {
        "pictures, activation": "pixel noise",
        "captions, activation": "other words",
        "captions, presence": "other words",
    }
    disturbed = [
        line([f"{other[what]}, {what.partition(', ')[2]}: {which}", *(some.get(m, "-") for m in MODALITIES)])
        for (what, which), some in changes.items()
    ]
    shares = {
        key: span([100 * row[key]["value"] for row in nulls], 0)
        for key in ("null from 0.8 on", "same concept from 0.8 on")
    }
    unrelated = span([row["unrelated, median"] for row in figures["changes"]], 1)
    return [
        f"two more builds with the shipped settings, seeds {builds[1]['seed']} and {builds[2]['seed']}",
        f"then {took(figures['seconds'])} beside other work",
        f"have a cosine of at least {figures['same']}, one to one. The nearest feature of *another* concept reaches that in "
        f"{shares['null from 0.8 on']} % of cases (its median is {span([row['null, median'] for row in nulls])}), the nearest of the same "
        f"concept in {shares['same concept from 0.8 on']} %; the median over named features is "
        f"{span([row['nearest, median'] for row in nulls])}.",
        *rows,
        f"Tiny changes, {figures['changes'][0]['inputs']:,} fresh pairs:",
        f"Pictures get pixel noise of standard deviation {figures['noise']:g} of 255",
        f"Between unrelated pictures or captions the median is {unrelated}.",
        *disturbed,
    ]  # fmt: skip


PASSAGES: dict[str, Callable[[Figures], list[str]]] = {
    "world": _world, "effects": _effects, "ordinary": _ordinary, "presets": _presets, "bench": _bench, "labels": _labels,
    "concepts": _concepts, "removal": _removal, "stability": _stability, "bank": _bank,
}  # fmt: skip


def one_line(text: str) -> str:
    """Without line breaks, which README has wherever a line is full."""
    return re.sub(r"\s+", " ", text)


def differences(readme: str, said: dict[str, list[str]]) -> list[str]:
    """Passages that do not stand in README, or more than once, each with the file it is made from."""
    flat = one_line(readme)
    return [
        f"{FILES[name]}: README has {flat.count(one_line(passage))} times: {one_line(passage)}"
        for name, some in said.items()
        for passage in some
        if flat.count(one_line(passage)) != 1
    ]


if __name__ == "__main__":
    wanted = passages(read())
    for name, some in wanted.items():
        print(f"\n# assets/{FILES[name]}\n")
        print("\n".join(some))
    wrong = differences(README.read_text(encoding="utf-8"), wanted)
    print("\n" + ("\n".join(["What README does not say so:", *wrong]) if wrong else "README says all of it."))
    sys.exit(bool(wrong))
