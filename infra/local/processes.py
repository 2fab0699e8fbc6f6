"""Processes that outlive the command which started them: started, recognised, and stopped without hitting strangers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from tasks.errors import BacksightError

STACK_MARK = "BACKSIGHT_STACK"
SERVICE_MARK = "BACKSIGHT_SERVICE"
"""Every process of a stack carries the stack's home and its service's name in its environment, children included: so
they are found even when their parent was killed, and nothing else ever is."""

FOREIGN = ("PREFECT_", "MLFLOW_", "RCLONE_", "PG")
"""Variables of a person's shell that would bend a service: they do not reach it."""

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
"""For every service and all that it starts: nothing about the use of the stack leaves the machine."""

CLOCK_SLACK = 1.0
"""Seconds by which two readings of one process's start may differ."""

LOG_LIMIT = 20 * 2**20
POLL = 0.05


def service_environment(home: Path, service: str, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service: the person's, less what would bend it, plus its own and its marks."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**inherited, **QUIET, **own, STACK_MARK: str(home), SERVICE_MARK: service}


def spawn(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to a log."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        try:
            return subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise BacksightError(f"The program {command[0]} is missing: run `make install`.") from error


def created_at(pid: int) -> float | None:
    """Unix time at which a running process was made; None where there is none (a zombie counts as none)."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int, created: float) -> bool:
    """Whether the process that had this pid when it was made at this time still runs."""
    found = created_at(pid)
    return found is not None and abs(found - created) <= CLOCK_SLACK


def is_started_as(process: psutil.Process, command: Sequence[str]) -> bool:
    """Whether a process runs this very command."""
    try:
        return process.cmdline() == list(command)
    except psutil.Error:
        return False


def listens(pid: int, port: int) -> bool:
    """Whether a process, or one that it started, is who listens on a port."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        sockets = [socket for one in family for socket in one.net_connections(kind="tcp")]
    except psutil.NoSuchProcess:
        return False
    return any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)


def members(home: Path, service: str | None = None) -> list[psutil.Process]:
    """The running processes of a stack, or of one of its services, by their marks; never this one or its parents."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [p for p in psutil.process_iter() if p.pid not in spared and carries_marks(p, home, service)]


def carries_marks(process: psutil.Process, home: Path, service: str | None) -> bool:
    """Whether a running process belongs to a stack (and to one service of it, where that is named)."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    return environment.get(STACK_MARK) == str(home) and service in (None, environment.get(SERVICE_MARK))


def stop(processes: Iterable[psutil.Process], polite: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """Ask processes to end, wait for them, and kill those that have not ended when patience runs out."""
    waiting = list(processes)
    for demand, seconds in ((polite, patience), (signal.SIGKILL, 5.0)):
        for process in waiting:
            send(process, demand)
        waiting = outlasting(waiting, seconds)
    if waiting:
        raise BacksightError(f"Processes {sorted(p.pid for p in waiting)} do not end, not even killed: see `ps`.")


def send(process: psutil.Process, demand: int) -> None:
    """Send a signal to a process that may just have ended. psutil checks that the pid was not given to another."""
    try:
        process.send_signal(demand)
    except psutil.NoSuchProcess:
        return


def outlasting(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after so many seconds; returns sooner when none does."""
    deadline = time.monotonic() + seconds
    running = [p for p in processes if is_running(p)]
    while running and time.monotonic() < deadline:
        time.sleep(POLL)
        running = [p for p in running if is_running(p)]
    return running


def is_running(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
