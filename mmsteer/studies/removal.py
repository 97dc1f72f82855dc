"""What recognition and retrieval lose when the bank's vision, language or cross features are removed from embeddings.

A vision feature is removed from pictures' embeddings, a language feature from captions' (and class prompts'), a cross
feature from both: x - code[:, group] @ W_dec[group], back to unit length. Groups are compared whole, at equal count
(as many features as the smallest has) and at equal energy (mean squared norm removed per pair, both sides together,
as the whole of the weakest takes); each beside random latents of the same sides, as many or as strong on each.

  recognition  which word fits a picture best, among those of one factor: mean over thing, place, position and size
               (gender, of pictures of people, is shown beside it)
  retrieval    R@1 among 256 pairs, mean of picture to caption and caption to picture
Intervals are 95 % by bootstrap, over pairs and over draws of the groups.
"""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.backbone import ASSETS
from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.build.embed import embed, load_clip
from mmsteer.errors import SteerError
from mmsteer.studies.report import COLOURS, Share, table
from mmsteer.world.assemble import MINI
from mmsteer.world.captions import caption_word
from mmsteer.world.clip import tokens
from mmsteer.world.factors import FACTORS, INDEX

TOLERANCE = 0.02  # of the energy aimed at
_SIDES = {"vision": ("image",), "language": ("text",), "cross": ("image", "text")}
_TASKS = {"recognition": ("thing", "place", "position", "size"), "retrieval": ("to caption", "to picture")}
_COMPARED = ("equal count", "equal energy")
_BATCH, _RESAMPLES = 256, 400
_NONE = np.array([], dtype=np.int64)

Group = dict[str, np.ndarray]
"""Side -> latents to remove there; on both sides, row k is feature k's."""
Answers = dict[str, np.ndarray]
"""Question or task -> share of right answers [draws, N]: 0 or 1 for a question, their mean for a task."""


def latents(features: Iterable[Feature], modality: str) -> Group:
    """What features of a modality lose: vision features the image latent, language ones the text latent, cross both."""
    some = [f for f in features if f.modality == modality]
    found = {"image": [f.image_latent for f in some], "text": [f.text_latent for f in some]}
    return {side: np.array(found[side], dtype=np.int64) for side in _SIDES[modality]}


def energy_matrix(code: torch.Tensor, rows: torch.Tensor) -> np.ndarray:
    """`code [N, n]`, decoder `rows [n, d]` -> `[n, n]`, mean inner products of what two latents contribute."""
    return ((code.T @ code / len(code)) * (rows @ rows.T)).double().numpy()


def energy(matrix: np.ndarray, group: np.ndarray) -> float:
    """Mean squared norm of what `group` contributes: the sum of its block."""
    return float(matrix[np.ix_(group, group)].sum())


def pick(matrix: np.ndarray, order: np.ndarray, target: float) -> np.ndarray | None:
    """Members of `order`, each taken unless it overshoots, until within TOLERANCE of `target`; None if never."""
    chosen: list[int] = []
    total = 0.0
    for k in order:
        more = total + matrix[k, k] + 2 * matrix[k, chosen].sum()
        if more <= target * (1 + TOLERANCE):
            chosen.append(int(k))
            total = more
        if abs(total - target) <= target * TOLERANCE:
            return np.array(chosen, dtype=np.int64)
    return None


def pick_at_random(rng: np.random.Generator, matrix: np.ndarray, pool: np.ndarray, target: float) -> np.ndarray:
    """`pick` from random orders of `pool`: the first that meets the target."""
    for _ in range(100):
        found = pick(matrix, rng.permutation(pool), target)
        if found is not None:
            return found
    raise SteerError(f"no choice of {len(pool)} features takes an energy within {TOLERANCE:.0%} of {target:.4f}")


def remove(x: torch.Tensor, code: torch.Tensor, rows: torch.Tensor, group: np.ndarray) -> torch.Tensor:
    """Unit embeddings `x [N, d]` without what the latents of `group` contribute, unit length again."""
    return F.normalize(x - code[:, group] @ rows[group], dim=1)


def interval(answers: np.ndarray, weights: np.ndarray) -> Share:
    """Mean of `answers [draws, N]`, its bounds by resampling draws and, with `weights [resamples, N]`, pairs."""
    draws = len(answers)
    drawn = np.random.default_rng(0).multinomial(draws, np.full(draws, 1 / draws), len(weights)) / draws
    means = ((drawn @ answers) * weights).sum(1) / weights.sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Share(float(answers.mean()), float(low), float(high), answers.shape[1])


