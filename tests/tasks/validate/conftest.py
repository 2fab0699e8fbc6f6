"""A small real collection, made once, and ways to damage and to examine copies of it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tasks.collect.dataset import collect_into
from tasks.collect.spec import CollectPlan
from tasks.store import Manifest
from tasks.validate.examine import examine
from tasks.validate.quality import Quality
from tasks.validate.reading import Dataset, open_dataset
from tasks.validate.spec import Thresholds
from tests.tasks.validate.recordings import Collection, read_collection, write_collection

NAME = "dataset/" + "0" * 64
PLAN = CollectPlan.model_validate(
    {
        "train": {"scenes": 8, "episodes": 6},
        "val_seen": {"scenes": 2, "episodes": 1},
        "val_unseen": {"scenes": 2, "episodes": 1},
        "sealed": {"scenes": 1, "episodes": 2},
        "steps": 20,
        "rooms": (4, 6),
        "scenes_per_shard": 4,
    }
)


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a dataset as the simulator gave it."""
    folder = tmp_path_factory.mktemp("collected") / "dataset"
    collect_into(folder, PLAN, seed=3, workers=2, advance=lambda episode: None)
    return folder


@pytest.fixture(scope="session")
def pristine(collected: Path) -> Collection:
    """The same in memory; take `collection`, which is a copy."""
    return read_collection(collected, PLAN.model_dump(mode="json"))


@pytest.fixture
def collection(pristine: Collection) -> Collection:
    """A copy that may be damaged."""
    return copy.deepcopy(pristine)


def dataset_in(folder: Path, plan: dict) -> Dataset:
    """A folder opened as validation opens what the store holds."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return open_dataset(NAME, Manifest(kind="dataset", meta={"size": [64, 64], "plan": plan}), files)


def examined(collection: Collection, folder: Path, thresholds: Thresholds | None = None) -> Quality:
    """The quality report on a collection, written to `folder` first."""
    write_collection(folder, collection)
    return examine(dataset_in(folder, collection.plan), thresholds or Thresholds(), 1, lambda count: None)[0]
