"""The sequential test: exact where it must be, blind to what it may not see, and the same in blocks as one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tasks.promote.sequential import SceneScores, bounds, limit_for, log_evidence, spread_and_skew, stakes

errors = arrays.arrays(np.float64, 8, elements=st.floats(0, 10, allow_subnormal=False))


def test_the_expected_wealth_of_fair_scenes_never_exceeds_the_stake() -> None:
    # Every course of six fair scenes, so that the expectation is exact.
    courses = np.array(list(itertools.product([-0.7, 0.7], repeat=6)))
    np.testing.assert_allclose(np.exp(log_evidence(courses)).mean(axis=0), 1.0)


def test_equal_models_whichever_is_called_the_challenger_bear_no_evidence_on_average() -> None:
    rng = np.random.default_rng(0)
    pair = rng.lognormal(0, 2, (2, 7))
    wealth = []
    for swapped in itertools.product([0, 1], repeat=7):
        mine = np.where(swapped, pair[0], pair[1])
        theirs = np.where(swapped, pair[1], pair[0])
        wealth.append(np.exp(log_evidence(stakes(SceneScores(np.ones(7), theirs, mine), 0.0, 1.0))))
    np.testing.assert_allclose(np.mean(wealth, axis=0), 1.0)


@given(theirs=errors, mine=errors)
def test_a_stake_is_bounded_and_knows_only_the_scenes_before_it(theirs: np.ndarray, mine: np.ndarray) -> None:
    whole = stakes(SceneScores(np.ones(8), theirs, mine), 0.0, 1.0)
    assert (np.abs(whole) <= 1).all()
    part = stakes(SceneScores(np.ones(5), theirs[:5], mine[:5]), 0.0, 1.0)
    np.testing.assert_array_equal(whole[:5], part)


@given(theirs=errors, mine=errors)
def test_swapped_models_have_opposite_stakes(theirs: np.ndarray, mine: np.ndarray) -> None:
    there = stakes(SceneScores(np.ones(8), theirs, mine), 0.0, 1.0)
    back = stakes(SceneScores(np.ones(8), mine, theirs), 0.0, 1.0)
    np.testing.assert_allclose(there, -back)


def test_the_unit_of_the_errors_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    theirs, mine = rng.gamma(2, 1, (2, 20))
    plain = stakes(SceneScores(np.ones(20), theirs, mine), 0.1, 1.0)
    np.testing.assert_allclose(plain, stakes(SceneScores(np.ones(20), 1e-3 * theirs, 1e-3 * mine), 0.1, 1.0))


def test_bounds_are_students_where_the_gains_are_symmetric_and_wider_where_they_are_skewed() -> None:
    from scipy.stats import t

    gain = np.array([-1.0, 1.0, -2.0, 2.0, -0.5, 0.5]) + 0.3
    mean, low, high = bounds(gain, np.ones(6), 0.025)
    half = t.isf(0.025, 5) * gain.std(ddof=1) / 6**0.5
    assert (mean[-1], low[-1], high[-1]) == pytest.approx((0.3, 0.3 - half, 0.3 + half), rel=1e-3)
    skewed = np.array([0.5, 0.6, 0.55, 0.5, 0.6, -2.0])
    mean, low, _ = bounds(skewed, np.ones(6), 0.025)
    assert low[-1] < mean[-1] - t.isf(0.025, 5) * skewed.std(ddof=1) / 6**0.5


@given(gain=arrays.arrays(np.float64, 9, elements=st.floats(-5, 5)))
def test_moments_by_running_sums_are_those_of_the_scenes(gain: np.ndarray) -> None:
    pairs = np.ones(9)
    mean = np.cumsum(gain) / np.arange(1, 10)
    spread, _ = spread_and_skew(gain, pairs, mean)
    np.testing.assert_allclose(spread[-1], gain.std(ddof=1), atol=1e-6)


def test_the_limit_grows_with_the_sample() -> None:
    assert [limit_for(n) for n in (24, 40, 60, 120)] == [1.0, 1.0, 1.5, 3.0]
