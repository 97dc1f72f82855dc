"""Which features to try on a prompt: a stated rule, without a search or a model. Pure."""

from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from mmsteer.bank.bank import FeatureBank
from mmsteer.bank.feature import Feature

TRIALS = 12
PLACES = {"contained": 3, "exclusive": 3, "other": 2, "only seen": 3, "only said": 1}
"""How many of the twelve each group gets. Places that one cannot fill go to the groups after it, then to those before."""
CONTAINED = 0.5  # presence from which a prompt counts as containing a feature: half as strong as usual


class Trial(NamedTuple):
    """A feature to try."""

    feature: Feature
    takes_out: bool
    """Whether the prompt contains it, so that it is taken out instead of added."""
    instead_of: Feature | None = None
    """What the prompt contains and this feature excludes: as it is added, that fades."""


def promising(
    bank: FeatureBank,
    contained: Sequence[tuple[Feature, float]],
    active: Collection[int] = (),
    image_only: bool = True,
) -> list[Trial]:
    """The twelve features that promise most on a prompt, each concept once, only those whose name says what they fire for.

    Three that the prompt contains, strongest first: they are taken out. Three that exclude one of these, in turns, the nearest in
    the joint space first. Two other seen-and-said ones, three only-seen ones and one only-said one, surest names first; the
    others exclude neither what the prompt contains nor each other.

    Args:
        bank: the features.
        contained: what the prompt contains, with its presence, strongest first (`Steerer.features_of`).
        active: ids of features that are active already: neither they nor others of their concepts are tried.
        image_only: whether the backbone draws what no prompt says; without that, no such feature is tried.
    """
    taken = {_concept(feature) for feature in bank.features if feature.id in active}
    usable = [f for f in bank.features if f.specific and _concept(f) not in taken and (image_only or not f.image_only)]
    present = [f for f, amount in contained if f.specific and amount >= CONTAINED]
    both_sides = _surest([f for f in usable if f.modality == "cross"])
    stated = [f for f in present if f.modality == "cross"]
    groups = {
        "contained": [Trial(f, True) for f in stated if f in usable],
        "exclusive": list(_exclusive(bank, stated, both_sides)),
        "other": list(_others(present, both_sides)),
        "only seen": [Trial(f, False) for f in _surest(usable) if f.modality == "vision"],
        "only said": [Trial(f, f in present) for f in _surest(usable) if f.modality == "language"],
    }
    return _chosen(groups)


def _concept(feature: Feature) -> str:
    """A feature's concept, however its name is written."""
    return feature.concept.lower()


def _exclusive(bank: FeatureBank, stated: Sequence[Feature], features: Sequence[Feature]) -> Iterator[Trial]:
    """Features that exclude one of those stated, each of these in turn, nearest first."""
    row = {feature.id: k for k, feature in enumerate(bank.features)}
    said = {_concept(feature) for feature in stated}

    def nearest_first(one: Feature) -> list[Trial]:
        excluded = [f for f in features if f.id in one.mutually_exclusive and _concept(f) not in said]
        cosines = bank.directions @ bank.directions[row[one.id]]
        return [Trial(f, False, one) for f in sorted(excluded, key=lambda f: -float(cosines[row[f.id]]))]

    first = {_concept(one): one for one in reversed(stated)}.values()  # of several of a concept the strongest speaks
    for turn in zip_longest(*map(nearest_first, sorted(first, key=stated.index))):
        yield from filter(None, turn)


def _others(present: Sequence[Feature], features: Sequence[Feature]) -> Iterator[Trial]:
    """Features that exclude nothing present and none that came before them."""
    seen = list(present)
    for feature in features:
        if not any(feature.id in f.mutually_exclusive or feature.id == f.id for f in seen):
            seen.append(feature)
            yield Trial(feature, False)


def _surest(features: Sequence[Feature]) -> list[Feature]:
    """One feature of each concept, surest names first."""
    first: dict[str, Feature] = {}
    for feature in sorted(features, key=lambda f: (-(f.name_confidence or 0.0), f.id)):
        first.setdefault(_concept(feature), feature)
    return list(first.values())


def _chosen(groups: dict[str, list[Trial]]) -> list[Trial]:
    """Each group's places filled, then the places left over; a concept once."""
    chosen: dict[str, list[Trial]] = {name: [] for name in groups}
    concepts: set[str] = set()

    def fill(name: str, places: int) -> None:
        for trial in groups[name]:
            if places > 0 and (key := _concept(trial.feature)) not in concepts:
                concepts.add(key)
                chosen[name].append(trial)
                places -= 1

    left = 0
    for name, places in PLACES.items():
        before = len(concepts)
        fill(name, places + left)
        left += places - (len(concepts) - before)
    for name in PLACES:
        before = len(concepts)
        fill(name, left)
        left -= len(concepts) - before
    return [trial for name in PLACES for trial in chosen[name]]
