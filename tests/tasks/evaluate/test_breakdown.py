"""Calibration and figures by group, against what they mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.evaluate.breakdown import calibration, group, grouped
from tasks.scores import ScoreBook
from tasks.summary import METRICS, over_scenes, replicate
from tests.score_books import plan_rows, scores


def test_a_system_that_means_what_it_says_is_calibrated() -> None:
    plan = plan_rows(scenes=60)
    draw = np.random.default_rng(0)
    said = draw.uniform(0, 1, plan.visible.shape)
    honest = replace(plan, visible=draw.uniform(0, 1, said.shape) < said, certain=np.ones_like(plan.certain))
    told = replace(scores(plan, 0.2, 1), none=1 - said)
    assert calibration(honest, told).error < 0.06
    boastful = calibration(honest, replace(told, none=np.where(said > 0.5, 0.0, 1.0)))
    assert boastful.error == pytest.approx(0.25, abs=0.05)
    np.testing.assert_allclose(boastful.said, [0, 1])


def test_the_figures_of_all_views_are_those_of_the_evaluation_and_the_worst_group_comes_first() -> None:
    plan = plan_rows(scenes=6)
    book = ScoreBook(plan, {"model": scores(plan, 0.3, 2)})
    whole = group(book, "model", "all", np.arange(len(plan.scene)), tuple(METRICS))
    draws = over_scenes(plan, 100, 0.95, 0)
    for name in METRICS:
        expected = float(replicate(name, plan, book.systems["model"], draws)[0])
        found = whole.figures[name]
        assert found == pytest.approx(expected) if np.isfinite(expected) else found is None, name
    scenes = grouped(book, "model", plan.scene, ("kld",))
    assert sum(scene.views for scene in scenes) == len(plan.scene)
    assert [s.figures["kld"] for s in scenes] == sorted((s.figures["kld"] for s in scenes), reverse=True)
