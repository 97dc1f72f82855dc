"""How well a feature detects something: by its values, or by where it fires."""

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


def f1(fires: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """F1 of each detector `fires [N, p]` for each concept `truth [N, q]`, both bool: `[p, q]`."""
    fires, truth = fires.astype(np.float32), truth.astype(np.float32)
    hits = fires.T @ truth
    total = fires.sum(0)[:, None] + truth.sum(0)[None]
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), 0.0)
