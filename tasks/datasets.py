"""A published dataset for the stages that learn or measure from it: its shards are fetched as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import DataError, UsageError
from tasks.spec import ManifestId
from tasks.store import Blob, open_store

if TYPE_CHECKING:
    from model.data.walks import DatasetFiles, WalkDataset
    from tasks.progress import Progress
    from tasks.store import ArtefactStore, Manifest

SHARDS = "shards/"


@dataclass(frozen=True)
class StoredShards(Mapping[str, Path]):
    """Name of a shard -> its verified file in the local cache, fetched from the store when it is first asked for.

    Whoever asks opens the store anew: loader processes are forked, and two must not talk over one connection.
    """

    blobs: dict[str, Blob]

    def __getitem__(self, name: str) -> Path:
        return open_store().fetch(self.blobs[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.blobs)

    def __len__(self) -> int:
        return len(self.blobs)


def open_files(store: ArtefactStore, id: ManifestId) -> DatasetFiles:
    """The files of a validated dataset; all but its shards are here and verified.

    Raises `DataError` for what is no dataset, `UsageError` for a dataset that did not pass its quality gate.
    """
    from model.data.walks import DatasetFiles

    manifest = store.manifest(id)
    require_passed(id, manifest)
    named = {"index": "index.parquet", "scenes": "scenes.json", "episodes": "episodes.json.gz"}
    if missing := sorted(set(named.values()) - set(manifest.blobs)):
        raise DataError(f"{id} has no {missing[0]}: collect and validate the dataset again.")
    shards = {name: blob for name, blob in manifest.blobs.items() if name.startswith(SHARDS)}
    return DatasetFiles(
        shards=StoredShards(shards),
        sizes={name: blob.size for name, blob in shards.items()},
        **{field: store.fetch(manifest.blobs[name]) for field, name in named.items()},
    )


def fetch_split(dataset: WalkDataset, split: str, progress: Progress) -> None:
    """All shards of a split, some at a time: for what reads the whole of it."""
    from model.data.ahead import TRANSFERS

    names = sorted({dataset.walks[index].shard for index in dataset.split(split)})
    with progress.track("fetch dataset", len(names), "shards") as track, ThreadPoolExecutor(TRANSFERS) as pool:
        for _ in pool.map(dataset.files.shards.__getitem__, names):
            track.advance()


def require_passed(id: ManifestId, manifest: Manifest) -> None:
    """Refuse what is no dataset, or one that nobody has found good."""
    if manifest.kind != "dataset":
        raise DataError(f"{id} is a {manifest.kind}, not a dataset: give what `validate` published.")
    quality = manifest.meta.get("quality")
    if quality is None:
        raise UsageError(f"{id} has not been validated: run the stage validate on it and give its outcome.")
    if not quality.get("passed"):
        reasons = "; ".join(quality.get("reasons", [])) or "no reason is given"
        raise UsageError(f"{id} did not pass validation ({reasons}): collect better data.")
