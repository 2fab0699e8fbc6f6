"""The flow run that this code runs in, as Prefect's server knows it."""

from __future__ import annotations

from datetime import datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run


def this_run() -> FlowRun:
    """The run with its labels, its state and its times, read anew."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(flow_run.id)


def due_at(run: FlowRun) -> datetime:
    """When a run was to begin; a run without a schedule, when it was made."""
    return run.expected_start_time or run.created or datetime.now().astimezone()
