"""The artefact store as one object: what stages and flows use."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.settings import StoreSettings, home
from tasks.spec import ManifestId, canonical
from tasks.store import conformance
from tasks.store.blobs import Blob, Blobs
from tasks.store.bucket import Bucket
from tasks.store.guard import ConditionalRequests, Guard, LockFile
from tasks.store.index import ManifestIndex, index_path
from tasks.store.manifests import Manifest, Manifests
from tasks.store.refs import ANY, AnyValue, Refs


class ArtefactStore:
    """Blobs, manifests and refs of one bucket, cached under the home folder.

    All methods raise `BacksightError` (server stopped, disk full), `UsageError` (credentials, bucket, malformed names)
    or `DataError` (bytes missing or not what their name says), each with a sentence to show.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.bucket = Bucket(settings)
        self.blobs = Blobs(self.bucket, home() / "cache")

    def put_blob(self, source: Path | bytes) -> Blob:
        """Store a file or some bytes; nothing is sent where they are there already."""
        return self.blobs.put(source)

    def fetch(self, blob: Blob) -> Path:
        """The blob as a verified, read-only file of the local cache."""
        return self.blobs.fetch(blob)

    def read(self, blob: Blob) -> bytes:
        """The verified bytes of a small blob."""
        return self.blobs.read(blob)

    def read_range(self, blob: Blob, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, straight from the server; whoever decodes them is to notice damage."""
        return self.blobs.read_range(blob, offset, size)

    def publish(self, manifest: Manifest) -> ManifestId:
        """Make an artefact visible, once all its blobs are there; idempotent."""
        id = self._manifests.publish(manifest)
        # The index is a cache: where it cannot be written, the next look at it reads this manifest from the bucket.
        with contextlib.suppress(sqlite3.Error, OSError), contextlib.closing(self._index()) as index:
            encoded = manifest.encoded()
            index.add([(id, encoded, hashlib.md5(encoded, usedforsecurity=False).hexdigest())])
        return id

    def index(self) -> ManifestIndex:
        """What was made from what, as of now. `DataError` for a manifest that was altered."""
        index = self._index()
        index.refresh(self.bucket)
        return index

    def manifest(self, id: ManifestId) -> Manifest:
        """A published manifest, verified."""
        return self._manifests.read(id)

    def complete(self, id: ManifestId) -> bool:
        """Whether the manifest and all its blobs are there."""
        return self._manifests.complete(id)

    def set_ref(self, kind: str, name: str, target: str, expected: str | AnyValue | None = ANY) -> None:
        """Point `kind/name` at `target` where it points at `expected` now (`None`: nowhere yet), else `RefConflict`."""
        self._refs.set(kind, name, target, expected)

    def ref(self, kind: str, name: str) -> str | None:
        """Where `kind/name` points; `None` = there is no such ref."""
        return self._refs.get(kind, name)

    def keep_ref(self, kind: str, name: str, target: str) -> None:
        """Note that a ref of a cache, which points at `target`, was used: `backsight gc` lets it live on."""
        self._refs.keep(kind, name, target)

    def refs(self, kind: str) -> dict[str, str]:
        """Name -> target of every ref of a kind."""
        return self._refs.all(kind)

    def quarantine(self, name: str, report: dict[str, Any]) -> str:
        """Keep a report on what was rejected under `quarantine/<name>.json`; gives its key."""
        key = f"quarantine/{name}.json"
        self.bucket.put(key, canonical(report))
        return key

    def _index(self) -> ManifestIndex:
        return ManifestIndex(index_path(home(), self.settings.endpoint, self.settings.bucket))

    @cached_property
    def _guard(self) -> Guard:
        # Where `up` has left no findings (a task in a container), the server is asked at the first guarded write.
        found = conformance.load(self.settings)
        if found.conditional_put if found else conformance.conditional_put(self.bucket):
            return ConditionalRequests(self.bucket)
        return LockFile(self.bucket, home() / "locks" / f"{self.settings.bucket}.lock")

    @property
    def _manifests(self) -> Manifests:
        return Manifests(self.bucket, self.blobs, self._guard)

    @property
    def _refs(self) -> Refs:
        return Refs(self.bucket, self._guard)


def open_store(settings: StoreSettings | None = None) -> ArtefactStore:
    """The configured store, or the one given. No request is made yet."""
    return ArtefactStore(settings or StoreSettings.load())
