"""The ledger of verdicts: append-only and hash-chained, for every entry is an artefact that names the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tasks.errors import DataError
from tasks.promote.gate import Ruling
from tasks.spec import Frozen, ManifestId
from tasks.store import ArtefactStore, Manifest

KIND = "ledger"


class Act(StrEnum):
    """What an entry records."""

    VERDICT = "verdict"
    """The gate has judged a challenger."""
    APPROVAL = "approval"
    """A person lets a winner take the champion's place."""
    REFUSAL = "refusal"
    """A person does not, or it came too late: the champion stays."""
    EXPIRY = "expiry"
    """Nobody answered in time: the champion stays."""
    ROLLBACK = "rollback"
    """A person restores a former champion."""


class Entry(Frozen):
    """One recorded act, and who is champion from here on."""

    number: int = 0
    """0 for the first; one more than the entry before."""
    act: Act = Act.VERDICT
    verdict: ManifestId
    """The verdict that is recorded or answered; for a rollback, the one that once made the restored model champion."""
    checkpoint: ManifestId
    """The challenger that was judged, or the model that is restored."""
    ruling: Ruling
    why: str = ""
    """The person's reason; for a verdict, why its winner was held back."""
    awaits: str = ""
    """Until when a person may answer, ISO 8601 in UTC; empty where nobody is asked."""
    champion: ManifestId | None = None
    """Checkpoint that is champion after this entry."""
    former: ManifestId | None = None
    """Checkpoint that was champion before that one."""
    by: str
    """Who acted: user@host of the gate or of the command, or the name that a person gave on the form."""
    at: str
    """When, ISO 8601 in UTC."""


@dataclass(frozen=True)
class Written:
    """An entry and the artefact that holds it."""

    id: ManifestId
    entry: Entry
    previous: ManifestId | None


class Ledger:
    """The ledger of one registered model: its head is a ref, its entries are manifests, verified on every read."""

    def __init__(self, store: ArtefactStore, registered: str) -> None:
        self.store = store
        self.registered = registered

    def head(self) -> Written | None:
        """The newest entry; None while nothing has been judged."""
        target = self.store.ref(KIND, self.registered)
        return None if target is None else self.read(target)

    def read(self, id: ManifestId) -> Written:
        """One entry. `DataError` where it was altered or belongs elsewhere."""
        manifest = self.store.manifest(id)
        if manifest.kind != KIND or manifest.meta.get("registered") != self.registered:
            raise DataError(f"{id} is no entry of the ledger of '{self.registered}': the chain is broken there.")
        entry = Entry.model_validate(manifest.meta["entry"])
        return Written(id, entry, manifest.inputs.get("previous"))

    def entries(self) -> Iterator[Written]:
        """All entries, newest first; `DataError` where the chain is broken."""
        newer, written = None, self.head()
        while written is not None:
            if newer is not None and newer.entry.number != written.entry.number + 1:
                raise DataError(
                    f"Entry {newer.entry.number} of the ledger does not follow entry {written.entry.number}."
                )
            yield written
            newer, written = written, self.read(written.previous) if written.previous else None
        if newer is not None and newer.entry.number != 0:
            raise DataError(f"The ledger of '{self.registered}' begins with entry {newer.entry.number}, not 0.")

    def find(self, verdict: ManifestId) -> Written | None:
        """The entry of a verdict. Looks at the head and at the marks, which `mark` has set for all older entries."""
        head = self.head()
        if head is None or head.entry.verdict == verdict:
            return head
        mark = self.store.ref("entry", mark_name(verdict))
        return None if mark is None else self.read(mark)

    def marked(self, written: Written) -> bool:
        """Whether everything that follows from an entry has been done once."""
        return self.store.ref("entry", mark_name(written.entry.verdict)) == written.id

    def mark(self, written: Written) -> None:
        """Make an entry findable by its verdict. To be done last of what follows from it, and before a next entry."""
        self.store.set_ref("entry", mark_name(written.entry.verdict), written.id)

    def append(self, entry: Entry, behind: Written | None) -> Written:
        """Write an entry behind the head that the caller has read; `RefConflict` where another was first."""
        number = 0 if behind is None else behind.entry.number + 1
        entry = entry.model_copy(update={"number": number})
        previous = behind.id if behind else None
        chain = {"previous": previous, "verdict": entry.verdict}
        manifest = Manifest(
            kind=KIND,
            inputs={name: id for name, id in chain.items() if id is not None},
            meta={"registered": self.registered, "entry": entry.model_dump(mode="json")},
        )
        id = self.store.publish(manifest)
        self.store.set_ref(KIND, self.registered, id, expected=previous)
        return Written(id, entry, previous)


def mark_name(verdict: ManifestId) -> str:
    """Name of the ref that leads from a verdict to its entry."""
    return verdict.partition("/")[2]
