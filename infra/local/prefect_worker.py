"""The stack's worker: takes flow runs of the pool `local` and runs each as a process of this machine."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from datetime import datetime
from typing import Any

from infra.local import http
from infra.local.layout import Layout
from infra.local.service import NotReady, Service, StackPlan
from infra.local.temporary import claim, folder_in_temporary

POOL = "local"
HEARTBEAT = 5
"""Seconds between two signs of life."""


def service(plan: StackPlan) -> Service:
    """The process worker, as a service."""
    url, name, temporary = api(plan), worker_name(plan.layout), folder_in_temporary("worker")
    command = ("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", name)
    return Service(
        name="worker",
        command=(sys.executable, *command, "--install-policy", "never"),
        answers=lambda created: check(url, name, created),
        address=f"pool {POOL}",
        folder=plan.layout.folder("worker"),
        environment={
            # Prefect keeps flow code in a folder of fixed name in TMPDIR, which the first user of a machine owns.
            "TMPDIR": str(temporary),
            "BACKSIGHT_HOME": str(plan.layout.home),
            "PREFECT_HOME": str(plan.layout.folder("worker")),
            "PREFECT_API_URL": url,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_HEARTBEAT_SECONDS": str(HEARTBEAT),
        },
        needs=("prefect",),
        prepare=lambda: claim(temporary),
        spares_children=True,  # flow runs report to the server themselves
        stop_patience=8.0,  # Prefect would wait 30 s; its flow runs have had the signal too
    )


def api(plan: StackPlan) -> str:
    """Address of the Prefect API."""
    return f"{plan.url('prefect')}/api"


def worker_name(layout: Layout) -> str:
    """A name that no worker of another stack on this machine has."""
    return f"backsight-{hashlib.sha256(os.fsencode(layout.home)).hexdigest()[:8]}"


def check(url: str, name: str, created: float) -> None:
    """Raise `NotReady` until the server has heard from this worker, and lately."""
    workers = http.post(f"{url}/work_pools/{POOL}/workers/filter", {})
    heard = max((last_heartbeat(w) for w in workers if w["name"] == name), default=0.0)
    if heard < max(created, time.time() - 4 * HEARTBEAT):
        raise NotReady("the server has not heard from it yet")


def last_heartbeat(worker: dict[str, Any]) -> float:
    """Unix time of a worker's last sign of life; 0 before the first."""
    stamp = worker["last_heartbeat_time"]
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0
