"""A published dataset's shards: fetched when they are read, ahead of it in training, and a split at a time."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from model.data.ahead import ShardsAhead
from model.data.frames import FrameReader
from model.data.walks import WalkDataset, open_dataset
from tasks.datasets import fetch_split, open_files
from tasks.errors import DataError
from tasks.progress import open_progress
from tasks.settings import home
from tasks.store import ArtefactStore
from tests.published import box_dataset


@pytest.fixture
def dataset(store: ArtefactStore, tmp_path: Path) -> WalkDataset:
    """Seven rooms, a shard each, as a stage finds them in the store."""
    return open_dataset(open_files(store, box_dataset(store, tmp_path)))


def here(dataset: WalkDataset) -> set[str]:
    """Names of the shards in the local cache."""
    cached = {path.name for path in (home() / "cache").rglob("*") if path.is_file()}
    return {name for name, blob in dataset.files.shards.blobs.items() if blob.digest in cached}  # type: ignore[attr-defined]


def test_opening_a_dataset_fetches_no_shard_and_reading_a_frame_fetches_its_own(dataset: WalkDataset) -> None:
    assert len(dataset.files.shards) > 2 and here(dataset) == set()
    row = len(dataset.frame) - 1
    assert FrameReader(dataset, 32).read(row).rgb.shape == (32, 32, 3)
    assert here(dataset) == {dataset.shard[row]}


def test_a_split_is_fetched_whole_and_no_other(dataset: WalkDataset) -> None:
    fetch_split(dataset, "val_unseen", open_progress())
    assert here(dataset) == {dataset.walks[index].shard for index in dataset.split("val_unseen")}
    assert here(dataset).isdisjoint(dataset.walks[index].shard for index in dataset.split("train"))


def test_a_shard_that_the_store_has_lost_is_told_when_it_is_read(store: ArtefactStore, dataset: WalkDataset) -> None:
    blob = dataset.files.shards.blobs[dataset.shard[0]]  # type: ignore[attr-defined]
    store.bucket.remove(f"blobs/sha256/{blob.digest[:2]}/{blob.digest}")
    with pytest.raises(DataError, match=f"has no blob {blob.digest}"):
        FrameReader(dataset, 32).read(0)


def test_other_ranks_get_the_files_by_value(dataset: WalkDataset) -> None:
    copied = pickle.loads(pickle.dumps(dataset.files))
    assert copied == dataset.files
    assert copied.shards[dataset.shard[0]].is_file()


class Counted(Mapping[str, Path]):
    """Shards of which one cannot be had; who asks for which is written down."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Path:
        self.asked.append(name)
        if name == "lost":
            raise DataError("lost")
        return Path(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_shards_come_ahead_whichever_of_them_is_lost() -> None:
    shards = Counted()
    names = ["a", "lost", "b", "c", "d", "e", "f"]
    ahead = ShardsAhead(shards, names)
    while len(shards.asked) < len(names):
        pass
    ahead.close()
    assert sorted(shards.asked) == sorted(names)
