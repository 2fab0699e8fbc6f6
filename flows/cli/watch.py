"""Watching a flow run to its end: its progress, then a night's report, or the failing stage's own error."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from flows.cli.display import Display, suitable_display
from flows.cli.snapshot import UNTAKEN, Camera, Run, Snapshot
from flows.workers import Lookout, anybody, patience_of
from tasks.errors import BacksightError, UsageError
from tasks.settings import home

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from flows.record import NightRecord

POLL_SECONDS = 1.0
TAKEN_WITHIN = 20.0
"""Seconds after which a run that no worker has taken is worth a word."""

WAITING = UNTAKEN | {"Pending"}
"""States in which no process runs for a run."""

MOST_NAMED = 6
"""Pictures that are named; the folder holds all."""

Take = Callable[[], Snapshot]


def watch_run(run_id: UUID) -> None:
    """Show a run until it ends, then its outcome; raises the run's own error where it did not succeed."""
    import httpx
    from prefect.client.orchestration import get_client

    from flows.launch.settings import LaunchSettings

    with get_client(sync_client=True) as client:
        lookout = Lookout(lambda: anybody(client, run_id), patience_of(LaunchSettings.load()))
        try:
            with suitable_display() as display:
                run = follow(Camera(client, run_id).take, display, lookout)
        except KeyboardInterrupt:
            click.echo(
                f"\nThe run goes on. Watch it again with `backsight watch {run_id}`, "
                f"end it with `backsight cancel {run_id}`.",
                err=True,
            )
            raise
        except httpx.HTTPError as error:
            raise BacksightError(
                f"Prefect's server stopped answering ({type(error).__name__}): see `backsight status`, heal it with "
                f"`backsight up`, and look for the run again with `backsight watch {run_id}`."
            ) from error
    conclude(run)


def follow(
    take: Take, display: Display, lookout: Lookout | None = None, pause: Callable[[float], None] = time.sleep
) -> Run:
    """Show snapshots until the run is final; gives the run as it ended. Raises where it waits and no worker is left."""
    waited, warned = 0.0, False
    while True:
        snapshot = take()
        display.show(snapshot)
        if snapshot.run.final:
            return snapshot.run
        if snapshot.run.state in UNTAKEN and waited >= TAKEN_WITHIN and not warned:
            click.echo("No worker has taken the run yet: see `backsight status`.", err=True)
            warned = True
        if lookout and lookout.abandoned(snapshot.run.state in WAITING):
            raise BacksightError(
                f"{snapshot.run.name} waits, and no worker has been heard from for {lookout.patience:.0f} s: start one "
                f"with `backsight up`, which takes the run, and see it with `backsight watch {snapshot.run.id}`."
            )
        pause(POLL_SECONDS)
        waited += POLL_SECONDS


def conclude(run: Run) -> None:
    """The last words on a run."""
    from flows.labels import NightFacts

    if not run.succeeded:
        raise BacksightError(run.message or f"The run {run.name} ended as {run.state}.")
    record = NightFacts.read(run.labels).record
    if record is None:
        click.echo(f"{run.name}: {run.message or run.state}")
    else:
        print_night(record)


def print_night(record_id: str) -> None:
    """A night's report, and where its pictures were saved."""
    from flows.links import flow_run_page, mlflow_page
    from flows.pictures import pictures_of, save
    from flows.record import NightRecord
    from flows.report import read_report
    from tasks.store import open_store

    store = open_store()
    record = NightRecord.read(store, record_id)
    pages = {"Prefect": flow_run_page(record.flow_run_id), "MLflow": mlflow_page(record.run_id)}
    report = read_report(store, record, {name: page for name, page in pages.items() if page})
    click.echo(report.text())
    saved = save(pictures_of(record.lines), picture_folder(record))
    if saved:
        click.echo(f"pictures: {len(saved)} in {saved[0].parent}, among them")
        for path in saved[:MOST_NAMED]:
            click.echo(f"  {path}")


def picture_folder(record: NightRecord) -> Path:
    """Where a night's pictures are saved."""
    return home() / "pictures" / f"{record.preset}-{record.seed}"


@click.command()
@click.argument("run")
def watch(run: str) -> None:
    """Watch a run that was submitted before. RUN is its id, or `last`: the night that was submitted last."""
    from flows.cli.prefect_client import require_answer, use_prefect

    require_answer(use_prefect())
    watch_run(found(run))


@click.command()
@click.argument("run")
def cancel(run: str) -> None:
    """End a run and all that it has launched. RUN is its id, or `last`."""
    from flows.cli.prefect_client import require_answer, use_prefect

    require_answer(use_prefect())
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    run_id = found(run)
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
        if state is not None and state.is_final():
            raise BacksightError(f"The run {run_id} has ended already, as {state.name}.")
        client.set_flow_run_state(run_id, Cancelling(), force=True)
    click.echo(f"cancelling {run_id}")


def found(run: str) -> UUID:
    """The id of a run that was named on the command line."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        if run == "last":
            return last_night(client)
        try:
            return client.read_flow_run(UUID(run)).id
        except (ValueError, ObjectNotFound) as error:
            raise UsageError(f"There is no run {run}: give the id that `backsight run` printed, or `last`.") from error


def last_night(client: SyncPrefectClient) -> UUID:
    """The night that was submitted last."""
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    due = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC))  # nights of the schedule lie in the future
    nights = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=["nightly"])),
        flow_run_filter=FlowRunFilter(expected_start_time=due),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=1,
    )
    if not nights:
        raise UsageError("No night has been submitted yet: `backsight run nightly --watch` submits one.")
    return nights[0].id
