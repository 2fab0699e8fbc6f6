"""A published dataset on this machine, for the stages that learn or measure from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tasks.errors import DataError, UsageError
from tasks.spec import ManifestId

if TYPE_CHECKING:
    from model.data.walks import DatasetFiles
    from tasks.progress import Progress
    from tasks.store import ArtefactStore, Manifest

TRANSFERS = 4
"""Shards fetched at a time."""

SHARDS = "shards/"


def fetch_dataset(store: ArtefactStore, id: ManifestId, progress: Progress) -> DatasetFiles:
    """All files of a validated dataset, verified, in the local cache.

    Raises `DataError` for what is no dataset, `UsageError` for a dataset that did not pass its quality gate.
    """
    from model.data.walks import DatasetFiles

    manifest = store.manifest(id)
    require_passed(id, manifest)
    named = {"index": "index.parquet", "scenes": "scenes.json", "episodes": "episodes.json.gz"}
    if missing := sorted(set(named.values()) - set(manifest.blobs)):
        raise DataError(f"{id} has no {missing[0]}: collect and validate the dataset again.")
    shards = [name for name in manifest.blobs if name.startswith(SHARDS)]
    with progress.track("fetch dataset", len(shards), "shards") as track, ThreadPoolExecutor(TRANSFERS) as pool:
        paths = {}
        for name, path in zip(shards, pool.map(lambda name: store.fetch(manifest.blobs[name]), shards), strict=True):
            paths[name] = path
            track.advance()
    return DatasetFiles(shards=paths, **{field: store.fetch(manifest.blobs[name]) for field, name in named.items()})


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
