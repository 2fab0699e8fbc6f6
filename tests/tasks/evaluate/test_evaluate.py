"""The stage from published inputs to a published evaluation, and its sentences for what cannot be measured."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.errors import BacksightError, DataError, UsageError
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
from tasks.evaluation import read_book, read_evaluation
from tasks.report import metrics_table
from tasks.spec import ManifestId, Outcome
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tests.published import NETWORK, box_dataset, checkpoint

PLAN = EvaluationPlan(views=20, keyframes=3, batch=8, baseline_views=12, bootstrap=200)


def spec(dataset: ManifestId, model: ManifestId, **changes: object) -> EvaluateSpec:
    return EvaluateSpec(dataset=dataset, checkpoint=model, plan=PLAN.model_copy(update=changes))


def test_an_evaluation_holds_figures_views_and_pictures(store: ArtefactStore, tmp_path: Path) -> None:
    asked = spec(box_dataset(store, tmp_path), checkpoint(store, tmp_path))
    result = execute(asked, evaluate)
    id = result.outputs["evaluation"]
    evaluation, book, manifest = read_evaluation(store, id), read_book(store, id), store.manifest(id)
    assert (evaluation.views, evaluation.scenes, evaluation.grid, evaluation.keyframes) == (20, 5, 8, 3)
    assert evaluation.pairs == 60 == book.plan.valid.sum()
    assert set(book.systems) == set(evaluation.systems) >= {"model", "uniform", "slot_mean", "oracle", "copy_previous"}
    assert evaluation.systems["oracle"]["kld"].value == pytest.approx(0, abs=1e-9)
    assert evaluation.model["kld"].value == pytest.approx(np.nanmean(book.systems["model"].kld))
    assert result.metrics["kld"] == evaluation.model["kld"].value
    gap = evaluation.differences["slot_mean"]["kld"]
    assert gap.value == pytest.approx(evaluation.model["kld"].value - evaluation.systems["slot_mean"]["kld"].value)
    assert set(evaluation.strata) == {"forward", "loop"}
    assert manifest.inputs == {"dataset": asked.dataset, "checkpoint": asked.checkpoint}
    pictures = [name for name in manifest.blobs if name.startswith("pictures/")]
    assert len(pictures) == 4
    for name in pictures:
        assert np.asarray(Image.open(io.BytesIO(store.read(manifest.blobs[name])))).std() > 10, name
    assert max(map(len, metrics_table(evaluation).splitlines())) <= 100


def test_two_models_are_asked_the_same_and_equal_work_is_a_hit(store: ArtefactStore, tmp_path: Path) -> None:
    dataset = box_dataset(store, tmp_path)
    specs = [spec(dataset, checkpoint(store, tmp_path, seed=seed)) for seed in (0, 1)]
    one, other = (execute(asked, evaluate).outputs["evaluation"] for asked in specs)
    assert execute(specs[0], evaluate).outcome is Outcome.CACHED
    assert execute(specs[0], evaluate, force=True).outputs["evaluation"] == one
    books = [read_book(store, id) for id in (one, other)]
    assert books[0].plan.same_as(books[1].plan)
    assert read_evaluation(store, one).plan == read_evaluation(store, other).plan
    for name in books[0].systems:
        alike = np.array_equal(books[0].systems[name].kld, books[1].systems[name].kld, equal_nan=True)
        assert alike == (name != "model"), name


def test_another_seed_asks_other_views(store: ArtefactStore, tmp_path: Path) -> None:
    dataset, model = box_dataset(store, tmp_path), checkpoint(store, tmp_path)
    plans = {
        read_evaluation(store, execute(spec(dataset, model, seed=s), evaluate).outputs["evaluation"]).plan
        for s in (0, 1)
    }
    assert len(plans) == 2


@pytest.mark.parametrize(
    ("quality", "sentence"),
    [
        ({"passed": False, "reasons": ["too dark"], "rejected": 9}, "did not pass validation (too dark)"),
        ({}, "has not been validated"),
    ],
)
def test_a_dataset_that_nobody_found_good_is_refused(
    store: ArtefactStore, tmp_path: Path, quality: dict, sentence: str
) -> None:
    dataset = box_dataset(store, tmp_path, quality=quality)
    with pytest.raises(UsageError) as told:
        execute(spec(dataset, checkpoint(store, tmp_path)), evaluate)
    assert sentence in str(told.value)


def test_what_cannot_be_measured_is_told_in_a_sentence(store: ArtefactStore, tmp_path: Path) -> None:
    dataset, model = box_dataset(store, tmp_path), checkpoint(store, tmp_path)
    cases: list[tuple[EvaluateSpec, type[BacksightError], str]] = [
        (
            spec(dataset, model, split="val_seen"),
            UsageError,
            "no walks in the split 'val_seen' (it has train, val_unseen)",
        ),
        (spec(dataset, model, keyframes=4), UsageError, "takes 3: it comes from another preset"),
        (spec(dataset, dataset), DataError, "is a dataset, not a checkpoint"),
        (spec(model, model), DataError, "is a checkpoint, not a dataset"),
        (spec(dataset, checkpoint(store, tmp_path, seed=7, broken=True)), DataError, "(NaN) in 20 of 20 views"),
        (spec(dataset, store.publish(Manifest(kind="checkpoint"))), DataError, "The checkpoint lacks"),
    ]
    for asked, kind, sentence in cases:
        with pytest.raises(kind) as told:
            execute(asked, evaluate)
        assert sentence in str(told.value)
        assert "\n" not in str(told.value)


def test_the_grid_is_the_checkpoints_own(store: ArtefactStore, tmp_path: Path) -> None:
    dataset = box_dataset(store, tmp_path)
    coarse = NETWORK.model_copy(update={"grid": 4})
    id = execute(spec(dataset, checkpoint(store, tmp_path, coarse)), evaluate).outputs["evaluation"]
    assert read_evaluation(store, id).grid == 4
