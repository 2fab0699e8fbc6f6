"""An append-only chain of artefacts: each names the one before, and a ref, which the first writer moves, the newest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from tasks.errors import DataError
from tasks.spec import ManifestId
from tasks.store.artefacts import ArtefactStore
from tasks.store.manifests import Manifest

Entry = TypeVar("Entry")


class Chain(ABC, Generic[Entry]):
    """The chain of one kind about one registered model; verified on every read, `DataError` where it is broken."""

    kind: ClassVar[str]
    """Of its artefacts, and of the ref that names the newest."""
    title: ClassVar[str]
    """What it is called in an error."""
    body: ClassVar[str] = ""
    """Under which name the entry's own facts stand in `meta`; empty: they are `meta` itself."""
    first: ClassVar[int] = 0
    """The number of the first entry."""

    def __init__(self, store: ArtefactStore, registered: str) -> None:
        self.store = store
        self.registered = registered

    @abstractmethod
    def parse(self, id: ManifestId, manifest: Manifest) -> Entry:
        """An entry from the artefact that holds it."""

    def head(self) -> Entry | None:
        """The newest entry; None before the first."""
        target = self.store.ref(self.kind, self.registered)
        return None if target is None else self.read(target)

    def read(self, id: ManifestId) -> Entry:
        """One entry. `DataError` where it was altered or belongs elsewhere."""
        return self.parse(id, self._manifest(id))

    def entries(self) -> Iterator[Entry]:
        """All entries, newest first; `DataError` where one is missing between them."""
        id, expected = self.store.ref(self.kind, self.registered), None
        while id is not None:
            manifest = self._manifest(id)
            number = self._facts(manifest)["number"]
            if expected is not None and number != expected:
                raise DataError(f"Entry {number} of {self._name} stands where {expected} belongs.")
            yield self.parse(id, manifest)
            id, expected = manifest.inputs.get("previous"), number - 1
        if expected not in (None, self.first - 1):
            raise DataError(f"The first entry of {self._name} is {expected + 1}, not {self.first}.")

    def link(self, manifest: Manifest, previous: ManifestId | None) -> ManifestId:
        """Publish an entry behind the head that the caller has read; `RefConflict` where another was first."""
        chain = {} if previous is None else {"previous": previous}
        id = self.store.publish(manifest.model_copy(update={"inputs": {**manifest.inputs, **chain}}))
        self.store.set_ref(self.kind, self.registered, id, expected=previous)
        return id

    @property
    def _name(self) -> str:
        return f"{self.title} of '{self.registered}'"

    def _manifest(self, id: ManifestId) -> Manifest:
        manifest = self.store.manifest(id)
        if manifest.kind != self.kind or self._facts(manifest).get("registered") != self.registered:
            raise DataError(f"{id} is no entry of {self._name}: the chain is broken there.")
        return manifest

    def _facts(self, manifest: Manifest) -> dict[str, Any]:
        return {**manifest.meta, **manifest.meta.get(self.body, {})}
