"""Makes everything that follows from the ledger agree with it: refs, the registered version, its aliases.

The ledger's head is the truth. A verdict is first appended, then settled; a crash between the two, or in the middle of
settling, is finished by whoever promotes next, for each step here may be done twice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from model.signature import fingerprint
from tasks.errors import DataError
from tasks.promote.ledger import Entry, Ledger, Written
from tasks.promote.registry import SIGNED_TAG, ModelRegistry, save_model
from tasks.promote.signing import checkpoint_digests, sign_checkpoint, signing_key
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
        for checkpoint in {entry.checkpoint, entry.champion, entry.former} - {None}:
            sign_checkpoint(self.store, str(checkpoint))
        if entry.champion:
            self._refer("champion", self.ledger.registered, entry.champion)
        if self.registry:
            self._register(self.registry, entry, settled_before)
        self.ledger.mark(head)

    def _refer(self, kind: str, name: str, target: str) -> None:
        if self.store.ref(kind, name) != target:
            self.store.set_ref(kind, name, target)

    def _register(self, registry: ModelRegistry, entry: Entry, settled_before: bool) -> None:
        # The champion's alias moves last but one: whoever loads it can already go back.
        for alias, checkpoint in (("previous", entry.former), ("champion", entry.champion)):
            if checkpoint is not None:
                self._point(registry, alias, checkpoint, settled_before)
        if entry.checkpoint != entry.champion:
            self._point(registry, "challenger", entry.checkpoint, settled_before)
        elif (stands := registry.alias("challenger")) and stands.checkpoint == entry.champion:
            registry.point("challenger", None)

    def _point(self, registry: ModelRegistry, alias: str, checkpoint: ManifestId, settled_before: bool) -> None:
        """Let an alias lead to a checkpoint's version; the champion's bytes are verified before and after."""
        known = registry.find(checkpoint) is not None
        version, now = self._version(registry, checkpoint), registry.alias(alias)
        if now is not None and now.version == version:
            return
        if settled_before and known:
            where = f"moved by hand to version {now.version}" if now else "removed by hand"
            said = (
                f"The alias {alias} of {registry.name} was {where}: the ledger says version {version}, so it is put "
                "back."
            )
            print(said, file=sys.stderr)
            registry.run.tags({"backsight.by_hand": said})
        if alias != "champion":
            registry.point(alias, version)
            return
        digests = checkpoint_digests(self.store, checkpoint)
        registry.require_sound(version, digests, self.scratch)
        registry.point(alias, version)
        try:
            registry.require_sound(version, digests, self.scratch)
        except DataError:
            registry.point(alias, now.version if now else None)
            raise

    def _version(self, registry: ModelRegistry, checkpoint: ManifestId) -> str:
        """The signed version of a judged checkpoint, made where there is none, with its latest verdict in the tags."""
        tags = self._tags(checkpoint)
        version = registry.find(checkpoint)
        if version is None or not registry.signed(version):
            folder = self.scratch / f"served-{digest(checkpoint)[:12]}"
            if not folder.exists():
                save_model(self.store, checkpoint, folder)
            made = {SIGNED_TAG: fingerprint(signing_key().public_key()), "code": code_version("train")}
            return registry.register(checkpoint, folder, {**tags, **made})
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
