"""Whether anybody is there to take a flow run that waits for its start: without this it would wait for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

    from flows.launch.settings import LaunchSettings

LOCAL_PATIENCE = 60.0
"""Seconds without a worker on one machine, where nothing but `backsight up` brings one back; a busy one is late."""
EVERY = 5.0
"""Seconds between two questions."""


def patience_of(settings: LaunchSettings) -> float:
    """Seconds that a run may wait without any worker: elsewhere than here the platform may start one anew."""
    from flows.launch.settings import Profile

    return LOCAL_PATIENCE if settings.profile is Profile.LOCAL else settings.patience


@dataclass
class Lookout:
    """Looks, while a run waits to be taken, whether any worker of its pool is alive."""

    anybody: Callable[[], bool]
    """Whether a worker of the pool has been heard from lately."""
    patience: float
    clock: Callable[[], float] = time.monotonic
    _asked: float = float("-inf")
    _alone_since: float | None = None

    def abandoned(self, waits: bool) -> bool:
        """Whether the run waits, and no worker has been there for as long as patience goes."""
        if not waits:
            self._alone_since = None
            return False
        now = self.clock()
        if now - self._asked >= EVERY:
            self._asked = now
            self._alone_since = None if self.anybody() else (now if self._alone_since is None else self._alone_since)
        return self._alone_since is not None and now - self._alone_since >= self.patience


def anybody(client: SyncPrefectClient, run_id: UUID) -> bool:
    """Whether the server has heard from a worker of a run's pool lately; yes for a run that needs none."""
    from prefect.client.schemas.objects import WorkerStatus

    pool = client.read_flow_run(run_id).work_pool_name
    if pool is None:
        return True
    return any(worker.status is WorkerStatus.ONLINE for worker in client.read_workers_for_work_pool(pool))