class Exam(NamedTuple):
    """Embeddings of both sides, what can be removed from them, and the questions asked."""

    x: dict[str, torch.Tensor]
    """image [N, d_joint]; text [N + n_prompts, d_joint]: captions, then class prompts"""
    code: dict[str, torch.Tensor]
    """of each side's x, [.., n_latents]"""
    rows: dict[str, torch.Tensor]
    """decoder rows, [n_latents, d_joint]"""
    matrix: dict[str, np.ndarray]
    """energy_matrix of pictures and of captions"""
    pool: dict[str, np.ndarray]
    """latents of all features of the bank"""
    prompts: dict[str, slice]
    """where each factor's prompts stand in text"""
    truth: np.ndarray
    """[N, n_factors]"""
    weights: np.ndarray
    """bootstrap resamples of the pairs, [resamples, N]"""

    def without(self, group: Group) -> dict[str, torch.Tensor]:
        """Embeddings of both sides with a group removed."""
        return {s: remove(self.x[s], self.code[s], self.rows[s], group.get(s, _NONE)) for s in self.x}

    def answer(self, x: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
        """Which pairs are recognised and retrieved rightly, bool `[N]` a question; of gender, people `[n_people]`."""
        image, captions, right = x["image"], x["text"][: len(x["image"])], {}
        for name, where in self.prompts.items():
            truth = self.truth[:, INDEX[name]]
            seen = (image @ x["text"][where].T).argmax(1).numpy()
            right[name] = (seen + 1 == truth)[truth > 0] if name == "gender" else seen == truth  # 0 is nobody
        batches = (side.view(-1, _BATCH, side.shape[1]) for side in (image, captions))
        alike = next(batches) @ next(batches).mT
        for name, dim in (("to caption", 2), ("to picture", 1)):
            right[name] = (alike.argmax(dim) == torch.arange(_BATCH)).flatten().numpy()
        return right

    def answers(self, each: Iterable[dict[str, torch.Tensor]]) -> Answers:
        """Answers from several versions of the embeddings."""
        right = [self.answer(x) for x in each]
        found: Answers = {name: np.stack([r[name] for r in right]).astype(float) for name in right[0]}
        return found | {task: np.mean([found[name] for name in names], axis=0) for task, names in _TASKS.items()}

    def share(self, answers: Answers, name: str) -> Share:
        """Share of right answers to one question or task."""
        people = self.truth[:, INDEX["gender"]] > 0
        return interval(answers[name], self.weights[:, people] if name == "gender" else self.weights)


def study(seed: int, quick: bool, figure: Path | None) -> dict[str, Any]:
    """Remove groups, measure, print the figures and what they say of the order the paper is said to report."""
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    exam = _exam(bank, seed, (6 if quick else 24) * _BATCH)
    rng, draws = np.random.default_rng((seed, 13)), 4 if quick else 16
    groups: dict[str, Group] = {modality: latents(bank.features, modality) for modality in MODALITIES}
    means = {"image": bank.bridge["mean_image"], "text": bank.bridge["mean_text"]}
    untouched = exam.answers([exam.x])
    centred = exam.answers([{side: F.normalize(x - means[side], dim=1) for side, x in exam.x.items()}])
    rows = [_row(exam, "-", "nothing", [{}], untouched), _row(exam, "-", "mean gap", [{}], centred)]
    rows[1] |= {f"{side} energy": float(mean.square().sum()) for side, mean in means.items()}
    for title, known in (("vision, sure name", True), ("vision, no sure name", False)):
        some = [latents([f for f in bank.features if (f.named_by == "truth") == known], "vision")]
        rows.append(_row(exam, "whole", title, some, exam.answers(map(exam.without, some))))

    costs: list[dict[str, Any]] = []
    lost: dict[tuple[str, str], Answers] = {}
    for comparison in ("whole", *_COMPARED):
        for modality, some in _compared(rng, exam, groups, comparison, draws).items():
            alike = [_random_like(rng, exam, group, comparison) for group in some]
            left, chance = (exam.answers(map(exam.without, each)) for each in (some, alike))
            rows.append(_row(exam, comparison, modality, some, left))
            rows.append(_row(exam, comparison, f"random as {modality}", alike, chance))
            lost[comparison, modality] = {task: untouched[task] - left[task] for task in _TASKS}
            costs.append({"comparison": comparison, "removed": modality})
            for task in _TASKS:
                costs[-1][f"{task} cost"] = interval(untouched[task] - left[task], exam.weights)
                costs[-1][f"{task} over random"] = interval(chance[task] - left[task], exam.weights)
    curves = _curves(rng, exam, groups, 5 if quick else 9, draws)

    summed = (*_TASKS["retrieval"], *_TASKS)
    print(table([{k: v for k, v in row.items() if k not in summed} for row in rows]))
    print("\n" + table([{k: row[k] for k in ("comparison", "removed", *summed)} for row in rows]))
    print(
        "\ncost: right answers lost, as a share of all; over random: beyond what random latents of the same sides cost"
    )
    print(table(costs))
    said = _sentences(exam, rows, lost)
    print("\n" + said)
    if figure:
        _figure(rows, curves, figure)
    return {
        "pairs": len(exam.x["image"]), "draws": draws, "tolerance": TOLERANCE,
        "rows": rows, "costs": costs, "curves": curves, "text": said,
    }  # fmt: skip


def _exam(bank: FeatureBank, seed: int, count: int) -> Exam:
    with TemporaryDirectory() as folder:  # fresh pairs, kept nowhere
        pairs = embed(MINI / "clip", seed, count, Path(folder))
    clip, tokenizer = load_clip(MINI / "clip")
    texts: list[str] = []
    prompts = {}
    for name in (*_TASKS["recognition"], "gender"):
        words = [caption_word(name, v) for v in FACTORS[INDEX[name]].values if v != "nobody"]
        prompts[name] = slice(count + len(texts), count + len(texts) + len(words))
        texts += [w if name in ("place", "position") else f"a {w}" for w in words]
    with torch.no_grad():
        asked = F.normalize(clip.get_text_features(tokens(tokenizer, texts)).pooler_output, dim=1)
    x = {"image": pairs.image, "text": torch.cat([pairs.text, asked])}
    code = {side: bank.dictionaries[side].encode(x[side]) for side in x}
    rows: dict[str, torch.Tensor] = {side: bank.dictionaries[side].W_dec for side in x}
    every = {"image": [f.image_latent for f in bank.features], "text": [f.text_latent for f in bank.features]}
    return Exam(
        x, code, rows,
        matrix={side: energy_matrix(code[side][:count], rows[side]) for side in x},
        pool={side: np.array([k for k in every[side] if k is not None]) for side in x},
        prompts=prompts, truth=pairs.factors,
        weights=np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), _RESAMPLES),
    )  # fmt: skip


