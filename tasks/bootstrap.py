"""Intervals that hold when views of one building resemble each other: the bootstrap over scenes."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

MINIMUM_CLUSTERS = 2
"""Below this there is no spread between scenes to resample."""


def resample(clusters: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Weights [1 + resamples, clusters]: a row of ones (the sample itself), then how often each cluster was drawn."""
    drawn = np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return np.vstack([np.ones((1, clusters)), drawn])


def interval(replicates: NDArray[np.float64], clusters: int, confidence: float) -> tuple[float, float] | None:
    """Two-sided interval of a statistic from its bootstrap replicates; None where too few are finite.

    The *expanded percentile* interval: percentiles are moved outward so that with few clusters the interval is as wide
    as Student's t would make it; the plain percentile interval is too narrow by a factor sqrt((n - 1) / n) and uses
    normal quantiles (T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4),
    2015, section 3.3).
    """
    finite = replicates[np.isfinite(replicates)]
    if clusters < MINIMUM_CLUSTERS or len(finite) < len(replicates) / 2:
        return None
    tail = expanded_tail(clusters, confidence)
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def expanded_tail(clusters: int, confidence: float) -> float:
    """Tail probability alpha'/2 = Phi(-sqrt(n / (n - 1)) t_{alpha/2, n - 1}) of the expanded percentile interval."""
    from scipy.stats import t

    quantile = float(t.ppf((1 + confidence) / 2, clusters - 1))
    return NormalDist().cdf(-((clusters / (clusters - 1)) ** 0.5) * quantile)
