"""The place where people act on a ledger: one at a time, with the registry at hand, recorded as an MLflow run."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks import tracking
from tasks.promote.ledger import Ledger
from tasks.promote.registry import ModelRegistry
from tasks.promote.settle import Settlement
from tasks.store import ArtefactStore
from tasks.tracking import NullRun, TrackedRun, open_run


@dataclass(frozen=True)
class Office:
    """A ledger whose head is settled, held by this process alone on this machine."""

    ledger: Ledger
    settlement: Settlement
    registry: ModelRegistry | None
    """None where no MLflow is configured."""
    run: TrackedRun


@contextlib.contextmanager
def office(store: ArtefactStore, registered: str, what: str, tags: Mapping[str, str]) -> Iterator[Office]:
    """Open it for one act named `what`. The MLflow run fails with the block."""
    from tasks.promote.promote import promotion_lock

    client, ledger = tracking.connect(), Ledger(store, registered)
    with promotion_lock(registered), tempfile.TemporaryDirectory() as scratch:
        run = open_run(what, tags=tags) if client else NullRun()
        try:
            registry = ModelRegistry(client, run, registered) if client else None
            settlement = Settlement(store, ledger, registry, Path(scratch))
            settlement.finish()
            yield Office(ledger, settlement, registry, run)
        except BaseException:
            run.fail()
            raise
        run.end()
