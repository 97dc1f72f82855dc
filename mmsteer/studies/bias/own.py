"""Detection and mitigation on anyone's own CLIP, bank and pictures.

The people are split at random into halves several times: one half gives rankings, medians and directions, the other is measured.
The desired share of a group is its share among the people measured. Intervals are over splits and occupations; splits share people,
so these intervals say how much the split matters and are narrower than for new people. Those of the groups' accuracy are Wilson's.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.studies.bias.detection import detect, gap_by_occupation
from mmsteer.studies.bias.groups import SideGroups
from mmsteer.studies.bias.mitigation import Arm, arms
from mmsteer.studies.bias.own_pictures import Person, embed_people, read_people
from mmsteer.studies.bias.people import People, Prompts, prompts_for
from mmsteer.studies.bias.removal import Space, energy_of, mean_difference, new_space, without
from mmsteer.studies.bias.trial import Figures, Parts, summary
from mmsteer.studies.measures.shares import share
from mmsteer.studies.report import table

_NEEDED = ("--clip", "--bank", "--pictures", "--attribute")
_SPLITS, _MOST_TOP = 5, 100


class OwnSizes(NamedTuple):
    """As `trial.Sizes`, as far as they matter here."""

    draws: int
    top: int
    pairs: int = 0


class OwnTrial(NamedTuple):
    """One split of the people."""

    seed: int
    spaces: dict[str, Space]
    people: People
    prompts: Prompts
    groups: dict[str, SideGroups]
    directions: dict[str, torch.Tensor]
    sizes: OwnSizes

    def figures(self, parts: Parts) -> Figures:
        """Every figure after parts were taken out; those on occupations only where these are known."""
        x = {s: without(space.x, parts[s]) if s in parts else space.x for s, space in self.spaces.items()}
        result = detect(x["image"], x["text"], self.people, self.prompts, self.sizes.top)
        figures = {
            "accuracy": np.nanmean(result.right, axis=1), "gap by occupation": gap_by_occupation(result.right),
        }  # fmt: skip
        if len(self.prompts.occupations):
            seen = (x["image"] @ x["text"][torch.from_numpy(self.prompts.occupations)].T).argmax(1).numpy()
            right = seen == self.people.occupation
            each = range(len(self.people.occupations))
            cost = np.array([right[self.people.occupation == k].mean() for k in each])
            figures |= {"MaxSkew": result.max_skew, "NDKL": result.ndkl, "KL": result.kl, "occupation": cost}
        return figures

    def energy(self, side: str, part: torch.Tensor) -> float:
        """The mean squared length of what is taken out."""
        return energy_of(part)


def study_own(seed: int, given: dict[str, Any], draws: int) -> dict[str, Any]:
    """Measure one's own CLIP on one's own pictures, and print tables.

    Args:
        seed: of the splits and of random choices.
        given: the options of the command, by name.
        draws: of random choices.

    Raises:
        SteerError: an option is missing, or something does not go together.
    """
    missing = [name for name in _NEEDED if given.get(name) is None]
    if missing:
        raise SteerError(f"your own pictures need {', '.join(_NEEDED)}: {' and '.join(missing)} is missing")
    bank, clip = FeatureBank.load(given["--bank"]), Clip(given["--clip"])
    check_bank(bank, clip)
    people = read_people(Path(given["--pictures"]), given["--attribute"], given["--occupation"])
    image, read = embed_people(clip, people)
    trials = [_split(bank, clip, image, read, seed + k, draws) for k in range(_SPLITS)]
    untouched = [trial.figures({}) for trial in trials]
    outcomes: dict[Arm, list[Figures]] = {}
    for trial in trials:
        for arm, outcome in arms(trial):
            outcomes.setdefault(arm, []).append(outcome.figures)
    complete = {arm: each for arm, each in outcomes.items() if len(each) == len(trials)}
    rows = [arm._asdict() | summary(each) for arm, each in complete.items()]
    figures: dict[str, Any] = {
        "people": len(read), "skipped": len(people) - len(read), "splits": _SPLITS, "top": trials[0].sizes.top,
        "groups": _by_group(trials[0]), "detect": summary(untouched), "mitigate": rows,
    }  # fmt: skip
    print(f"{len(read)} people, {len(people) - len(read)} pictures skipped\n\nGroups")
    print(table(figures["groups"]) + "\n\nDetect")
    print(table([{"figure": key, "value": value} for key, value in figures["detect"].items()]))
    print("\nMitigate\n" + table(rows))
    return figures


def check_bank(bank: FeatureBank, clip: Clip) -> None:
    """SteerError unless a bank was made for a CLIP."""
    made_for = bank.meta.get("clip") or {}
    digest = made_for.get("digest") if isinstance(made_for, dict) else None
    if digest is not None and digest != clip.identity["digest"]:
        raise SteerError(
            f"the bank was made for {made_for.get('id', 'another CLIP')}, not for {clip.id}: give a bank of that CLIP, which "
            "`python -m mmsteer bank build` makes"
        )
    width = next(iter(bank.dictionaries.values())).config.d_in
    embedded = clip.embed_texts(["a person"]).shape[1]
    if width != embedded:
        raise SteerError(
            f"the bank is for embeddings {width} wide, those of {clip.id} are {embedded}: give a bank of that CLIP"
        )


def _split(bank: FeatureBank, clip: Clip, image: torch.Tensor, people: list[Person], seed: int, draws: int) -> OwnTrial:
    groups, occupations = (
        tuple(sorted(set(names))) for names in ([p.group for p in people], [p.occupation for p in people])
    )
    group = np.array([groups.index(p.group) for p in people])
    work = np.array([occupations.index(p.occupation) for p in people])
    half = halves(np.random.default_rng((seed, 51)), work * len(groups) + group)
    if any(len(set(group[part])) < len(groups) for part in (half, ~half)):
        raise SteerError("there are too few people to split: give more of each group in each occupation")
    prompts = prompts_for(groups, occupations)
    measured = People(group[half], work[half], groups, occupations)
    sides: dict[str, SparseAutoencoder] = {
        s: bank.dictionaries.get(s) or bank.dictionaries["shared"] for s in ("image", "text")
    }
    # nobody has captions here: prompts that name group and occupation stand for other people's captions
    named = prompts.groups_at_work.reshape(-1, len(groups)) if len(prompts.occupations) else prompts.groups.T
    text = clip.embed_texts(list(prompts.texts))
    x = {"image": image[torch.from_numpy(half)], "text": text}
    others = {"image": image[torch.from_numpy(~half)], "text": text[torch.from_numpy(named.ravel())]}
    labels = {"image": group[~half], "text": np.tile(np.arange(len(groups)), len(named))}
    codes = {side: sides[side].encode(others[side]) for side in x}
    fewest = int(np.bincount(measured.occupation).min())
    return OwnTrial(
        seed, {side: new_space(x[side], sides[side], codes[side]) for side in x}, measured, prompts,
        {side: SideGroups(bank.features, side, codes[side], labels[side]) for side in x},
        {side: mean_difference(others[side], labels[side]) for side in x},
        OwnSizes(draws, max(1, min(_MOST_TOP, fewest // 2))),
    )  # fmt: skip


def halves(rng: np.random.Generator, cell: np.ndarray) -> np.ndarray:
    """Which people are measured, bool `[N]`: half of each cell (group and occupation), and the odd one out of every second cell.

    Args:
        rng: of the split.
        cell: of each person, `int [N]`.
    """
    order = np.lexsort((rng.random(len(cell)), cell))
    chosen = np.zeros(len(cell), bool)
    chosen[order[::2]] = True
    return chosen


def _by_group(trial: OwnTrial) -> list[dict[str, Any]]:
    """Of each group in the first split, how many are recognised."""
    x = {side: space.x for side, space in trial.spaces.items()}
    everybody = trial.people._replace(occupation=trial.people.group * 0, occupations=("",))
    none = trial.prompts._replace(occupations=trial.prompts.occupations[:0])
    right = detect(x["image"], x["text"], everybody, none, 1).right[0]
    counts = np.bincount(trial.people.group, minlength=len(trial.people.groups))
    return [
        {"group": name, "people": int(n), "accuracy": share(round(float(r) * int(n)), int(n))}
        for name, n, r in zip(trial.people.groups, counts, right, strict=True)
    ]
