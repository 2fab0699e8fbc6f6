"""The local stack as a whole: `up` brings it to where everything answers, `down` ends it, `status` tells how it is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
from pydantic import SecretStr

from infra.local import flow_runs, ports, prefect_worker, processes, s3_server
from infra.local.credentials import write_env
from infra.local.layout import Layout
from infra.local.planning import last_plan, next_plan, runs, services, settings_of
from infra.local.service import NotReady, Say, Service, StackPlan
from infra.local.state import State
from infra.local.supervisor import PortTaken, Supervisor, check, stop
from tasks import files
from tasks.errors import BacksightError
from tasks.settings import StoreSettings

PATIENCE = 180.0
PORT_TRIES = 5

LOSES_RUNS = frozenset({"worker", "prefect", "postgres"})
"""Services whose death can end the process of a flow run without a word of it reaching the server."""

STOPPED_TOGETHER = (("worker",), ("prefect", "mlflow", "s3"), ("postgres",))
"""`down` goes through these in turn, so that what is cut off can still report it to those behind."""


@dataclass(frozen=True)
class ServiceStatus:
    """How one service is."""

    name: str
    state: str
    """`answers`, `silent` (runs and does not answer) or `stopped`."""
    address: str
    pid: int | None
    log: Path
    detail: str = ""


@dataclass(frozen=True)
class StackStatus:
    """How the stack is."""

    home: Path
    services: tuple[ServiceStatus, ...]
    conformance: dict[str, bool]
    """What the S3 server was found able to do at the last `up`; empty before the first."""

    @property
    def answers(self) -> bool:
        """Whether every service answers."""
        return all(service.state == "answers" for service in self.services)


def up(home: Path, say: Say, patience: float = PATIENCE) -> StackStatus:
    """Start or heal the stack; returns when every service answers.

    Raises `UsageError` where the home cannot be written, `BacksightError` naming the service that did not come up, with
    the end of its log; those that did come up stay up.
    """
    layout = Layout(home.resolve())
    layout.create()
    with exclusively(layout, say):
        bring_up(layout, say, patience)
    return status(home)


def down(home: Path, say: Say) -> int:
    """End all processes of the stack; its data stays. Returns how many there were."""
    layout = Layout(home.resolve())
    if not layout.home.is_dir():
        return 0
    with exclusively(layout, say):
        return take_down(layout)


def status(home: Path) -> StackStatus:
    """How the stack is now; starts and changes nothing."""
    layout = Layout(home.resolve())
    state = State(layout.state)
    found = json.loads(layout.conformance.read_text()) if layout.conformance.exists() else {}
    abilities = {name: able for name, able in found.items() if isinstance(able, bool)}
    states = tuple(status_of(layout, state, service) for service in services(last_plan(layout, state)))
    return StackStatus(layout.home, states, abilities)


def bring_up(layout: Layout, say: Say, patience: float) -> None:
    """`up`, the lock held."""
    began = time.time()
    state = State(layout.state)
    supervisor = Supervisor(layout, state, say, patience)
    clear_leftovers(layout, state)
    for _ in range(PORT_TRIES):
        plan = next_plan(layout, state, say)
        write_env(layout.stack_env, settings_of(plan))
        try:
            supervisor.ensure_all(services(plan))
            break
        except PortTaken as lost:
            say(f"{lost}: its port was taken meanwhile, trying the next free one")
    else:
        raise BacksightError(f"Free ports were taken by others {PORT_TRIES} times in a row: run `backsight up` again.")
    if "s3" in supervisor.started or not layout.conformance.exists():
        examine_s3(plan)
    if LOSES_RUNS & set(supervisor.started):
        settle_lost_runs(plan, began, say)


def take_down(layout: Layout) -> int:
    """`down`, the lock held."""
    by_name = {service.name: service for service in services(last_plan(layout, State(layout.state)))}
    count = 0
    for names in STOPPED_TOGETHER:
        for name in names:
            found = processes.members(layout.home, name)
            count += len(found)
            processes.stop(found, by_name[name].stop_signal, by_name[name].stop_patience)
    processes.stop(processes.members(layout.home))
    return count


@contextmanager
def exclusively(layout: Layout, say: Say) -> Iterator[None]:
    """Hold the stack's lock; says so when another command has it."""
    lock = filelock.FileLock(layout.lock)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say("another `backsight up` or `down` is at work on this stack: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def clear_leftovers(layout: Layout, state: State) -> None:
    """End what is left of services whose own process is gone: it may hold their ports and files."""
    for service in services(last_plan(layout, state)):
        if not runs(state, service.name):
            stop(layout, state, service)


def examine_s3(plan: StackPlan) -> None:
    """Find out what the S3 server can do, and keep the findings for the store and for `status`."""
    from tasks.store import conformance

    settings = StoreSettings(
        endpoint=f"{ports.LOOPBACK}:{plan.ports['s3']}",
        access_key=plan.keys.access,
        secret_key=SecretStr(plan.keys.secret),
        bucket=s3_server.BUCKET,
        secure=False,
    )
    found = conformance.check(settings)
    files.write(plan.layout.conformance, found.model_dump_json(indent=1).encode())


def settle_lost_runs(plan: StackPlan, began: float, say: Say) -> None:
    """Put right the flow runs whose process died with what was started anew; those that still run go on."""
    alive = flow_runs.with_a_process(processes.members(plan.layout.home, "worker"))
    settled = flow_runs.settle(prefect_worker.api(plan), alive, before=began)
    for what, names in settled.items():
        say(f"worker: {len(names)} flow runs without a process {what}: {', '.join(names)}")


def status_of(layout: Layout, state: State, service: Service) -> ServiceStatus:
    """How one service is."""
    record, log = state.get(service.name), layout.log(service.name)
    if record is None or not processes.is_alive(record.pid, record.created):
        return ServiceStatus(service.name, "stopped", service.address, None, log)
    try:
        check(service, record)
    except NotReady as reason:
        return ServiceStatus(service.name, "silent", service.address, record.pid, log, str(reason))
    return ServiceStatus(service.name, "answers", service.address, record.pid, log)
