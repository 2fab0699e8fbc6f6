"""The tests of drift: their size where nothing changed, their power where something did, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from tasks.errors import DataError
from tasks.monitor.drift import Group, Sample, compare, holm_corrected, mmd, psi, unbiased

DRAW = np.random.default_rng


def sample(draw: np.random.Generator, scenes: int, shift: float = 0.0) -> Sample:
    """Two groups of features; the first is shifted."""
    return {
        "pictures": Group(("a", "b"), draw.normal(shift, 1, (scenes, 2))),
        "poses": Group(("c",), draw.gamma(2, 1, (scenes, 1))),
    }


def test_false_alarms_are_as_rare_as_the_level_says() -> None:
    draw = DRAW(0)
    least = [compare(sample(draw, 12), sample(draw, 12), 99, seed).most.corrected for seed in range(250)]
    assert np.mean(np.array(least) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


def test_the_p_value_of_one_group_is_uniform_under_no_change() -> None:
    draw = DRAW(1)
    p = [mmd(draw.normal(size=(10, 3)), draw.normal(size=(10, 3)), 199, draw)[1] for _ in range(200)]
    assert kstest(p, "uniform").pvalue > 0.01


def test_a_shift_is_found_and_named() -> None:
    report = compare(sample(DRAW(2), 24), sample(DRAW(3), 24, shift=1.5), 999, 0)
    assert report.most.group == "pictures" and report.most.corrected <= 0.01 and report.most.effect > 0.4
    assert {feature.feature for feature in report.features[:2]} == {"a", "b"}
    assert report.features[0].psi > 0.25 > report.features[-1].psi
    assert any("pictures.a" in told for told in report.lines())


def test_equal_samples_have_no_effect() -> None:
    same = sample(DRAW(4), 10)
    report = compare(same, same, 99, 0)
    assert report.most.effect == 0 and report.most.corrected == 1 and report.features[0].ks == 0


def test_the_estimate_is_the_textbook_sum() -> None:
    draw = DRAW(5)
    kernel = draw.random((7, 7))
    kernel = (kernel + kernel.T) / 2
    x, y = [0, 2, 5], [1, 3, 4, 6]
    chosen = np.zeros((1, 7))
    chosen[0, x] = 1
    within = (
        sum(kernel[i, j] for i in x for j in x if i != j) / 6 + sum(kernel[i, j] for i in y for j in y if i != j) / 12
    )
    across = sum(kernel[i, j] for i in x for j in y) / 12
    assert unbiased(kernel, chosen)[0] == pytest.approx(within - 2 * across)


def test_constant_features_say_nothing() -> None:
    still = {"labels": Group(("n",), np.ones((6, 1)))}
    assert compare(still, still, 99, 0).most.corrected == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_lowers(p: list[float]) -> None:
    corrected = holm_corrected(p)
    assert all(c >= min(1, q) for q, c in zip(p, corrected, strict=True))
    assert min(corrected) == pytest.approx(min(1.0, min(p) * len(p)))
    order = np.argsort(p, kind="stable")
    assert all(np.diff(np.array(corrected)[order]) >= 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(20, 200))
def test_psi_of_equal_distributions_is_small(seed: int, count: int) -> None:
    draw = DRAW(seed)
    assert psi(draw.normal(size=count), draw.normal(size=count)) < 0.6 * (20 / count) ** 0.5 + 0.25


def test_what_cannot_be_compared_is_told() -> None:
    one, many = sample(DRAW(0), 1), sample(DRAW(1), 9)
    with pytest.raises(DataError, match="newest data has 1 scenes to compare, at least 4"):
        compare(many, one, 99, 0)
    with pytest.raises(DataError, match="The reference has 1 scenes"):
        compare(one, many, 99, 0)
    other = {**many, "poses": Group(("c", "d"), np.zeros((9, 2)))}
    with pytest.raises(DataError, match="other features in poses: they do not compare"):
        compare(many, other, 99, 0)
