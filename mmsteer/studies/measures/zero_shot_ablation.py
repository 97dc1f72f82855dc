"""Zero-shot ablation evaluation: recognition and retrieval by embeddings, before and after latents are removed from them."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.studies.measures.shares import Share
from mmsteer.world.captions import value_prompt
from mmsteer.world.embedding import embed_captions, embed_world, load_clip
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.assembly import MINI

TOLERANCE = 0.02  # of the target energy
SIDES = {"vision": ("image",), "language": ("text",), "cross": ("image", "text")}
"""From the embeddings of which sides features of a modality are removed."""
TASKS = {"recognition": ("thing", "place", "position", "size"), "retrieval": ("to caption", "to picture")}
"""Task -> the questions whose mean it is."""
BATCH, _RESAMPLES = 256, 400
"""Among how many pairs retrieval searches, and how often pairs are resampled for an interval."""
NONE = np.array([], dtype=np.int64)

Group = dict[str, np.ndarray]
"""Side -> latents to remove there; on both sides, row k is feature k's."""
Correct = dict[str, np.ndarray]
"""Question or task -> share of right answers [draws, N]: 0 or 1 for a question, their mean for a task."""


def latents(features: Iterable[Feature], modality: str) -> Group:
    """The latents of a modality's features: the image latent of vision-only ones, the text latent of language-only ones, both of
    cross-modal ones.
    """
    chosen = [f for f in features if f.modality == modality]
    by_side = {"image": [f.image_latent for f in chosen], "text": [f.text_latent for f in chosen]}
    return {side: np.array(by_side[side], dtype=np.int64) for side in SIDES[modality]}


def energy_matrix(code: torch.Tensor, rows: torch.Tensor) -> np.ndarray:
    """Mean inner products of what two latents contribute, `[n, n]`, from `code [N, n]` and decoder `rows [n, d]`."""
    return np.asarray(((code.T @ code / len(code)) * (rows @ rows.T)).double().numpy())


def energy(matrix: np.ndarray, group: np.ndarray) -> float:
    """Mean squared norm of what `group` contributes: the sum of its block of the energy matrix."""
    return float(matrix[np.ix_(group, group)].sum())


def pick(matrix: np.ndarray, order: np.ndarray, target: float) -> np.ndarray | None:
    """Members of `order`, each taken unless it overshoots, until their energy is within TOLERANCE of `target`; None if it never
    is.
    """
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
    """`pick` from random orders of `pool`: the first that meets the target.

    Raises:
        SteerError: none of a hundred orders meets it.
    """
    for _ in range(100):
        chosen = pick(matrix, rng.permutation(pool), target)
        if chosen is not None:
            return chosen
    raise SteerError(f"no choice of {len(pool)} features has an energy within {TOLERANCE:.0%} of {target:.4f}")


def remove(x: torch.Tensor, code: torch.Tensor, rows: torch.Tensor, group: np.ndarray) -> torch.Tensor:
    """Unit embeddings `x [N, d]` without what the latents of `group` contribute, unit length again."""
    return F.normalize(x - code[:, group] @ rows[group], dim=1)


def interval(correct: np.ndarray, weights: np.ndarray) -> Share:
    """Mean of `correct [draws, N]`; its bounds by resampling draws and, with `weights [resamples, N]`, pairs."""
    draws = len(correct)
    resampled = np.random.default_rng(0).multinomial(draws, np.full(draws, 1 / draws), len(weights)) / draws
    means = ((resampled @ correct) * weights).sum(1) / weights.sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Share(float(correct.mean()), float(low), float(high), correct.shape[1])


class ZeroShotAblation(NamedTuple):
    """Embeddings of both sides, what can be removed from them, and the questions."""

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
    """which rows of text are a factor's class prompts"""
    truth: np.ndarray
    """[N, n_factors]"""
    weights: np.ndarray
    """bootstrap resamples of the pairs, [resamples, N]"""

    def without(self, group: Group) -> dict[str, torch.Tensor]:
        """Embeddings of both sides with a group removed."""
        return {s: remove(self.x[s], self.code[s], self.rows[s], group.get(s, NONE)) for s in self.x}

    def evaluate(self, x: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
        """Which pairs are recognised and retrieved rightly, bool `[N]` a question; for gender, `[n_people]`."""
        image, captions, right = x["image"], x["text"][: len(x["image"])], {}
        for name, rows in self.prompts.items():
            truth = self.truth[:, INDEX[name]]
            seen = (image @ x["text"][rows].T).argmax(1).numpy()
            right[name] = (seen + 1 == truth)[truth > 0] if name == "gender" else seen == truth  # 0 is nobody
        batches = (side.view(-1, BATCH, side.shape[1]) for side in (image, captions))
        similarity = next(batches) @ next(batches).mT
        for name, dim in (("to caption", 2), ("to picture", 1)):
            right[name] = (similarity.argmax(dim) == torch.arange(BATCH)).flatten().numpy()
        return right

    def evaluate_all(self, versions: Iterable[dict[str, torch.Tensor]]) -> Correct:
        """Questions and tasks on several versions of the embeddings, one a draw."""
        right = [self.evaluate(x) for x in versions]
        correct: Correct = {name: np.stack([r[name] for r in right]).astype(float) for name in right[0]}
        return correct | {task: np.mean([correct[name] for name in names], axis=0) for task, names in TASKS.items()}

    def share(self, correct: Correct, name: str) -> Share:
        """Share of right answers to one question or task."""
        people = self.truth[:, INDEX["gender"]] > 0
        return interval(correct[name], self.weights[:, people] if name == "gender" else self.weights)


def new_evaluation(bank: FeatureBank, seed: int, count: int) -> ZeroShotAblation:
    """An evaluation on `count` fresh pairs of the world, with the dictionaries of a bank. `count` is a multiple of BATCH."""
    with TemporaryDirectory() as folder:
        pairs = embed_world(MINI / "clip", seed, count, Path(folder))
    clip, tokenizer = load_clip(MINI / "clip")
    texts: list[str] = []
    prompts = {}
    for name in (*TASKS["recognition"], "gender"):
        asked = [value_prompt(name, v) for v in FACTORS[INDEX[name]].values if v != "nobody"]
        prompts[name] = slice(count + len(texts), count + len(texts) + len(asked))
        texts += asked
    classes = embed_captions(clip, tokenizer, texts)
    x = {"image": pairs.image, "text": torch.cat([pairs.text, classes])}
    code = {side: bank.dictionaries[side].encode(x[side]) for side in x}
    rows: dict[str, torch.Tensor] = {side: bank.dictionaries[side].W_dec for side in x}
    every = {"image": [f.image_latent for f in bank.features], "text": [f.text_latent for f in bank.features]}
    return ZeroShotAblation(
        x, code, rows,
        matrix={side: energy_matrix(code[side][:count], rows[side]) for side in x},
        pool={side: np.array([k for k in every[side] if k is not None]) for side in x},
        prompts=prompts, truth=pairs.factors,
        weights=np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), _RESAMPLES),
    )  # fmt: skip
