"""The sealed split is opened by the promotion gate alone: each opening is recorded in a chain, and they are counted."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.errors import BacksightError, DataError, UsageError
from tasks.spec import Frozen, ManifestId
from tasks.store import ArtefactStore, Manifest, RefConflict

KIND = "opening"
SPLIT = "sealed"


class Opening(Frozen):
    """One look of one model at the sealed scenes."""

    number: int
    """1 for the first."""
    registered: str
    dataset: ManifestId
    checkpoint: ManifestId
    by: str
    at: str
    """ISO 8601 in UTC."""


def openings(store: ArtefactStore, registered: str) -> Iterator[tuple[ManifestId, Opening]]:
    """All openings of a registered model, newest first; `DataError` where their chain is broken."""
    id: str | None = store.ref(KIND, registered)
    expected: int | None = None
    while id is not None:
        manifest = store.manifest(id)
        if manifest.kind != KIND or manifest.meta["opening"]["registered"] != registered:
            raise DataError(f"{id} is no opening of the sealed split for '{registered}': the chain is broken there.")
        opening = Opening.model_validate(manifest.meta["opening"])
        if expected is not None and opening.number != expected:
            raise DataError(f"Opening {opening.number} of '{registered}' stands where {expected} belongs.")
        yield id, opening
        expected, id = opening.number - 1, manifest.inputs.get("previous")
    if expected:
        raise DataError(f"The openings of '{registered}' begin with number {expected + 1}, not 1.")


def open_sealed(
    store: ArtefactStore, registered: str, dataset: ManifestId, checkpoint: ManifestId, budget: int, by: str, at: str
) -> ManifestId:
    """The permit for a checkpoint to be measured on a dataset's sealed split, recorded before anything is read.

    The same look again needs no new opening, for it shows nothing new. Raises `BacksightError` once `budget` openings
    are spent: a held-out set that was asked often enough is held out no longer.
    """
    while True:
        past = list(openings(store, registered))
        if known := next((id for id, o in past if (o.dataset, o.checkpoint) == (dataset, checkpoint)), None):
            return known
        if len(past) >= budget:
            raise BacksightError(
                f"The sealed split was opened {len(past)} times for {registered}, which is its whole budget: collect "
                "new sealed scenes (collect.held_out_seed), or raise promote.sealed_openings."
            )
        opening = Opening(
            number=len(past) + 1, registered=registered, dataset=dataset, checkpoint=checkpoint, by=by, at=at
        )
        previous = past[0][0] if past else None
        chain = {"dataset": dataset, "checkpoint": checkpoint, "previous": previous}
        id = store.publish(
            Manifest(
                kind=KIND,
                inputs={name: value for name, value in chain.items() if value is not None},
                meta={"opening": opening.model_dump(mode="json")},
            )
        )
        try:
            store.set_ref(KIND, registered, id, expected=previous)
        except RefConflict:
            # Another gate opened it meanwhile: count anew.
            continue
        return id


def require_permit(
    store: ArtefactStore, permit: ManifestId | None, dataset: ManifestId, checkpoint: ManifestId
) -> None:
    """Refuse to read the sealed split without the gate's permit for this very look."""
    if permit is None:
        raise UsageError(
            "The sealed split is opened by the promotion gate alone (promote.sealed): measure on val_unseen, or on "
            "val_seen."
        )
    manifest = store.manifest(permit)
    if manifest.kind != KIND:
        raise UsageError(f"{permit} is no permit to open the sealed split: only the promotion gate gives one.")
    given = Opening.model_validate(manifest.meta["opening"])
    if (given.dataset, given.checkpoint) != (dataset, checkpoint):
        raise UsageError(f"{permit} lets {given.checkpoint} be measured on {given.dataset}, and nothing else.")
    if permit not in (id for id, _ in openings(store, given.registered)):
        raise DataError(f"{permit} is not among the recorded openings of '{given.registered}': the gate never gave it.")
