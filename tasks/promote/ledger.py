"""The ledger of verdicts: append-only and hash-chained, for every entry is an artefact that names the one before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tasks.promote.gate import Ruling
from tasks.spec import Frozen, ManifestId
from tasks.store import Manifest
from tasks.store.chain import Chain


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


class Ledger(Chain[Written]):
    """The ledger of one registered model."""

    kind, title, body = "ledger", "the ledger", "entry"

    def parse(self, id: ManifestId, manifest: Manifest) -> Written:
        """An entry from the artefact that holds it."""
        return Written(id, Entry.model_validate(manifest.meta["entry"]))

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
        entry = entry.model_copy(update={"number": 0 if behind is None else behind.entry.number + 1})
        meta = {"registered": self.registered, "entry": entry.model_dump(mode="json")}
        manifest = Manifest(kind=self.kind, inputs={"verdict": entry.verdict}, meta=meta)
        return Written(self.link(manifest, behind.id if behind else None), entry)


def mark_name(verdict: ManifestId) -> str:
    """Name of the ref that leads from a verdict to its entry."""
    return verdict.partition("/")[2]
