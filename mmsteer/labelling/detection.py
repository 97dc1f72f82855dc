"""How well values detect groups, without a threshold."""

import numpy as np


def auc(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: P(a value inside a group > one outside), ties count one half.

    Mann and Whitney's U from average ranks.

    Args:
        values: `[N, p]`.
        groups: bool `[N, q]`.

    Returns:
        `[p, q]`; 0.5 where a group has no members, or all.
    """
    ranks = np.empty(values.shape)
    for column, rank in zip(values.T, ranks.T, strict=True):
        ordered = np.sort(column)
        rank[:] = (np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right") + 1) / 2
    inside = groups.sum(0)
    wins = ranks.T @ groups.astype(np.float64) - inside * (inside + 1) / 2
    contests = inside * (len(groups) - inside)
    return np.where(contests > 0, wins / np.maximum(contests, 1), 0.5)