def _compared(
    rng: np.random.Generator, exam: Exam, groups: dict[str, Group], comparison: str, draws: int
) -> dict[str, list[Group]]:
    """Per modality, what is removed in each draw."""
    matrices = {
        modality: np.sum([exam.matrix[side][np.ix_(rows, rows)] for side, rows in group.items()], axis=0)
        for modality, group in groups.items()
    }
    least_count = min(len(matrix) for matrix in matrices.values())
    least_energy = min(float(matrix.sum()) for matrix in matrices.values())
    found: dict[str, list[Group]] = {modality: [] for modality in groups}
    for modality, group in groups.items():
        every = np.arange(len(matrices[modality]))
        for _ in range(draws):
            if comparison == "whole":
                chosen = every
            elif comparison == "equal count":
                chosen = rng.permutation(every)[:least_count]
            else:
                chosen = pick_at_random(rng, matrices[modality], every, least_energy)
            found[modality].append({side: rows[chosen] for side, rows in group.items()})
    return found


def _random_like(rng: np.random.Generator, exam: Exam, group: Group, comparison: str) -> Group:
    """Random latents of the same sides: as strong on each at equal energy, else as many."""
    if comparison == "equal energy":
        return {
            side: pick_at_random(rng, exam.matrix[side], exam.pool[side], energy(exam.matrix[side], rows))
            for side, rows in group.items()
        }
    return {side: rng.permutation(exam.pool[side])[: len(rows)] for side, rows in group.items()}


def _row(exam: Exam, comparison: str, removed: str, groups: list[Group], answers: Answers) -> dict[str, Any]:
    row: dict[str, Any] = {"comparison": comparison, "removed": removed}
    for side in exam.x:
        taken = [group.get(side, _NONE) for group in groups]
        row[f"{side} latents"] = round(float(np.mean([len(rows) for rows in taken])))
        row[f"{side} energy"] = float(np.mean([energy(exam.matrix[side], rows) for rows in taken]))
    return row | {name: exam.share(answers, name) for name in answers}


def _curves(
    rng: np.random.Generator, exam: Exam, groups: dict[str, Group], points: int, draws: int
) -> list[dict[str, Any]]:
    """Both tasks against how many features are removed, in random orders, and random latents of the same sides."""
    found = []
    for modality, group in groups.items():
        size = len(group[_SIDES[modality][0]])
        orders = [rng.permutation(size) for _ in range(draws)]
        some = [{side: rows[order] for side, rows in group.items()} for order in orders]
        alike = [{side: rng.permutation(exam.pool[side]) for side in group} for _ in range(draws)]
        for k in np.linspace(0, size, points).round().astype(int):
            for removed, each in ((modality, some), (f"random as {modality}", alike)):
                first = [{side: rows[:k] for side, rows in group.items()} for group in each]
                answers = exam.answers(map(exam.without, first))
                found.append({"removed": removed, "features": int(k)} | {t: exam.share(answers, t) for t in _TASKS})
    return found


