"""Figures from scores: against slow reference forms, and against what is known without computing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.scores import Scores
from tasks.summary import METRICS, average_precision, difference, over_scenes, replicate, summarise
from tests.score_books import plan_rows, score_book, scores

PLAN = plan_rows()
DRAWS = over_scenes(PLAN, 200, 0.95, 0)


def reference_precision(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
    """Average precision by its definition: over the distinct thresholds, falling."""
    total, before, area = (weight * positive).sum(), 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        taken = score >= threshold
        recall = (weight * positive)[taken].sum() / total
        if weight[taken].sum() > 0:
            area += (recall - before) * (weight * positive)[taken].sum() / weight[taken].sum()
        before = recall
    return area


pairs = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30)


@given(pairs, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_average_precision_is_its_definition_under_any_weights(drawn: list, weights: list[int]) -> None:
    score, positive, cluster = (np.array(column) for column in zip(*drawn, strict=True))
    positive = positive.astype(bool)
    each = np.array(weights, float)[cluster]
    found = average_precision(score / 5.0, positive, cluster, np.array([weights], float))[0]
    if (each * positive).sum() == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(reference_precision(score / 5.0, positive, each))


def test_integer_weights_are_repeated_scenes() -> None:
    model = scores(PLAN, 0.3)
    cluster = DRAWS.cluster
    weights = np.array([3, 0, 1, 1, 2, 1, 0, 1], float)
    rows = np.concatenate([np.flatnonzero(cluster == c) for c in range(8) for _ in range(int(weights[c]))])
    repeated_plan = type(PLAN)(**{name: getattr(PLAN, name)[rows] for name in vars(PLAN)})
    repeated = Scores(**{name: getattr(model, name)[rows] for name in vars(model)})
    one = over_scenes(repeated_plan, 1, 0.95, 0)
    for name, metric in METRICS.items():
        weighted = metric.compute(PLAN, model, cluster, weights[None])[0]
        assert weighted == pytest.approx(replicate(name, repeated_plan, repeated, one)[0]), name


def test_a_constant_score_has_the_base_rate_as_average_precision() -> None:
    blind = replace(scores(PLAN, 0.3), none=np.full(PLAN.visible.shape, 0.4))
    figures = summarise(PLAN, blind, DRAWS)
    rate = figures["base_rate"].value
    assert rate is not None
    assert figures["ap_visible"].value == pytest.approx(rate)
    assert figures["ap_none"].value == pytest.approx(1 - rate)
    assert figures["brier"].value == pytest.approx(rate * 0.6**2 * 0 + rate * 0.4**2 + (1 - rate) * 0.6**2)


def test_padding_never_counts() -> None:
    model = scores(PLAN, 0.3)
    names = ("kld", "cc", "nss", "distance", "none", "identity", "inside", "metres", "auc")
    loud = {n: np.where(PLAN.valid, getattr(model, n), 1e6) for n in names}
    assert summarise(PLAN, replace(model, **loud), DRAWS) == summarise(PLAN, model, DRAWS)


def test_intervals_hold_the_value_and_the_paired_one_is_narrower() -> None:
    book = score_book(0.3, 0.4)
    left, right = book.systems["model"], book.systems["slot_mean"]
    gap = difference("kld", book.plan, left, right, DRAWS)
    assert gap.low < gap.value < gap.high < 0
    alone = [summarise(book.plan, s, DRAWS)["kld"] for s in (left, right)]
    assert gap.high - gap.low < min(e.high - e.low for e in alone)


def test_a_prediction_that_is_no_number_gives_no_figure() -> None:
    none = scores(PLAN, 0.3).none.copy()
    none[3, 0] = np.nan
    lost = replace(scores(PLAN, 0.3), none=none, kld=np.where(np.isnan(none), np.nan, 0.1))
    figures = summarise(PLAN, lost, DRAWS)
    assert figures["ap_none"].value is figures["brier"].value is figures["kld"].value is None
    assert lost.broken(PLAN) == 1
    assert scores(PLAN, 0.3).broken(PLAN) == 0


def test_miou_leaves_out_absent_classes_and_says_nothing_without_classes() -> None:
    confusion = np.zeros((len(PLAN.scene), 3, 3))
    assert summarise(PLAN, replace(scores(PLAN, 0.3), confusion=confusion), DRAWS)["miou"].value is None
    confusion[:, 0, 0], confusion[:, 0, 2], confusion[:, 2, 2] = 2, 1, 3
    found = summarise(PLAN, replace(scores(PLAN, 0.3), confusion=confusion), DRAWS)["miou"].value
    assert found == pytest.approx((2 / 3 + 3 / 4) / 2)


def test_one_scene_gives_values_without_intervals() -> None:
    plan = plan_rows(scenes=1)
    figures = summarise(plan, scores(plan, 0.2), over_scenes(plan, 200, 0.95, 0))
    assert figures["kld"].value is not None
    assert figures["kld"].low is None


def test_within_a_metre_is_the_share_of_places_as_near() -> None:
    model = scores(PLAN, 0.3)
    seen = PLAN.valid & PLAN.visible
    figures = summarise(PLAN, model, DRAWS)
    assert figures["acc05"].value == pytest.approx((model.metres[seen] <= 0.5).mean())
    assert figures["acc10"].value == pytest.approx((model.metres[seen] <= 1.0).mean())
    assert figures["metres"].value == pytest.approx(model.metres[seen].mean())
    assert 0 < figures["acc05"].value < figures["acc10"].value < 1
