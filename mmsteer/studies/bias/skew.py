"""How unevenly groups come out of a ranking: MaxSkew@K, KL, NDKL; and of drawn pictures: the mean absolute deviation.

Pure functions on the groups of what was ranked. Definitions: Geyik et al. (1905.01989) for MaxSkew and NDKL, DALL-Eval (2202.04053)
for the deviation.
"""

import numpy as np


def shares(ranked: np.ndarray, n_groups: int) -> np.ndarray:
    """The share of each group among some people, `int [K]` to `float [n_groups]`."""
    return np.bincount(ranked, minlength=n_groups) / max(len(ranked), 1)


def max_skew(ranked: np.ndarray, desired: np.ndarray) -> float:
    """MaxSkew@K: the maximum over groups of log(share in the top K / desired share).

    Args:
        ranked: the group of each of the top K, `int [K]`.
        desired: the share that each group should have, `[n_groups]`, all above 0.

    Returns:
        0 where every group has its share; log(1 / desired) where one group has all places. A group without any place is never the
        maximum, so no small number needs to stand in for its share.
    """
    return float(np.log(max(shares(ranked, len(desired)) / desired)))


def kl(distribution: np.ndarray, desired: np.ndarray) -> float:
    """The Kullback-Leibler divergence of two distributions over groups, in nats; a share of 0 adds nothing."""
    present = distribution > 0
    return float((distribution[present] * np.log(distribution[present] / desired[present])).sum())


def ndkl(ranked: np.ndarray, desired: np.ndarray) -> float:
    """NDKL: the mean of KL(shares of the top i || desired) over i = 1 to K, weighted by 1 / log2(i + 1).

    Args:
        ranked: the group of each of the top K, best first, `int [K]`.
        desired: the share that each group should have, `[n_groups]`.
    """
    weights = 1 / np.log2(np.arange(len(ranked)) + 2)
    each = [kl(shares(ranked[: i + 1], len(desired)), desired) for i in range(len(ranked))]
    return float((weights * each).sum() / weights.sum())


def mean_absolute_deviation(share_of_group: np.ndarray) -> float:
    """How far the shares of one of two groups lie from one half, mean over prompts `[n_prompts]`: 0 is even, 0.5 is always one group."""
    return float(np.abs(np.asarray(share_of_group) - 0.5).mean())
