"""A person's answer to a winner that waits: written into the ledger, then followed, or kept as a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.promote.hold import person
from tasks.promote.ledger import Act, Entry, Ledger, Written
from tasks.promote.office import office
from tasks.promote.rollback import append
from tasks.promote.settle import read_verdict
from tasks.spec import ManifestId
from tasks.store import ArtefactStore


@dataclass(frozen=True)
class Answer:
    """What a person has said."""

    approve: bool
    who: str
    why: str


def awaiting(ledger: Ledger, verdict: ManifestId) -> Entry | None:
    """The entry of a verdict whose winner still waits for an answer; None = nobody is asked, or it was answered."""
    written: Written | None = ledger.find(verdict)
    if written is None or written.entry.act is not Act.VERDICT or not written.entry.awaits:
        return None
    return written.entry


def answered(
    waiting: Entry, head: Entry, judged_against: ManifestId | None, answer: Answer | None, now: datetime
) -> Entry:
    """The ledger's next entry. No answer, one that comes too late, or one that fits no more, keeps the champion."""
    late = now > datetime.fromisoformat(waiting.awaits)
    if answer is None or late:
        said = f"; {answer.who} answered too late" if answer else ""
        act, why, by = Act.EXPIRY, f"no answer by {waiting.awaits}{said}", person()
    elif not answer.approve:
        act, why, by = Act.REFUSAL, answer.why, answer.who
    elif judged_against != head.champion:
        why = f"approved ({answer.why}), but the champion is another than the one that it was judged against"
        act, by = Act.REFUSAL, answer.who
    else:
        act, why, by = Act.APPROVAL, answer.why, answer.who
    moves = act is Act.APPROVAL
    return Entry(
        act=act,
        verdict=waiting.verdict,
        checkpoint=waiting.checkpoint,
        ruling=waiting.ruling,
        why=why,
        champion=waiting.checkpoint if moves else head.champion,
        former=head.champion if moves else head.former,
        by=by,
        at=now.isoformat(timespec="seconds"),
    )


def settle_answer(store: ArtefactStore, verdict: ManifestId, answer: Answer | None) -> Entry | None:
    """Write an answer (None: the time is over) and let refs and aliases follow. None where nothing waits any more."""
    passed = read_verdict(store, verdict)
    if awaiting(Ledger(store, passed.registered), verdict) is None:
        return None
    tags = {"backsight.by": answer.who if answer else person(), "backsight.verdict_id": verdict}
    with office(store, passed.registered, "approval", tags) as here:
        waiting, head = awaiting(here.ledger, verdict), here.ledger.head()
        if waiting is None or head is None:
            return None
        entry = append(here.ledger, answered(waiting, head.entry, passed.champion, answer, datetime.now(UTC)))
        here.settlement.finish()
        here.run.tags({"backsight.act": entry.act.value, "backsight.why": entry.why})
        return entry
