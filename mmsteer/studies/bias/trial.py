"""One seed of the study in the world: fresh people, ordinary pairs and prompts as embeddings, and all figures after an edit.

Test people are balanced: equal men and women in each occupation, every other factor random. Directions, rankings and medians come
from other people, so that nothing is measured on what it was chosen on.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank import FeatureBank
from mmsteer.studies.bias.detection import detect, gap_by_occupation
from mmsteer.studies.bias.groups import SideGroups
from mmsteer.studies.bias.people import People, Prompts, prompts_for
from mmsteer.studies.bias.removal import Space, energy_of, mean_difference, new_space, without
from mmsteer.world.captions import captions, value_prompt
from mmsteer.world.draws import READ, small_pictures
from mmsteer.world.embedding import embed_captions, embed_pictures, load_clip
from mmsteer.world.factors import FACTORS, INDEX, OCCUPATIONS, THINGS, USUAL_GENDER, draw_factors
from mmsteer.world.models.assembly import MINI
from mmsteer.world.pairs import WorldPairs
from mmsteer.world.scene import N_NUISANCE

GROUPS = ("man", "woman")
OTHERS = ("thing", "place", "position", "size")
"""The other factors whose accuracy is the cost."""
SEARCHED = 256
"""Among how many pairs retrieval searches."""
_THING, _GENDER = INDEX["thing"], INDEX["gender"]
Parts = dict[str, torch.Tensor]
"""Side -> what is taken out of its embeddings, `[N, d_joint]`; a side that is missing stays as it is."""
Figures = dict[str, np.ndarray]
"""Figure -> its values over units: occupations, or batches of pairs for R@1."""


class Sizes(NamedTuple):
    """How much is drawn."""

    people: int
    """For each occupation and gender, measured."""
    others: int
    """The same, from which directions, rankings and medians come."""
    pairs: int
    """For R@1; a multiple of SEARCHED."""
    top: int
    """K of the rankings."""
    draws: int
    """Of random choices."""
    pictures: int
    """Drawn for each occupation and seed."""


class Trial(NamedTuple):
    """Everything of one seed."""

    seed: int
    spaces: dict[str, Space]
    """image: people, pairs; text: pairs' captions, prompts for groups and occupations, prompts for other factors"""
    people: People
    prompts: Prompts
    values: np.ndarray
    """int64 [n_people, n_factors]"""
    class_prompts: dict[str, slice]
    """Other factor -> rows of its prompts among the texts"""
    groups: dict[str, SideGroups]
    directions: dict[str, torch.Tensor]
    """Side -> mean difference between the groups, [d_joint, 1]"""
    codes: dict[str, torch.Tensor]
    """Side -> code of the other people"""
    gender: np.ndarray
    """of the other people, 0 man, 1 woman"""
    sizes: Sizes

    def figures(self, parts: Parts) -> Figures:
        """Every figure after parts were taken out."""
        x = {s: without(space.x, parts[s]) if s in parts else space.x for s, space in self.spaces.items()}
        n, pairs = len(self.people.group), self.sizes.pairs
        image, text = x["image"][:n], x["text"][pairs:]
        found = detect(image, text, self.people, self.prompts, self.sizes.top)
        usual = [GROUPS.index(USUAL_GENDER[name]) for name in self.people.occupations]
        others = []
        for name, rows in self.class_prompts.items():
            seen = (image @ x["text"][rows].T).argmax(1).numpy()
            others.append(seen == self.values[:, INDEX[name]])
        right = np.mean(others, 0)
        return {
            "accuracy": found.right.mean(1), "men": found.right[:, 0], "women": found.right[:, 1],
            "gap": found.right[:, 0] - found.right[:, 1], "gap by occupation": gap_by_occupation(found.right),
            "accuracy, occupation named": found.right_at_work.mean(1),
            "men in top K": found.shares[:, 0], "usual in top K": found.shares[range(len(usual)), usual],
            "MaxSkew": found.max_skew, "NDKL": found.ndkl, "KL": found.kl,
            "other factors": np.array([right[self.people.occupation == k].mean() for k in range(len(usual))]),
            "R@1": _recall(x["image"][n:], x["text"][:pairs]),
        }  # fmt: skip

    def energy(self, side: str, part: torch.Tensor) -> float:
        """The mean squared length of what is taken out: of people's pictures, or of the prompts for groups and occupations."""
        first = 0 if side == "image" else self.sizes.pairs
        count = len(self.people.group) if side == "image" else len(self.prompts.texts)
        return energy_of(part[first : first + count])


