"""The local stack as a whole: `up` brings it to where everything answers, `down` ends it, `status` tells how it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
from pydantic import SecretStr

from infra.local import mlflow_server, ports, postgres, prefect_server, prefect_worker, processes, s3_server
from infra.local.credentials import ACCESS_KEY, SECRET_KEY, keys_of, write_env
from infra.local.layout import Layout
from infra.local.service import NotReady, Service, StackPlan
from infra.local.state import State
from infra.local.supervisor import PortTaken, Say, Supervisor, check
from tasks import files
from tasks.errors import BacksightError
from tasks.settings import StoreSettings

SERVICES: dict[str, Callable[[StackPlan], Service]] = {
    "postgres": postgres.service,
    "s3": s3_server.service,
    "prefect": prefect_server.service,
    "mlflow": mlflow_server.service,
    "worker": prefect_worker.service,
}
"""In an order in which each comes after those that it needs."""

WANTED_PORTS = {"prefect": 4200, "mlflow": 5000, "s3": 9000}
PATIENCE = 180.0
PORT_TRIES = 5

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
    layout = Layout(home)
    layout.create()
    with exclusively(layout, say):
        bring_up(layout, say, patience)
    return status(home)


def down(home: Path, say: Say) -> int:
    """End all processes of the stack; its data stays. Returns how many there were."""
    layout = Layout(home)
    if not home.is_dir():
        return 0
    with exclusively(layout, say):
        return take_down(layout)


def status(home: Path) -> StackStatus:
    """How the stack is now; starts and changes nothing."""
    layout = Layout(home)
    state = State(layout.state)
    services = [build(planned(layout, state)) for build in SERVICES.values()]
    found = json.loads(layout.conformance.read_text()) if layout.conformance.exists() else {}
    abilities = {name: able for name, able in found.items() if isinstance(able, bool)}
    return StackStatus(home, tuple(status_of(layout, state, service) for service in services), abilities)


def bring_up(layout: Layout, say: Say, patience: float) -> None:
    """`up`, the lock held."""
    state = State(layout.state)
    supervisor = Supervisor(layout, state, say, patience)
    clear_leftovers(layout, state)
    for _ in range(PORT_TRIES):
        plan = with_free_ports(layout, state, say)
        write_env(layout.stack_env, settings_of(plan))
        try:
            supervisor.ensure_all([build(plan) for build in SERVICES.values()])
            break
        except PortTaken as lost:
            say(f"{lost}: its port was taken meanwhile, trying the next free one")
    else:
        raise BacksightError(f"Free ports were taken by others {PORT_TRIES} times in a row: run `backsight up` again.")
    if "s3" in supervisor.started or not layout.conformance.exists():
        examine_s3(plan)


def take_down(layout: Layout) -> int:
    """`down`, the lock held."""
    plan = planned(layout, State(layout.state))
    services = {name: build(plan) for name, build in SERVICES.items()}
    count = 0
    for names in STOPPED_TOGETHER:
        for name in names:
            found = processes.members(layout.home, name)
            count += len(found)
            processes.stop(found, services[name].stop_signal, services[name].stop_patience)
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
    plan = planned(layout, state)
    for name, build in SERVICES.items():
        if not runs(state, name):
            service = build(plan)
            processes.stop(processes.members(layout.home, name), service.stop_signal, service.stop_patience)


def planned(layout: Layout, state: State) -> StackPlan:
    """The plan with the ports that were used last, looked at by nobody."""
    records = {name: state.get(name) for name in WANTED_PORTS}
    used = {name: (record.port if record else None) or WANTED_PORTS[name] for name, record in records.items()}
    return StackPlan(layout, used, keys_of(layout.stack_env))


def with_free_ports(layout: Layout, state: State, say: Say) -> StackPlan:
    """The plan in which running services keep their ports, and stopped ones get theirs back, or the next free one."""
    last = planned(layout, state)
    chosen = {name: port for name, port in last.ports.items() if runs(state, name)}
    for name in WANTED_PORTS.keys() - chosen.keys():
        port = ports.next_free(last.ports[name], chosen.values())
        if port != last.ports[name]:
            say(f"{name}: port {last.ports[name]} is taken, using {port}")
        chosen[name] = port
    return StackPlan(layout, chosen, last.keys)


def runs(state: State, service: str) -> bool:
    """Whether the recorded process of a service is alive."""
    record = state.get(service)
    return record is not None and processes.is_alive(record.pid, record.created)


def settings_of(plan: StackPlan) -> dict[str, str]:
    """What `tasks.settings` needs to find this stack."""
    return {
        "PREFECT_API_URL": f"{plan.url('prefect')}/api",
        "MLFLOW_TRACKING_URI": plan.url("mlflow"),
        "BACKSIGHT_S3_ENDPOINT": f"{ports.LOOPBACK}:{plan.ports['s3']}",
        ACCESS_KEY: plan.keys.access,
        SECRET_KEY: plan.keys.secret,
        "BACKSIGHT_S3_BUCKET": s3_server.BUCKET,
        "BACKSIGHT_S3_SECURE": "false",
    }


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
