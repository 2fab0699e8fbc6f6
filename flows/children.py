"""Runs a stage's deployment as a child of the current flow run, and waits for it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.states import Cancelled, Cancelling, State

from flows.launch.settings import LaunchSettings
from flows.workers import Lookout, anybody, patience_of
from tasks.errors import BacksightError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from flows.plan import Stage

POLL_SECONDS = 0.5
MOST_ATTEMPTS = 100
ENDED_BADLY = frozenset({StateType.FAILED, StateType.CRASHED, StateType.CANCELLED})


@dataclass(frozen=True)
class Child:
    """What a child is asked."""

    stage: Stage
    name: str
    """Name of its flow run."""
    parameters: Mapping[str, Any]
    work: str
    """Names the work within the parent: two asks of the same work give one child, unless the first ended badly."""
    environment: Mapping[str, str]


def run_child(child: Child) -> FlowRun:
    """The child's flow run in its final state. Where the parent is ended meanwhile, the child is cancelled."""
    with get_client(sync_client=True) as client:
        made = run_deployment(
            f"{child.stage}/{child.stage}",
            parameters=dict(child.parameters),
            flow_run_name=child.name,
            idempotency_key=free_key(client, child.work),
            job_variables={"env": dict(child.environment)},
            timeout=0,
        )
        run = cast("FlowRun", made)  # it would be a coroutine in an async flow
        lookout = Lookout(lambda: anybody(client, run.id), patience_of(LaunchSettings.load()))
        try:
            while run.state is None or not run.state.is_final():
                if lookout.abandoned(waits(run)):
                    raise nobody_takes(child, lookout.patience)
                time.sleep(POLL_SECONDS)
                run = client.read_flow_run(run.id)
        except httpx.HTTPError as error:
            raise BacksightError(
                f"Prefect's server stopped answering while {child.name} ran ({type(error).__name__}): see "
                "`backsight status`, heal it with `backsight up`, and run the night again."
            ) from error
        except BaseException:
            said = "The night that asked for it was ended."
            # One that has not begun has nobody to end it, and must not begin later.
            ended: State[Any] = Cancelled(message=said) if waits(run) else Cancelling(message=said)
            client.set_flow_run_state(run.id, ended, force=True)
            raise
    return run


def waits(run: FlowRun) -> bool:
    """Whether a run has not been taken by a worker, or not been started by it."""
    return run.state is not None and (run.state.is_scheduled() or run.state.is_pending())


def nobody_takes(child: Child, seconds: float) -> BacksightError:
    """What to raise for a child that no worker will start."""
    return BacksightError(
        f"{child.name} does not start, for no worker has been heard from for {seconds:.0f} s: heal the stack with "
        "`backsight up`, and run the night again; stages that had finished are not repeated."
    )


def free_key(client: SyncPrefectClient, work: str) -> str:
    """The idempotency key under which a running or successful child is found, or a new one is made."""
    keys = [f"{work}:{attempt}" for attempt in range(MOST_ATTEMPTS)]
    made = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=keys)), limit=MOST_ATTEMPTS
    )
    ended_badly = {run.idempotency_key: run.state_type in ENDED_BADLY for run in made}
    return keys[first_attempt([ended_badly.get(key) for key in keys])]


def first_attempt(ended_badly: Sequence[bool | None]) -> int:
    """The first attempt that was not made yet (None) or did not end badly (False)."""
    return next(number for number, bad in enumerate(ended_badly) if not bad)
