"""What an attack is measured on: pairs of the world in one CLIP, with retrieval and zero-shot recognition for pictures and captions."""

from dataclasses import dataclass

import numpy as np
import torch

from mmsteer.models.clip import Clip
from mmsteer.studies.attacks.channel import EVERYTHING, Channel
from mmsteer.studies.attacks.pgd import embed_all
from mmsteer.studies.attacks.word_swap import change_fact
from mmsteer.world.captions import value_prompt
from mmsteer.world.draws import READ
from mmsteer.world.factors import FACTORS, INDEX, OCCUPATIONS
from mmsteer.world.pairs import WorldPairs

GALLERY = 256
"""Among how many pairs retrieval searches."""
RECOGNISED = ("thing", "place", "position", "size")
DIRECTIONS = ("to caption", "to picture")
"""Retrieval of a picture's caption, and of a caption's picture."""

Right = dict[str, np.ndarray]
"""Question -> 1 where the answer is right, else 0, `[n]`."""


@dataclass(frozen=True)
class Target:
    """A caption that differs from a picture's own in one factor."""

    caption: str
    factor: str
    value: int


@dataclass(frozen=True)
class Scenes:
    """Pairs of one seed; the first `len(targets)` are attacked, the rest fills the gallery."""

    seed: int
    pictures: torch.Tensor
    """uint8 [GALLERY, 3, READ, READ]"""
    captions: list[str]
    values: np.ndarray
    targets: list[Target]

    @property
    def attacked(self) -> torch.Tensor:
        """The pictures that are attacked."""
        return self.pictures[: len(self.targets)]


def new_scenes(seed: int, count: int) -> Scenes:
    """Fresh pairs, those whose captions can be changed in one factor first; `count` of them are attacked.

    A target changes a factor drawn at random among the ones that the caption mentions; people become other people.
    """
    batch = next(WorldPairs(seed, GALLERY, READ).batches(GALLERY))
    rng = np.random.default_rng((seed, 21))
    targets = [_target(rng, text, values) for text, values in zip(batch.captions, batch.factors, strict=True)]
    usable = [k for k, target in enumerate(targets) if target is not None][:count]
    order = usable + [k for k in range(GALLERY) if k not in set(usable)]
    return Scenes(
        seed, batch.pictures[order], [batch.captions[k] for k in order], batch.factors[order],
        [target for k in usable if (target := targets[k]) is not None],
    )  # fmt: skip


def _target(rng: np.random.Generator, caption: str, values: np.ndarray) -> Target | None:
    for name in rng.permutation(RECOGNISED).tolist():
        words, present = FACTORS[INDEX[name]].values, int(values[INDEX[name]])
        alike = [
            v
            for v in range(len(words))
            if v != present and (words[v] in OCCUPATIONS) == (words[present] in OCCUPATIONS)
        ]
        value = int(rng.choice(alike))
        changed = change_fact(caption, name, words[present], words[value])
        if changed is not None:
            return Target(changed, name, value)
    return None


@dataclass(frozen=True)
class Trial:
    """Scenes as one CLIP embeds them."""

    clip: Clip
    scenes: Scenes
    image: torch.Tensor
    """[GALLERY, d_joint]"""
    text: torch.Tensor
    """[GALLERY, d_joint]"""
    prompts: dict[str, torch.Tensor]
    """Factor -> one row a value"""
    targets: torch.Tensor
    """[n, d_joint]"""

    @property
    def clean(self) -> torch.Tensor:
        """Embeddings of the pictures that are attacked, before."""
        return self.image[: len(self.targets)]

    @property
    def matching(self) -> torch.Tensor:
        """Embeddings of their captions."""
        return self.text[: len(self.targets)]

    def right(
        self,
        x: torch.Tensor,
        changed: torch.Tensor | None = None,
        removed: tuple[Channel, Channel] = (EVERYTHING, EVERYTHING),
    ) -> Right:
        """Which questions pictures and captions answer rightly.

        Args:
            x: embeddings of the first n pictures, attacked or not, `[n, d_joint]`.
            changed: embeddings of their captions; None: as they were.
            removed: what is set to zero before comparing, in pictures and in captions.
        """
        n, (off_image, off_text) = len(x), removed
        pictures = off_image.removed(torch.cat([x, self.image[n:]]))
        captions = off_text.removed(torch.cat([self.text[:n] if changed is None else changed, self.text[n:]]))
        similarity, numbers = pictures @ captions.T, torch.arange(n)
        right = {
            "to caption": similarity[:n].argmax(1) == numbers,
            "to picture": similarity[:, :n].argmax(0) == numbers,
        }
        for name, prompts in self.prompts.items():
            truth = torch.from_numpy(self.scenes.values[:n, INDEX[name]])
            right[name] = (pictures[:n] @ off_text.removed(prompts).T).argmax(1) == truth
        answers = {name: values.double().numpy() for name, values in right.items()}
        answers["R@1"] = np.mean([answers[name] for name in DIRECTIONS], axis=0)
        answers["recognition"] = np.mean([answers[name] for name in RECOGNISED], axis=0)
        return answers

    def reached(self, x: torch.Tensor) -> Right:
        """Whether pictures are nearer to their target than to their own caption, and are read with the target's value."""
        nearer = (x * self.targets).sum(1) > (x * self.matching).sum(1)
        read = [
            float((self.prompts[target.factor] @ row).argmax() == target.value)
            for target, row in zip(self.scenes.targets, x, strict=True)
        ]
        return {"nearer to the target": nearer.double().numpy(), "read as the target": np.array(read)}


def kinship(one: Clip, other: Clip) -> float:
    """Mean cosine of the weight matrices of two CLIPs of one shape: about 0 for different random beginnings, 1 for the same weights.

    Two that began with the same random weights fool each other more easily than independent ones.
    """
    weights = [dict(clip.model.named_parameters()) for clip in (one, other)]
    cosines = [
        float(torch.nn.functional.cosine_similarity(a.detach().flatten().float(), b.detach().flatten().float(), dim=0))
        for name, a in weights[0].items()
        if a.dim() > 1 and name in weights[1] and (b := weights[1][name]).shape == a.shape
    ]
    return float(np.mean(cosines)) if cosines else 0.0


def new_trial(clip: Clip, scenes: Scenes) -> Trial:
    """Embed scenes."""
    prompts = {}
    for name in RECOGNISED:
        prompts[name] = clip.embed_texts([value_prompt(name, value) for value in FACTORS[INDEX[name]].values])
    return Trial(
        clip, scenes, embed_all(clip, scenes.pictures), clip.embed_texts(scenes.captions), prompts,
        clip.embed_texts([target.caption for target in scenes.targets]),
    )  # fmt: skip
