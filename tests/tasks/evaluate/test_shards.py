"""A plan cut anywhere gives the same evaluation, and one that was cut off measures only what is missing."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.predict import Predictor
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.shards import shards_of
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
from tasks.evaluation import read_cost
from tasks.stage import execute
from tasks.store import ArtefactStore
from tests.published import box_dataset, checkpoint

PLAN = EvaluationPlan(views=20, keyframes=3, batch=4, baseline_views=8, bootstrap=100)


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 200))
def test_shards_are_whole_batches_that_cover_the_plan(views: int, batch: int, size: int) -> None:
    shards = list(shards_of(views, batch, size))
    assert shards[0].start == 0 and shards[-1].stop == views
    assert all(a.stop == b.start for a, b in itertools.pairwise(shards))
    assert all(shard.start % batch == 0 and shard.start < shard.stop for shard in shards)


class Crash(BaseException):
    """Ends the stage like a kill: nobody handles it."""


def spec(store: ArtefactStore, folder: Path, shard_views: int) -> EvaluateSpec:
    plan = PLAN.model_copy(update={"shard_views": shard_views})
    return EvaluateSpec(dataset=box_dataset(store, folder), checkpoint=checkpoint(store, folder), plan=plan)


def test_a_killed_evaluation_measures_only_the_missing_shards_and_any_cut_gives_the_same(
    store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, sizes, original = spec(store, tmp_path, 8), [], Predictor.predict

    def fragile(self: Predictor, views: object, text: object) -> object:
        sizes.append(len(views.rgb))  # type: ignore[attr-defined]
        if len(sizes) == 4:
            raise Crash
        return original(self, views, text)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "predict", fragile)
    with pytest.raises(Crash):
        execute(asked, evaluate)
    assert len(store.refs("part")) == 1, "the first shard, of two batches, is kept"
    resumed = execute(asked, evaluate).outputs["evaluation"]
    assert sizes[:4] == [4] * 4 and sizes[4:7] == [4] * 3, "of five batches three were missing"
    for shard_views in (4, 20):
        cut = asked.model_copy(update={"plan": asked.plan.model_copy(update={"shard_views": shard_views})})
        assert execute(cut, evaluate, force=True).outputs["evaluation"] == resumed


def test_the_page_is_whole_without_a_network_and_tells_every_system_and_scene(
    store: ArtefactStore, tmp_path: Path
) -> None:
    id = execute(spec(store, tmp_path, 64), evaluate).outputs["evaluation"]
    page = store.read(store.manifest(id).blobs["report.html"]).decode()
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", page) and "@import" not in page and "<script" not in page
    for told in ("this model", "mean map by slot", "Calibration", "best view", "median view", "worst view", "forward"):
        assert told in page, told
    assert page.count("<img") == 8 and "5 scenes, worst first" in page and "20 of 20 views" in page
    cost = read_cost(store, id)
    assert 0 < cost["latency"] <= cost["latency_p95"] and cost["memory"] > 1000
