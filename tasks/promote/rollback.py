"""Puts a former champion back: a ledger entry first, then refs and aliases, by the same steps as a promotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.errors import BacksightError, DataError, UsageError
from tasks.promote.hold import person
from tasks.promote.ledger import Act, Entry, Ledger
from tasks.promote.office import office
from tasks.promote.registry import CHECKPOINT_TAG
from tasks.promote.settle import digest
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, RefConflict
from tasks.tracking import told

if TYPE_CHECKING:
    from mlflow import MlflowClient

SHORTEST_REASON = 3


@dataclass(frozen=True)
class Restored:
    """What a rollback did."""

    entry: Entry
    version: str | None
    """The champion's version in MLflow; None where no MLflow is configured."""


def roll_back(store: ArtefactStore, registered: str, to: str | None, why: str) -> Restored:
    """Make a former champion the champion again. `to` = a version, or a checkpoint's id or the beginning of its digest.

    Without `to` it is the champion before the present one. Raises `UsageError` where there is no such champion or no
    reason is given, `DataError` where its files are gone.
    """
    reason = reason_of(why)
    with office(store, registered, "rollback", {"backsight.why": reason, "backsight.by": person()}) as here:
        entries = [written.entry for written in here.ledger.entries()]
        client = here.registry.client if here.registry else None
        wanted = None if to is None else checkpoint_of(client, registered, to)
        entry = rollback_entry(registered, entries, wanted, reason)
        if not store.complete(entry.checkpoint):
            raise DataError(f"Files of {entry.checkpoint} are gone from the artefact store: name another version.")
        entry = append(here.ledger, entry)
        here.settlement.finish()
        here.run.tags({"backsight.restored": entry.checkpoint, "backsight.withdrawn": entry.former or ""})
        return Restored(entry, here.registry.find(entry.checkpoint) if here.registry else None)


def reason_of(why: str) -> str:
    """The reason on one line; `UsageError` where there is none."""
    reason = " ".join(why.split())
    if len(reason) < SHORTEST_REASON:
        raise UsageError('A rollback needs its reason: say it with --why "...", for it is kept in the ledger.')
    return reason


def checkpoint_of(client: MlflowClient | None, registered: str, to: str) -> str:
    """The checkpoint, or the beginning of its digest, that a version or a name stands for."""
    from mlflow.exceptions import MlflowException

    number = to.removeprefix("v")
    if not number.isdigit() or len(number) > 6:
        return to.partition("/")[2] or to
    if client is None:
        raise UsageError(
            f"Version {number} cannot be looked up without MLflow: set MLFLOW_TRACKING_URI, or name a checkpoint."
        )
    with told():
        try:
            return digest(client.get_model_version(registered, number).tags.get(CHECKPOINT_TAG, "/none"))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    raise UsageError(f"{registered} has no version {number} in MLflow: see its versions there, or leave --to out.")


def rollback_entry(registered: str, newest_first: Sequence[Entry], wanted: str | None, why: str) -> Entry:
    """The ledger's next entry. `wanted` = the beginning of a checkpoint's digest; None = the champion before."""
    head = newest_first[0] if newest_first else None
    if head is None or head.champion is None:
        raise UsageError(f"{registered} has no champion yet, so there is nothing to go back from.")
    target = head.former if wanted is None else former_champion(registered, newest_first, wanted)
    if target is None:
        raise UsageError(f"{registered} has had one champion only, so there is no previous one to go back to.")
    if target == head.champion:
        raise UsageError(f"{target} is the champion of {registered} already: name another version with --to.")
    crowned = next(e for e in newest_first if e.champion == target and e.checkpoint == target)
    return Entry(
        act=Act.ROLLBACK,
        verdict=crowned.verdict,
        checkpoint=target,
        ruling=crowned.ruling,
        why=why,
        champion=target,
        former=head.champion,
        by=person(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def former_champion(registered: str, entries: Sequence[Entry], wanted: str) -> ManifestId:
    """The one champion of the ledger whose digest begins like this."""
    champions = list(dict.fromkeys(e.champion for e in entries if e.champion is not None))
    matching = [id for id in champions if digest(id).startswith(wanted)]
    if len(matching) != 1:
        known = ", ".join(digest(id)[:12] for id in champions)
        what = "was never champion" if not matching else "fits several champions"
        raise UsageError(
            f"{wanted[:12]} {what} of {registered}, and only a former champion can be restored: they are {known}."
        )
    return matching[0]


def append(ledger: Ledger, entry: Entry) -> Entry:
    """The entry as written. Where another machine was first, a person is to see its decision before this one."""
    head = ledger.head()
    try:
        return ledger.append(entry, head).entry
    except RefConflict as conflict:
        raise BacksightError(
            f"Another machine wrote into the ledger of {ledger.registered} meanwhile: look who is champion now, then "
            "say it again."
        ) from conflict
