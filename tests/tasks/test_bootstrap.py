"""Intervals over scenes: they cover, they widen with fewer scenes, and the weights are resamples."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.bootstrap import expanded_tail, interval, resample


@given(clusters=st.integers(2, 40), resamples=st.integers(1, 50), seed=st.integers(0, 2**31 - 1))
def test_weights_are_the_sample_then_draws_of_as_many_clusters(clusters: int, resamples: int, seed: int) -> None:
    weights = resample(clusters, resamples, seed)
    assert weights.shape == (1 + resamples, clusters)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == clusters).all()
    assert np.array_equal(weights, resample(clusters, resamples, seed))


def test_expanded_tail_turns_normal_quantiles_into_those_of_student() -> None:
    # Tabulated t quantiles: 2.776 (4 degrees of freedom) and 2.262 (9).
    assert expanded_tail(5, 0.95) == pytest.approx(NormalDist().cdf(-2.776 * (5 / 4) ** 0.5), rel=1e-2)
    assert expanded_tail(10, 0.95) == pytest.approx(NormalDist().cdf(-2.262 * (10 / 9) ** 0.5), rel=1e-2)
    assert expanded_tail(10_000, 0.95) == pytest.approx(0.025, abs=1e-4)


@pytest.mark.parametrize("clusters", [6, 20])
def test_interval_covers_the_true_mean_of_few_clusters(clusters: int) -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for trial in range(400):
        sample = rng.normal(1.0, 1.0, clusters)
        low, high = interval(resample(clusters, 1000, trial)[1:] @ sample / clusters, clusters, 0.95) or (0, 0)
        hits += low <= 1.0 <= high
    assert 0.92 <= hits / 400 <= 0.985


def test_one_cluster_or_mostly_undefined_replicates_give_no_interval() -> None:
    assert interval(np.ones(100), 1, 0.95) is None
    assert interval(np.where(np.arange(100) < 60, np.nan, 1.0), 9, 0.95) is None