def new_trial(bank: FeatureBank, seed: int, sizes: Sizes) -> Trial:
    """Draw and embed one seed.

    Args:
        bank: of the embedded CLIP.
        seed: of everything that is drawn.
        sizes: how much.
    """
    clip, tokenizer = load_clip(MINI / "clip")
    values, pictures = _people(np.random.default_rng((seed, 21)), sizes.people)
    other_values, other_pictures = _people(np.random.default_rng((seed, 22)), sizes.others)
    mentioned = np.zeros(other_values.shape, bool)
    mentioned[:, [_THING, _GENDER]] = True
    other_captions = captions(np.random.default_rng((seed, 23)), other_values, mentioned)
    pairs = next(iter(WorldPairs(seed, sizes.pairs, READ).batches(sizes.pairs)))
    people = People(values[:, _GENDER] - 1, values[:, _THING] - len(THINGS), GROUPS, tuple(OCCUPATIONS))
    prompts = prompts_for(GROUPS, people.occupations)
    texts, class_prompts = [*pairs.captions, *prompts.texts], {}
    for name in OTHERS:
        asked = [value_prompt(name, value) for value in FACTORS[INDEX[name]].values]
        class_prompts[name] = slice(len(texts), len(texts) + len(asked))
        texts += asked

    x = {
        "image": torch.cat([embed_pictures(clip, pictures), embed_pictures(clip, pairs.pictures)]),
        "text": embed_captions(clip, tokenizer, texts),
    }
    others = {
        "image": embed_pictures(clip, other_pictures),
        "text": embed_captions(clip, tokenizer, other_captions),
    }
    gender = other_values[:, _GENDER] - 1
    codes = {side: bank.dictionaries[side].encode(others[side]) for side in others}
    return Trial(
        seed, {side: new_space(x[side], bank.dictionaries[side], codes[side]) for side in x}, people, prompts, values,
        class_prompts,
        {side: SideGroups(bank.features, side, codes[side], gender) for side in x},
        {side: mean_difference(others[side], gender) for side in x}, codes, gender, sizes,
    )  # fmt: skip


def _people(rng: np.random.Generator, count: int) -> tuple[np.ndarray, torch.Tensor]:
    """Factors and small pictures of balanced people, `count` for each occupation and gender."""
    values, _ = draw_factors(rng, count * 2 * len(OCCUPATIONS))
    values[:, _THING] = len(THINGS) + np.arange(len(values)) % len(OCCUPATIONS)
    values[:, _GENDER] = 1 + np.arange(len(values)) // len(OCCUPATIONS) % 2
    nuisance = rng.random((len(values), N_NUISANCE), dtype=np.float32)
    return values, small_pictures(values, nuisance, torch.device("cpu"), 0)


def _recall(image: torch.Tensor, text: torch.Tensor) -> np.ndarray:
    """R@1 among SEARCHED pairs, mean of both ways, a value for each batch."""
    batches = (side.view(-1, SEARCHED, side.shape[1]) for side in (image, text))
    similarity = next(batches) @ next(batches).mT
    own = torch.arange(SEARCHED)
    both = [(similarity.argmax(dim) == own).float().mean(1) for dim in (1, 2)]
    return np.asarray((torch.stack(both).mean(0)).numpy(), dtype=float)


def summary(trials: list[Figures], references: list[Figures] | None = None) -> dict[str, Any]:
    """Means over seeds and units with 95 % intervals by bootstrap over them; with references, of the paired differences.

    Args:
        trials: figures of the same edit, one dictionary a seed.
        references: those to subtract, seed by seed.
    """
    from mmsteer.studies.measures.shares import mean_with_interval

    result = {}
    for name in trials[0]:
        values = np.concatenate([t[name] for t in trials])
        if references is not None:
            values = values - np.concatenate([r[name] for r in references])
        result[name] = mean_with_interval(values.tolist())
    return result
