"""Adversarial examples that act through one modality's features: how strong, how visible, how they transfer, what stops and finds them.

Pictures of the world are attacked by projected gradient descent through the real picture tower. The objective is the similarity to
the picture's own caption (away) or to one that differs in one factor (towards), in an embedding of which only a class's part
moves: vision-only, language-only, cross-modal features, random latents as many or as strong, or all of it. Every attack has
the same pictures, random start, steps and budget. Language-only features are read in pictures by the captions' dictionary, after
the gap between the means is taken off. Captions are attacked by the best single-word swap that keeps their facts.

  lost          right answers lost, as a share of all; R@1 is the mean of both directions among 256 pairs, recognition of four factors
  carries over  lost in another CLIP of this world, as a share of what is lost in the attacked one
  removed       features set to zero before comparing: in pictures and, for what captions contain, in captions and class prompts
  adaptive      the attacker knows which class will be removed
  caught        attacked pictures above the score that 1 % of clean ones exceed; detectors are fitted on clean pictures alone
Intervals are 95 % by bootstrap over pictures of all seeds.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.models.clip import Clip
from mmsteer.studies.attacks import detector, verdict
from mmsteer.studies.attacks.attack import objective
from mmsteer.studies.attacks.channel import SCOPES, Channel, channel
from mmsteer.studies.attacks.controls import MANY, STRONG, channels, random_name
from mmsteer.studies.attacks.pgd import embed_all, pgd, sign_noise
from mmsteer.studies.attacks.strip import save_attacked
from mmsteer.studies.attacks.tally import Cell, Tally
from mmsteer.studies.attacks.trial import GALLERY, Trial, kinship, new_scenes, new_trial
from mmsteer.studies.attacks.visibility import psnr, ssim
from mmsteer.studies.attacks.word_swap import swaps
from mmsteer.studies.report import table
from mmsteer.world.draws import READ
from mmsteer.world.models.assembly import MINI
from mmsteer.world.pairs import WorldPairs

NOISE = "noise"
SHOWN = 4
"""The budget at which classes are compared, defended and shown, chosen before any run."""


class Sizes(NamedTuple):
    """How much is measured."""

    seeds: int = 3
    pictures: int = 48
    captions: int = 32
    reference: int = 1024
    budgets: tuple[int, ...] = (1, 2, 4, 8)
    long: int = 40

    def cells(self, names: Sequence[str]) -> Iterator[Cell]:
        """Every attack: all channels by ten steps; modalities and the whole embedding also by many, and towards a target."""
        for budget in self.budgets:
            yield Cell("away", NOISE, 0, budget)
            for name in names:
                yield Cell("away", name, 10, budget)
            for name in (*SCOPES, *(random_name(kind, "cross") for kind in (MANY, STRONG))):
                yield Cell("towards", name, 10, budget)
            if self.long:
                for goal in ("away", "towards"):
                    for name in SCOPES:
                        yield Cell(goal, name, self.long, budget)


QUICK = Sizes(seeds=1, pictures=20, captions=10, reference=384, budgets=(SHOWN,), long=0)


def study(
    seed: int, quick: bool, sheet: Path | None = None, other_clip: Sequence[Path] = (), sizes: Sizes | None = None
) -> dict[str, Any]:
    """Attack, measure, defend, detect; print the figures and what they say.

    Args:
        seed: of the pairs, random starts and random latents; the next ones are used as well.
        quick: one seed, one budget, ten steps, few pictures.
        sheet: where to draw a strip of attacked pictures.
        other_clip: other CLIPs of this world, for transfer; without any, the figures leave transfer out.
        sizes: instead of those that `quick` stands for.

    Returns:
        The figures, for JSON; `text` has the sentences.
    """
    sizes = sizes or (QUICK if quick else Sizes())
    bank, clip = FeatureBank.load(ASSETS / "banks" / "mini"), Clip(MINI / "clip")
    others = {_title(folder): Clip(folder) for folder in other_clip}
    tally = Tally(tuple(others))
    reference = _embed_pictures(clip, seed + 100, sizes.reference)
    unseen = _embed_pictures(clip, seed + 200, sizes.reference)
    strips: list[tuple[Cell, torch.Tensor]] = []
    for one in range(seed, seed + sizes.seeds):
        scenes = new_scenes(one, sizes.pictures)
        trial = new_trial(clip, scenes)
        elsewhere = {name: new_trial(other, scenes) for name, other in others.items()}
        rng = np.random.default_rng((one, 22))
        through = channels(bank, "image", reference, rng)
        tally.begin(trial, elsewhere)
        for cell in sizes.cells(list(through)):
            attacked = _attack(trial, cell, through)
            tally.add(cell, trial, embed_all(clip, attacked), _visibility(trial, attacked))
            for name, other in elsewhere.items():
                tally.add_elsewhere(cell, name, other, embed_all(other.clip, attacked))
            if one == seed and cell.budget == SHOWN and cell.goal == "away":
                strips.append((cell, attacked[:6]))
        for modality in MODALITIES:
            attacked = _adaptive(trial, channel(bank, modality, "image"), channel(bank, modality, "text"))
            tally.add_adaptive(modality, embed_all(clip, attacked))
        words = channels(bank, "text", trial.text, rng)
        tally.add_swaps(trial, _swapped(trial, words, sizes.captions))
        tally.add_defences(trial, bank, SHOWN)
        print(f"seed {one}: attacked", flush=True)
    figures = {
        "attacks": tally.attacks(), "comparisons": tally.comparisons(sorted({SHOWN, max(sizes.budgets)})),
        "swaps": tally.swaps(), "defences": tally.defences(), "detectors": _detectors(bank, tally, reference, unseen),
        "features": _fired(bank, tally, unseen), "clean": tally.clean(), "sizes": sizes._asdict(), "others": list(others),
        "kinship": {name: kinship(clip, other) for name, other in others.items()},
        "shown": SHOWN, "gallery": GALLERY,
    }  # fmt: skip
    figures["text"] = verdict.text(figures)
    _print(figures)
    if sheet:
        save_attacked(new_scenes(seed, sizes.pictures).attacked[:6], strips, sheet)
    return figures


def _title(folder: Path) -> str:
    """What a CLIP is called in tables: its folder's name, or that of the folder around `export/clip`, where training writes it."""
    return next(part for part in reversed(folder.absolute().parts) if part not in ("clip", "export"))


