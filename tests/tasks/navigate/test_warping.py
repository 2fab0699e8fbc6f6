"""nDTW against the plain definition of dynamic time warping."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.navigate.warping import Warping, spaced

places = st.integers(1, 6).flatmap(lambda n: arrays(np.float64, (n, 3), elements=st.floats(-5, 5)))


def warped(a: np.ndarray, b: np.ndarray) -> float:
    """DTW by its recursion over prefixes."""

    @cache
    def best(i: int, j: int) -> float:
        if i < 0 or j < 0:
            return 0.0 if i == j == -1 else np.inf
        return float(np.linalg.norm(a[i] - b[j])) + min(best(i - 1, j), best(i, j - 1), best(i - 1, j - 1))

    return best(len(a) - 1, len(b) - 1)


@settings(max_examples=60, deadline=None)
@given(reference=places, walk=places)
def test_each_step_adds_its_row(reference: np.ndarray, walk: np.ndarray) -> None:
    warping = Warping(reference)
    for i, place in enumerate(walk):
        warping.add(place)
        assert warping.metres == pytest.approx(warped(walk[: i + 1], reference), abs=1e-9)
        assert warping.score == pytest.approx(np.exp(-warping.metres / (3 * len(reference))))


def test_the_path_itself_scores_one_and_another_less() -> None:
    path = spaced(np.array([[0.0, 0, 0], [2, 0, 0], [2, 0, 1.1]]))
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() <= 0.25 + 1e-9
    assert len(path) == 1 + 8 + 5
    same, away = Warping(path), Warping(path)
    for place in path:
        same.add(place)
        away.add(place + np.array([0, 0, 3.0]))
    assert same.score == 1.0
    # Three metres aside all the way: never farther than d, so not below exp(-1).
    assert np.exp(-1) <= away.score < 0.5
