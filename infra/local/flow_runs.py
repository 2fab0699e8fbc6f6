"""Flow runs that the server believes to be on their way, though their process died with the machine or the worker."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import psutil

from infra.local import http
from infra.local.prefect_worker import POOL

RUN_MARK = "PREFECT__FLOW_RUN_ID"
"""The worker tells each process which flow run it is by this variable."""

PAGE = 200
GONE = "Its process was gone when `backsight up` looked."

VERDICTS: dict[str, tuple[str, str]] = {
    "PENDING": ("SCHEDULED", "will start again"),  # nothing of it has run
    "RUNNING": ("CRASHED", "crashed"),
    "CANCELLING": ("CANCELLED", "were cancelled"),
}
"""State in which the run was left -> what it becomes, and how that is said."""


def with_a_process(processes: Iterable[psutil.Process]) -> set[str]:
    """Ids of the flow runs that these processes belong to."""
    found = set()
    for process in processes:
        try:
            found.add(process.environ().get(RUN_MARK))
        except (psutil.Error, OSError):
            continue
    return {run for run in found if run}


def settle(api: str, alive: Collection[str], before: float) -> dict[str, list[str]]:
    """Settle the lost runs of the pool: those in a state since before a Unix time, with no process.

    Returns what became of them -> the names of the runs. Without this a night that asks for its stages by idempotency
    key would be handed a run that nobody will ever end.
    """
    settled: dict[str, list[str]] = {}
    for run in unfinished(api):
        state = run["state"]
        if run["id"] in alive or datetime.fromisoformat(state["timestamp"]).timestamp() >= before:
            continue
        becomes, said = VERDICTS[state["type"]]
        http.post(f"{api}/flow_runs/{run['id']}/set_state", {"state": new_state(becomes), "force": True})
        settled.setdefault(said, []).append(run["name"])
    return settled


def unfinished(api: str) -> list[dict[str, Any]]:
    """The flow runs of the pool that the server believes to be on their way."""
    wanted = {
        "flow_runs": {"state": {"type": {"any_": list(VERDICTS)}}},
        "work_pools": {"name": {"any_": [POOL]}},
        "limit": PAGE,
    }
    runs: list[dict[str, Any]] = http.post(f"{api}/flow_runs/filter", wanted)
    return runs


def new_state(kind: str) -> dict[str, Any]:
    """A state as the API takes it."""
    details = {"scheduled_time": datetime.now(UTC).isoformat()} if kind == "SCHEDULED" else {}
    return {"type": kind, "message": GONE, "state_details": details}
