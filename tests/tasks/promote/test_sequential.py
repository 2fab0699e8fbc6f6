"""The sequential test: exact where it must be, blind to what it may not see, and the same in blocks as one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tasks.promote.sequential import (
    SLOPES,
    SceneScores,
    advantage,
    bounds,
    log_evidence,
    log_ratio,
    reserve_for,
    spread_and_skew,
    stakes,
)
from tasks.scores import Floats

errors = arrays.arrays(np.float64, 8, elements=st.floats(0, 10, allow_subnormal=False))


def scenes(theirs: Floats, mine: Floats) -> SceneScores:
    """One view a scene."""
    return SceneScores(np.ones(theirs.shape), theirs, mine, log_ratio(theirs, mine))


@pytest.mark.parametrize("size", [0.01, 0.7, 50.0])
def test_the_expected_wealth_of_fair_scenes_never_exceeds_the_stake(size: float) -> None:
    # Every course of six fair scenes, so that the expectation is exact.
    courses = np.array(list(itertools.product([-size, size], repeat=6)))
    np.testing.assert_allclose(np.exp(log_evidence(courses)).mean(axis=0), 1.0)
    assert (np.exp(log_evidence(courses - 0.1)).mean(axis=0) <= 1.0 + 1e-9).all()


def test_equal_models_whichever_is_called_the_challenger_bear_no_evidence_on_average() -> None:
    pair = np.random.default_rng(0).standard_cauchy((2, 7)) ** 2
    wealth: dict[float, list[Floats]] = {0.0: [], 0.2: []}
    for swapped in itertools.product([0, 1], repeat=7):
        mine = np.where(swapped, pair[0], pair[1])
        theirs = np.where(swapped, pair[1], pair[0])
        for share, found in wealth.items():
            found.append(np.exp(log_evidence(advantage(scenes(theirs, mine), share))))
    np.testing.assert_allclose(np.mean(wealth[0.0], axis=0), 1.0)
    assert (np.mean(wealth[0.2], axis=0) < 1.0).all()


@given(theirs=errors, mine=errors)
def test_a_stake_is_bounded_and_swapped_models_have_opposite_ones(theirs: np.ndarray, mine: np.ndarray) -> None:
    there, back = (stakes(advantage(scenes(*pair), 0.0)) for pair in ((theirs, mine), (mine, theirs)))
    assert len(there) == len(SLOPES)
    for one, other in zip(there, back, strict=True):
        assert (np.abs(one) <= 1).all()
        np.testing.assert_allclose(one, -other)


def test_the_unit_of_the_errors_does_not_matter() -> None:
    theirs, mine = np.random.default_rng(1).gamma(2, 1, (2, 20))
    np.testing.assert_allclose(advantage(scenes(theirs, mine), 0.1), advantage(scenes(1e-3 * theirs, 1e-3 * mine), 0.1))


def test_errors_of_zero_and_scenes_without_a_view_say_what_they_can() -> None:
    ratio = log_ratio(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert ratio.tolist() == [0.0, 3.0, -3.0, 0.0]
    nothing = SceneScores(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1))
    assert advantage(nothing, 0.5).tolist() == [0.0]


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


def test_the_reserve_shrinks_as_the_sample_grows() -> None:
    assert [round(reserve_for(n), 3) for n in (2, 25, 50, 400)] == [0.5, 0.2, 0.141, 0.125]


def test_a_disaster_that_the_sample_hides_is_covered_by_the_reserve() -> None:
    """A fifth better in all scenes that were drawn, and lost in others: no evidence beyond a reserve of a fifth."""
    rng = np.random.default_rng(3)
    theirs = rng.lognormal(0, 1, (4000, 24))
    mine = 0.8 * theirs * rng.lognormal(0, 0.4, (4000, 24))
    won = {r: (log_evidence(advantage(scenes(theirs, mine), r)).max(axis=1) > np.log(20)).mean() for r in (0.0, 0.2)}
    assert won[0.0] > 0.3 and won[0.2] <= 0.05
