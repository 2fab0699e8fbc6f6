"""Makes everything that follows from the ledger agree with it: refs, the registered version, its aliases.

The ledger's head is the truth. A verdict is first appended, then settled; a crash between the two, or in the middle of
settling, is finished by whoever promotes next, for each step here may be done twice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tasks.promote.ledger import Entry, Ledger, Written
from tasks.promote.registry import ModelRegistry, save_model
from tasks.promote.verdict import Verdict
from tasks.spec import ManifestId, code_version
from tasks.store import ArtefactStore


@dataclass(frozen=True)
class Settlement:
    """Where the consequences of a ledger are written. Use it under the promotion's lock."""

    store: ArtefactStore
    ledger: Ledger
    registry: ModelRegistry | None
    """None where no MLflow server is configured."""
    scratch: Path

    def finish(self) -> Written | None:
        """Settle the head, and again should another machine append meanwhile; the head that was settled."""
        head = self.ledger.head()
        while head is not None:
            self._settle(head)
            newer = self.ledger.head()
            if newer is None or newer.id == head.id:
                return head
            head = newer
        return None

    def _settle(self, head: Written) -> None:
        entry = head.entry
        settled_before = self.ledger.marked(head)
        self._refer("verdict", digest(entry.checkpoint), entry.verdict)
        if entry.champion:
            self._refer("champion", self.ledger.registered, entry.champion)
        if self.registry:
            self._register(self.registry, entry, settled_before)
        self.ledger.mark(head)

    def _refer(self, kind: str, name: str, target: str) -> None:
        if self.store.ref(kind, name) != target:
            self.store.set_ref(kind, name, target)

    def _register(self, registry: ModelRegistry, entry: Entry, settled_before: bool) -> None:
        self._version(registry, entry.checkpoint)
        for alias, checkpoint in (("previous", entry.former), ("champion", entry.champion)):
            if checkpoint is None:
                continue
            version, now = self._version(registry, checkpoint), registry.alias(alias)
            if now is not None and now.version == version:
                continue
            if now is not None and settled_before:
                print(
                    f"The alias {alias} of {registry.name} was moved by hand to version {now.version}: the ledger says "
                    f"version {version}, so it is put back.",
                    file=sys.stderr,
                )
            registry.point(alias, version)

    def _version(self, registry: ModelRegistry, checkpoint: ManifestId) -> str:
        """The version of a judged checkpoint, made where there is none, with its latest verdict in the tags."""
        tags = self._tags(checkpoint)
        if (version := registry.find(checkpoint)) is None:
            folder = self.scratch / f"served-{digest(checkpoint)[:12]}"
            if not folder.exists():
                save_model(self.store, checkpoint, folder)
            return registry.register(checkpoint, folder, {**tags, "code": code_version("train")})
        registry.tag(version, tags)
        return version

    def _tags(self, checkpoint: ManifestId) -> dict[str, str]:
        id = self.store.ref("verdict", digest(checkpoint))
        if id is None:
            return {}
        verdict = read_verdict(self.store, id)
        return {"verdict": verdict.decision.ruling.value, "verdict_id": id, "dataset": verdict.dataset}


def read_verdict(store: ArtefactStore, id: ManifestId) -> Verdict:
    """A published verdict."""
    return Verdict.model_validate_json(store.read(store.manifest(id).blobs["verdict.json"]))


def digest(id: ManifestId) -> str:
    """The hexadecimal part of a manifest id."""
    return id.partition("/")[2]
