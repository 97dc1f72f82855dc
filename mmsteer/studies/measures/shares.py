"""A figure with its interval: proportions, means over concepts, means over seeds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Share(NamedTuple):
    """A figure with its interval: 95 %, of a proportion by Wilson (1927) or by bootstrap; or the range over seeds."""

    value: float
    low: float
    high: float
    trials: int
    """On how many it rests (pairs, features, seeds); with 0 the value is NaN."""

    def __str__(self) -> str:
        return "-" if not self.trials else f"{decimal(self.value, 3)} [{decimal(self.low, 3)}, {decimal(self.high, 3)}]"


def decimal(value: float, digits: int = 2) -> str:
    """A number with so many decimals, and no minus sign before a zero."""
    return f"{value:z.{digits}f}"


def share(hits: int, count: int) -> Share:
    """`hits` of `count` as a proportion with its Wilson interval; a Share of no trials where `count` is 0."""
    if not count:
        return Share(math.nan, 0.0, 1.0, 0)
    from scipy.stats import binomtest

    interval = binomtest(hits, count).proportion_ci(method="wilson")
    return Share(hits / count, float(interval.low), float(interval.high), count)


def mean_with_interval(values: Sequence[float], resamples: int = 2000) -> Share:
    """The mean with its 95 % interval by bootstrap over the values; without any, a Share of no trials."""
    import numpy as np

    if not values:
        return share(0, 0)
    sample = np.array(values)
    means = sample[np.random.default_rng(0).integers(0, len(sample), (resamples, len(sample)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Share(float(sample.mean()), float(low), float(high), len(sample))


def ratio_with_interval(parts: "np.ndarray", wholes: "np.ndarray", resamples: int = 2000) -> Share:
    """How large parts are beside their wholes: the ratio of both sums over the columns, its mean over the rows.

    A ratio of sums, since a whole that happens to be next to nothing would decide a mean of ratios.

    Args:
        parts: `[F, P]`, a row for each feature and a column for each prompt.
        wholes: the same of the wholes; each row has a sum above 0.
        resamples: of the bootstrap over columns, all rows together: what one prompt shows of several features hangs together.

    Returns:
        The ratio with its 95 % interval; it rests on P prompts.
    """
    import numpy as np

    count = parts.shape[1]
    drawn = np.random.default_rng(0).integers(0, count, (resamples, count))
    ratios = (parts[:, drawn].sum(-1) / wholes[:, drawn].sum(-1)).mean(0)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Share(float((parts.sum(1) / wholes.sum(1)).mean()), float(low), float(high), count)


def mean_over_seeds(values: Sequence[float]) -> Share:
    """The mean over seeds; its bounds are the lowest and the highest seed."""
    import numpy as np

    return Share(float(np.mean(values)), min(values), max(values), len(values))
