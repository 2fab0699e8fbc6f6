"""Why a winner may not move up at once: the policy asks people first, or a person has withdrawn this very model."""

from __future__ import annotations

import getpass
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tasks.promote.gate import Ruling
from tasks.promote.ledger import Act, Entry, Ledger
from tasks.spec import ManifestId

if TYPE_CHECKING:
    from tasks.promote.verdict import Verdict


@dataclass(frozen=True)
class Hold:
    """A winner that stays a challenger for now."""

    why: str
    until: str = ""
    """Until when a person may answer; empty where nobody is asked."""


def hold_on(verdict: Verdict, ledger: Ledger, now: datetime) -> Hold | None:
    """What holds a verdict's winner back; None = nothing, or it has not won."""
    policy = verdict.policy
    if verdict.decision.ruling is not Ruling.PROMOTE:
        return None
    if policy.people == "never":
        return Hold("the policy lets nobody move the champion (people: never)")
    if policy.people == "ask":
        until = (now + timedelta(hours=policy.answer_hours)).isoformat(timespec="seconds")
        return Hold("waits for a person's approval (people: ask)", until)
    if gone := withdrawn([written.entry for written in ledger.entries()], verdict.checkpoint):
        return Hold(f"{gone.by} withdrew this model on {gone.at} ({gone.why}); `backsight rollback --to` restores it")
    return None


def withdrawn(newest_first: list[Entry], checkpoint: ManifestId) -> Entry | None:
    """The rollback that took the champion's place from a checkpoint, if that was the last that happened to it."""
    for entry in newest_first:
        if entry.act is Act.ROLLBACK and entry.former == checkpoint:
            return entry
        if entry.act in (Act.ROLLBACK, Act.APPROVAL) and entry.checkpoint == checkpoint:
            return None
    return None


def person() -> str:
    """Who runs this process: user@host."""
    return f"{getpass.getuser()}@{platform.node()}"
