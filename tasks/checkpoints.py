"""A published checkpoint on this machine, for the stages that train on, measure or answer from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.errors import DataError
from tasks.spec import ManifestId

if TYPE_CHECKING:
    from model.training.checkpoint import CheckpointFiles
    from tasks.store import ArtefactStore


def fetch_checkpoint(store: ArtefactStore, id: ManifestId) -> CheckpointFiles:
    """Its files, verified, in the local cache. Raises `DataError` for what is no checkpoint."""
    from model.training.checkpoint import CheckpointFiles

    manifest = store.manifest(id)
    if manifest.kind != "checkpoint":
        raise DataError(f"{id} is a {manifest.kind}, not a checkpoint: give what a training phase published.")
    return CheckpointFiles.named({name: store.fetch(blob) for name, blob in manifest.blobs.items()})
