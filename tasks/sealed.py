"""The sealed split is opened by the promotion gate alone: each opening is recorded in a chain, and they are counted."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.errors import BacksightError, DataError, UsageError
from tasks.spec import Frozen, ManifestId
from tasks.store import ArtefactStore, Manifest, RefConflict
from tasks.store.chain import Chain

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


@dataclass(frozen=True)
class Opened:
    """An opening and the artefact that holds it, which is the permit to look."""

    id: ManifestId
    opening: Opening


class Openings(Chain[Opened]):
    """The openings for one registered model."""

    kind, title, body, first = "opening", "the openings of the sealed split", "opening", 1

    def parse(self, id: ManifestId, manifest: Manifest) -> Opened:
        """An opening from the artefact that holds it."""
        return Opened(id, Opening.model_validate(manifest.meta["opening"]))


def open_sealed(
    store: ArtefactStore, registered: str, dataset: ManifestId, checkpoint: ManifestId, budget: int, by: str, at: str
) -> ManifestId:
    """The permit for a checkpoint to be measured on a dataset's sealed split, recorded before anything is read.

    The same look again needs no new opening, for it shows nothing new. Raises `BacksightError` once `budget` openings
    are spent: a held-out set that was asked often enough is held out no longer.
    """
    chain = Openings(store, registered)
    look = {"dataset": dataset, "checkpoint": checkpoint}
    while True:
        past = list(chain.entries())
        granted = [o.id for o in past if (o.opening.dataset, o.opening.checkpoint) == (dataset, checkpoint)]
        if granted:
            return granted[0]
        if len(past) >= budget:
            raise BacksightError(
                f"The sealed split was opened {len(past)} times for {registered}, which is its whole budget: collect "
                "new sealed scenes (collect.held_out_seed), or raise promote.sealed_openings."
            )
        opening = Opening(number=len(past) + 1, registered=registered, by=by, at=at, **look)
        manifest = Manifest(kind=chain.kind, inputs=look, meta={"opening": opening.model_dump(mode="json")})
        try:
            return chain.link(manifest, past[0].id if past else None)
        except RefConflict:
            # Another gate opened it meanwhile: count anew.
            continue


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
    if manifest.kind != Openings.kind:
        raise UsageError(f"{permit} is no permit to open the sealed split: only the promotion gate gives one.")
    given = Opening.model_validate(manifest.meta["opening"])
    if (given.dataset, given.checkpoint) != (dataset, checkpoint):
        raise UsageError(f"{permit} lets {given.checkpoint} be measured on {given.dataset}, and nothing else.")
    if permit not in (opened.id for opened in Openings(store, given.registered).entries()):
        raise DataError(f"{permit} is not among the recorded openings of '{given.registered}': the gate never gave it.")
