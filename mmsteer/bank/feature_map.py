"""A map of features: places in two dimensions, by the cosines of their directions (`FeatureBank.directions`). Pure, on tensors."""

import torch

MOST = 1000  # features with a place: more dots than that nobody can tell apart, and time grows with the square
_NEIGHBOURS = 12.0  # perplexity: how many others a dot is drawn to
_ROUNDS, _EARLY = 400, 100


def places(rows: torch.Tensor) -> torch.Tensor:
    """Places `[min(n, MOST), 2]` from 0 to 1 in which rows `[n, d]` of unit length that are alike lie close together.

    t-SNE (van der Maaten & Hinton, JMLR 2008) on squared distances 2 - 2 cos, from the first two principal components, so
    nothing is drawn by chance: the same rows get the same places. Principal components alone pile most features up in
    the middle. Far apart means no more than "not alike".
    """
    rows = rows[:MOST].double()
    n = len(rows)
    if n < 4:  # too few to have neighbours: side by side
        return torch.stack([(torch.arange(n) + 0.5) / max(n, 1), torch.full((n,), 0.5)], dim=1).float()
    centred = rows - rows.mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    y = u[:, :2] * s[:2]
    y = y / y.std().clamp(min=1e-12) * 1e-2
    wanted = _affinities((2 - 2 * rows @ rows.T).clamp(min=0), min(_NEIGHBOURS, (n - 1) / 3))
    velocity, rate = torch.zeros_like(y), max(n / 48, 10.0)
    for k in range(_ROUNDS):
        closeness = 1 / (1 + torch.cdist(y, y).square())
        closeness.fill_diagonal_(0)
        exaggerated = wanted * 12 if k < _EARLY else wanted
        pull = (exaggerated - closeness / closeness.sum()) * closeness
        gradient = 4 * (pull.sum(1, keepdim=True) * y - pull @ y)
        velocity = (0.5 if k < _EARLY else 0.8) * velocity - rate * gradient
        y = y + velocity
    low, high = y.min(0).values, y.max(0).values
    scaled: torch.Tensor = (y - low) / (high - low).clamp(min=1e-12)
    return scaled.float()


def _affinities(squared: torch.Tensor, neighbours: float) -> torch.Tensor:
    """p_ij of t-SNE from squared distances `[n, n]`: a Gaussian per row, as wide as gives it that many neighbours."""
    others = squared.clone().fill_diagonal_(float("inf"))
    low, high = torch.zeros(len(squared), 1).double(), torch.full((len(squared), 1), 1e4).double()
    for _ in range(50):  # bisection of each row's width
        middle = (low + high) / 2
        p = torch.softmax(-others * middle.clamp(min=1e-12), dim=1)
        too_wide = -torch.xlogy(p, p).sum(1, keepdim=True) > torch.tensor(neighbours).log()
        low, high = torch.where(too_wide, middle, low), torch.where(too_wide, high, middle)
    return (p + p.T) / (2 * len(p))
