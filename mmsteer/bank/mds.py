"""The Modality Dominance Score (MDS), its interval, related statistics, and the three classes. Pure, on numpy arrays.

MDS_k = mean over pairs with z_img + z_txt > 0 of z_img / (z_img + z_txt), for non-negative codes (2502.14888, Sec. 2.1).
Pairs where the feature is silent on both sides are skipped: with an epsilon in the denominator the score would
measure how often a feature fires.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from mmsteer.bank import Modality

VISION_ABOVE, LANGUAGE_BELOW = 0.8, 0.2
LEAST_COFIRING = 1.5  # over chance, for a feature to count as cross-modal
LEAST_TOGETHER = 0.1  # of the pairs on which it fires, both sides do in at least this share


class Score(NamedTuple):
    """What held-out pairs say about one feature's modality."""

    mds: float
    """In [0, 1]; NaN if the feature never fires."""
    low: float
    high: float
    """95 % bootstrap interval over pairs."""
    n_pairs: int
    """Pairs on which either side fires."""
    energy_ratio: float
    """E[z_img^2] / (E[z_img^2] + E[z_txt^2])."""
    cofiring: float
    """P(both fire) / (P(image fires) P(text fires)); 0 where one side never does."""
    p_both: float
    """P(both fire | either fires)."""
    both: float
    """MDS over the pairs where both fire: not lowered by captions that leave the concept out; NaN if there are none."""
    rate_image: float
    rate_text: float


def score(z_image: np.ndarray, z_text: np.ndarray, seed: int = 0, resamples: int = 200) -> Score:
    """Score one feature.

    Args:
        z_image: `[N]`, its non-negative activations on the pictures of N pairs.
        z_text: `[N]`, on their captions.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    fires_image, fires_text = z_image > 0, z_text > 0
    either, both = fires_image | fires_text, fires_image & fires_text
    n = int(either.sum())
    rate_image, rate_text = float(fires_image.mean()), float(fires_text.mean())
    if not n:
        return Score(np.nan, np.nan, np.nan, 0, np.nan, 0.0, 0.0, np.nan, 0.0, 0.0)
    ratio = z_image[either] / (z_image[either] + z_text[either])
    rng = np.random.default_rng(seed)
    means = np.array([ratio[rng.integers(0, n, n)].mean() for _ in range(resamples)])
    low, high = np.quantile(means, [0.025, 0.975])
    energy_image, energy_text = float(np.square(z_image).mean()), float(np.square(z_text).mean())
    chance = rate_image * rate_text
    return Score(
        mds=float(ratio.mean()),
        low=float(low),
        high=float(high),
        n_pairs=n,
        energy_ratio=energy_image / (energy_image + energy_text),
        cofiring=float(both.mean() / chance) if chance else 0.0,
        p_both=float(both.sum() / n),
        both=float((z_image[both] / (z_image[both] + z_text[both])).mean()) if both.any() else float("nan"),
        rate_image=rate_image,
        rate_text=rate_text,
    )


def absolute_rule(score: Score) -> "Modality":
    """Cross if both sides fire on the same pairs, well over chance, and neither dominates there; else the side with the higher score.

    The plain score cannot decide this: a concept always drawn but captioned in a share r of its pictures scores
    1 - r / 2, so it measures how often a concept is captioned. The score over the pairs where both fire does not depend on
    r. A feature that never fires on one side has no such pairs, and a split one hardly any.
    """
    together = score.cofiring >= LEAST_COFIRING and score.p_both >= LEAST_TOGETHER
    if together and LANGUAGE_BELOW <= score.both <= VISION_ABOVE:
        return "cross"
    return "vision" if score.mds >= 0.5 else "language"


def swap_null(z_image: np.ndarray, z_text: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The null of the score: codes `[N, ...]` whose sides are exchanged in a random half of the pairs.

    The score then lies at one half whatever fired, and one-sided features look like cross-modal ones.
    """
    swap = np.random.default_rng(seed).random(len(z_image)) < 0.5
    swap = swap.reshape(-1, *(1,) * (z_image.ndim - 1))
    return np.where(swap, z_text, z_image), np.where(swap, z_image, z_text)


def separation(one_sided: np.ndarray, cross: np.ndarray) -> float:
    """How well the distance of MDS from one half tells one-sided features from cross ones: AUC, 0.5 is not at all."""
    a, b = np.abs(one_sided - 0.5)[:, None], np.abs(cross - 0.5)[None]
    return float((a > b).mean() + (a == b).mean() / 2) if a.size and b.size else float("nan")


def paper_rule(mds: np.ndarray) -> "list[Modality]":
    """The paper's classes: above mean + one standard deviation over features vision, below mean - one language, else cross."""
    middle, spread = float(np.nanmean(mds)), float(np.nanstd(mds))
    return ["vision" if m > middle + spread else "language" if m < middle - spread else "cross" for m in mds]