def _sentences(exam: Exam, rows: list[dict[str, Any]], lost: dict[tuple[str, str], Answers]) -> str:
    """How often cross features cost least, as the paper is said to report, and what equal energy makes of it."""
    least = most = 0
    for cost in ([lost[c, m][task] for m in ("cross", "vision", "language")] for c in _COMPARED for task in _TASKS):
        over = [interval(cost[0] - other, exam.weights) for other in cost[1:]]
        least += all(difference.high < 0 for difference in over)
        most += all(difference.low > 0 for difference in over)
    taken = {r["removed"]: r["image energy"] + r["text energy"] for r in rows if r["comparison"] == "equal count"}
    times = [f"{taken['cross'] / taken[other]:.1f} times that of {other}" for other in ("vision", "language")]
    costs = []
    for task in _TASKS:
        each = (f"{round(lost['equal energy', m][task].mean(), 3) + 0.0:.3f} without {m}" for m in MODALITIES)
        costs.append(f"{task} loses {', '.join(each)}")
    return (
        f"Removing cross features costs least, the order the paper is said to report, in {least} and most in {most} "
        f"of {len(_COMPARED) * len(_TASKS)} comparisons (95 % intervals of the differences exclude 0).\n"
        f"At equal count their energy is {' and '.join(times)} features; at equal energy {'; '.join(costs)}."
    )


def _figure(rows: list[dict[str, Any]], curves: list[dict[str, Any]], path: Path) -> None:
    """Above, both tasks at equal count and energy; below, against the number of features removed."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Patch

    figure = Figure((12, 9.5), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.03))
    panels = figure.subplot_mosaic("AAABBB;CCDDEE;FFGGHH", height_ratios=(3, 2, 2))
    for axes in panels.values():
        axes.set(ylim=(0, 1.01), yticks=np.linspace(0, 1, 5), axisbelow=True, xmargin=0.02)
        axes.grid(axis="y", color="#dddddd")
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.tick_params(length=0)
    found = {(row["comparison"], row["removed"]): row for row in rows}
    titles = {"recognition": "Recognition, share of pictures", "retrieval": "Retrieval, R@1 of 256"}
    for task, bars, line in zip(_TASKS, "AB", ("CDE", "FGH"), strict=True):
        axes, ticks = panels[bars], {}
        for x, (comparison, modality) in zip((0, 1, 2, 3.3, 4.3, 5.3), product(_COMPARED, MODALITIES), strict=True):
            ticks[x] = f"\n{modality}" + f"\nremoved at {comparison}" * (modality == MODALITIES[1])
            for at, removed in ((x - 0.22, modality), (x + 0.22, f"random as {modality}")):
                share = found[comparison, removed][task]
                axes.bar(at, share.value, 0.42, color=COLOURS.get(removed, COLOURS["grey"]))
                axes.vlines(at, share.low, share.high, "black")
                ticks[at] = f"{share.value:.2f}"  # below its bar, where no line passes
        axes.set_xticks(list(ticks), list(ticks.values()), linespacing=1.4)
        axes.set_title(titles[task], loc="left")
        nothing, gap = (found["-", removed][task].value for removed in ("nothing", "mean gap"))
        levels = [
            axes.axhline(nothing, color="black", lw=0.8, label="nothing removed"),
            axes.axhline(gap, color="black", lw=0.8, dashes=(6, 6), label="only the mean gap removed"),
        ]
        for modality, axes in zip(MODALITIES, map(panels.__getitem__, line), strict=True):
            for removed, colour in ((f"random as {modality}", COLOURS["grey"]), (modality, COLOURS[modality])):
                some = [c for c in curves if c["removed"] == removed]
                counts, shares = [c["features"] for c in some], np.array([c[task] for c in some])
                axes.fill_between(counts, shares[:, 1], shares[:, 2], color=colour, alpha=0.25, lw=0)
                axes.plot(counts, shares[:, 0], color=colour, lw=2)
            axes.set(xlim=(0, counts[-1]), xlabel="features removed")
            axes.set_title(f"{task.capitalize()}, {modality} features", loc="left")
    told = (*MODALITIES, "random latents of the same sides")
    key = [Patch(color=COLOURS.get(removed, COLOURS["grey"]), label=removed) for removed in told]
    figure.legend(handles=[*key, *levels], loc="outside upper left", ncols=6, frameon=False)
    figure.supxlabel("Numbers: the bars' heights. Strokes and bands: 95 % by bootstrap over pairs and draws.", size=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
