"""From an evaluation's worst views to hard walks, and what must not be mined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.data.walks import DatasetFiles, open_dataset
from tasks.collect.mining import hard_views, placed, view_errors, weight, with_hard_views, worst
from tasks.collect.schedule import scenes_of, shards_of
from tasks.collect.spec import CollectPlan, HardView, Split, Stratum
from tasks.errors import DataError, UsageError
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.spec import EvaluateSpec, EvaluationPlan
from tasks.evaluation import read_book
from tasks.spec import ManifestId
from tasks.stage import execute
from tasks.store import ArtefactStore, Manifest
from tests.box_world import write_dataset
from tests.published import box_dataset, checkpoint
from tests.tasks.collect.conftest import SMALL


def seen_dataset(store: ArtefactStore, folder: Path) -> tuple[ManifestId, DatasetFiles]:
    """Rooms of which four are of the split val_seen."""
    root = write_dataset(folder / "seen", {"train": 2, "val_seen": 4}, frames=8)
    shards = {f"shards/{path.name}": path for path in (root / "shards").iterdir()}
    names = {name: root / name for name in ("index.parquet", "scenes.json", "episodes.json.gz")}
    blobs = {name: store.put_blob(path) for name, path in {**names, **shards}.items()}
    quality = {"passed": True, "reasons": [], "rejected": 0}
    id = store.publish(Manifest(kind="dataset", blobs=blobs, meta={"quality": quality}))
    return id, DatasetFiles.inside(root)


def evaluation(store: ArtefactStore, folder: Path, dataset: ManifestId, split: str) -> ManifestId:
    plan = EvaluationPlan(split=split, views=12, keyframes=3, baseline_views=6, bootstrap=100)  # type: ignore[arg-type]
    spec = EvaluateSpec(dataset=dataset, checkpoint=checkpoint(store, folder), plan=plan)
    return execute(spec, evaluate).outputs["evaluation"]


def test_the_worst_views_become_places_to_walk_to(store: ArtefactStore, tmp_path: Path) -> None:
    dataset, files = seen_dataset(store, tmp_path)
    mined = evaluation(store, tmp_path, dataset, "val_seen")
    views = hard_views(store, mined, 2, 1)
    assert len(views) == 2 and all(0.25 <= view.weight <= 4 for view in views)
    book, walks = read_book(store, mined), open_dataset(files)
    errors = view_errors(book)
    rows = worst(book.plan.scene, errors, 2, 1)
    assert [view.scene for view in views] == [book.plan.scene[row] for row in rows]
    assert max(errors[book.plan.scene == views[0].scene]) == errors[rows[0]]
    for view, row in zip(views, rows, strict=True):
        walk = next(walk for walk in walks.walks if walk.episode == book.plan.episode[row])
        camera = walks.pose[walk.start + book.plan.frame[row], :3, 3]
        assert view.position == pytest.approx((camera[0], 0.0, camera[2]), abs=1e-3), "the foot, not the camera"
    plan = with_hard_views(CollectPlan(mined_from=mined, mined_scenes=1, mined_views=2), store)
    assert {view.scene for view in plan.hard} == {views[0].scene} and len(plan.hard) == 2
    with pytest.raises(DataError, match="has no episode"):
        placed(book, open_dataset(DatasetFiles.inside(write_dataset(tmp_path / "other", {"train": 1}, frames=4))), 1, 1)


def test_held_out_scenes_are_not_mined(store: ArtefactStore, tmp_path: Path) -> None:
    held = evaluation(store, tmp_path, box_dataset(store, tmp_path), "val_unseen")
    with pytest.raises(UsageError, match="whose scenes are held out and must not be trained on"):
        hard_views(store, held, 2, 1)
    assert with_hard_views(SMALL, store) is SMALL


def test_views_of_an_earlier_nights_training_scenes_are_walked_to_and_held_out_ones_refused() -> None:
    earlier, held = scenes_of(SMALL, 99, Split.TRAIN)[0], scenes_of(SMALL, 3, Split.VAL_UNSEEN)[0]
    shares = {Stratum.FORWARD: 0.5, Stratum.HARD: 0.5}
    plan = SMALL.model_copy(update={"strata": shares, "hard": (HardView(scene=earlier, position=(0, 0, 0)),)})
    visits = [visit for shard in shards_of(plan, 3) for visit in shard.visits]
    assert earlier in {visit.scene for visit in visits}
    with pytest.raises(UsageError, match="held-out scenes must not be trained on"):
        shards_of(plan.model_copy(update={"hard": (HardView(scene=held, position=(0, 0, 0)),)}), 3)


@given(
    errors=st.lists(st.floats(0, 50), min_size=1, max_size=40),
    scenes=st.integers(1, 5),
    views=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_the_choice_is_the_worst_and_bounded(errors: list[float], scenes: int, views: int, seed: int) -> None:
    values = np.array(errors)
    names = np.array([f"s{n}" for n in np.random.default_rng(seed).integers(0, 4, len(errors))])
    rows = worst(names, values, scenes, views)
    chosen = {names[row] for row in rows}
    assert len(rows) == len(set(rows)) and len(chosen) == min(scenes, len(set(names)))
    means = {name: values[names == name].mean() for name in set(names)}
    assert min(means[name] for name in chosen) >= max([means[n] for n in set(names) - chosen], default=0.0) - 1e-9
    assert all(0.25 <= weight(values, row) <= 4 for row in rows)