def _embed_pictures(clip: Clip, seed: int, count: int) -> torch.Tensor:
    """Embeddings of `count` clean pictures, `[count, d_joint]`."""
    return torch.cat([embed_all(clip, batch.pictures) for batch in WorldPairs(seed, count, READ).batches(128)])


def _generator(trial: Trial, cell: Cell) -> torch.Generator:
    """The same random start for every channel."""
    return torch.Generator().manual_seed(trial.scenes.seed * 1000 + cell.budget)


def _attack(trial: Trial, cell: Cell, through: dict[str, Channel]) -> torch.Tensor:
    """The pictures of a trial, attacked, `uint8`."""
    pictures, generator = trial.scenes.attacked, _generator(trial, cell)
    if cell.through == NOISE:
        return sign_noise(pictures, cell.budget, generator)
    towards = cell.goal == "towards"
    goal = objective(through[cell.through], trial.clean, trial.targets if towards else trial.matching, towards)
    return pgd(trial.clip, pictures, goal, cell.budget, cell.steps, generator)


def _adaptive(trial: Trial, image: Channel, text: Channel) -> torch.Tensor:
    """Pictures attacked by someone who knows that a class will be removed, and attacks what is left."""
    captions = text.removed(trial.matching)
    generator = _generator(trial, Cell("away", "adaptive", 10, SHOWN))
    return pgd(trial.clip, trial.scenes.attacked, lambda x: -(image.removed(x) * captions).sum(1), SHOWN, 10, generator)


def _swapped(trial: Trial, through: dict[str, Channel], count: int) -> dict[str, torch.Tensor]:
    """Channel -> embeddings of the first `count` captions with the word swapped that moves them furthest from their picture."""
    count = min(count, len(trial.clean))
    best: dict[str, list[torch.Tensor]] = {name: [] for name in through}
    for k in range(count):
        clean = trial.matching[k : k + 1]
        candidates = swaps(trial.scenes.captions[k])
        x = torch.cat([clean, trial.clip.embed_texts(candidates)]) if candidates else clean
        for name, one in through.items():
            score = objective(one, clean, trial.clean[k : k + 1], towards=False)(x)
            best[name].append(x[score.argmax()])
    return {name: torch.stack(rows) for name, rows in best.items()}


def _visibility(trial: Trial, attacked: torch.Tensor) -> dict[str, np.ndarray]:
    pictures = trial.scenes.attacked
    return {"PSNR": psnr(pictures, attacked).numpy(), "SSIM": ssim(pictures, attacked).numpy()}


def _detectors(bank: FeatureBank, tally: Tally, reference: torch.Tensor, unseen: torch.Tensor) -> list[dict[str, Any]]:
    """Each score on each attack by ten steps, and on noise."""
    scores: dict[str, detector.Score] = {"embedding (no dictionary)": detector.mahalanobis(reference)}
    for modality in MODALITIES:
        one = channel(bank, modality, "image")
        distance = detector.mahalanobis(one.code(reference))
        scores[f"{modality} code"] = lambda x, one=one, distance=distance: distance(one.code(x))  # type: ignore[misc]
    dictionary = bank.dictionaries["image"]
    scores["reconstruction error"] = lambda x: (dictionary(x) - x).norm(dim=1)
    rows = []
    for name, score in scores.items():
        clean = score(unseen).numpy()
        for cell, x in tally.embeddings(("away",), (*SCOPES, NOISE), (0, 10)):
            result = detector.detection(clean, score(x).tolist())
            rows.append({"score": name, "attack through": cell.through, "budget": cell.budget, **result._asdict()})
    return rows


def _fired(bank: FeatureBank, tally: Tally, clean: torch.Tensor) -> list[dict[str, Any]]:
    """The features that attacks at the budget shown make fire most often beyond what clean pictures do, five an attack."""
    rows = []
    for cell, x in tally.embeddings(("away",), SCOPES, (10,)):
        if cell.budget != SHOWN:
            continue
        risen = []
        for modality in MODALITIES:
            one = channel(bank, modality, "image")
            before, after = ((one.code(part) > 0).double().mean(0) for part in (clean, x))
            features = [f for f in bank.features if f.modality == modality]
            risen += list(zip(features, before.tolist(), after.tolist(), strict=True))
        risen.sort(key=lambda row: row[1] - row[2])
        rows += [
            {"attack through": cell.through, "feature": f.name, "modality": f.modality, "clean": a, "attacked": b}
            for f, a, b in risen[:5]
        ]
    return rows


def _print(figures: dict[str, Any]) -> None:
    for title in ("attacks", "comparisons", "swaps", "defences", "detectors", "features"):
        print(f"\n{title}\n{table(figures[title])}")
    print("\n" + figures["text"])
