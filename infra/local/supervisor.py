"""Brings services to where they all answer: starts what is missing, heals what is broken, leaves the rest alone."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import psutil

from infra.local import ports, processes
from infra.local.layout import Layout
from infra.local.logs import last_lines
from infra.local.service import NotReady, Say, Service
from infra.local.state import Record, State
from tasks.errors import BacksightError

SECOND_CHANCE = 20.0
"""Seconds that a running service which does not answer gets before it is started anew, unless it is still starting."""

POLL = 0.2


class PortTaken(Exception):
    """Another program took a service's port between our look and its start."""


class OtherAnswers(NotReady):
    """Somebody answers on a service's port, and it is not the service."""


class GaveUp(BacksightError):
    """A service was not waited for (or not started), since another one failed or the person interrupted."""


def check(service: Service, record: Record) -> None:
    """Raise `NotReady` unless the service answers, and it is the recorded process that does."""
    service.answers(record.created)
    if service.port is not None and not processes.listens(record.pid, service.port):
        raise OtherAnswers(f"another program answers on port {service.port}")


def stop(layout: Layout, state: State, service: Service) -> None:
    """End a service's processes, but for children that it spares."""
    found = processes.members(layout.home, service.name)
    if service.spares_children:
        record = state.get(service.name)
        found = [p for p in found if processes.is_started_as(p, service.command) or (record and p.pid == record.pid)]
    processes.stop(found, service.stop_signal, service.stop_patience)


@dataclass
class Supervisor:
    """Works on one stack; the caller holds the stack's lock."""

    layout: Layout
    state: State
    say: Say
    patience: float
    """Seconds that a started service has until it must answer."""
    started: list[str] = field(default_factory=list)
    """Services that this supervisor started."""
    _halt: threading.Event = field(default_factory=threading.Event)

    def ensure_all(self, services: Sequence[Service]) -> None:
        """Bring all services up, each as soon as those that it needs answer; the first true failure is raised."""
        self._halt.clear()
        done: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(services)) as pool:
            for service in services:
                done[service.name] = pool.submit(self._after, [done[n] for n in service.needs], service)
            try:
                wait(done.values(), return_when=FIRST_EXCEPTION)
            finally:
                self._halt.set()
        failures = [failure for future in done.values() if (failure := future.exception())]
        for failure in sorted(failures, key=lambda f: isinstance(f, GaveUp)):
            raise failure

    def _after(self, needed: list[Future[None]], service: Service) -> None:
        """Ensure a service once those that it needs are done."""
        if any(future.exception() for future in needed):
            raise GaveUp(f"{service.name} was not started, since it needs {' and '.join(service.needs)}.")
        self.ensure(service)

    def ensure(self, service: Service) -> None:
        """Leave a service that answers alone; start any other."""
        if self._still_answers(service):
            return
        stop(self.layout, self.state, service)
        self._start(service)

    def _still_answers(self, service: Service) -> bool:
        """Whether the recorded process runs, was started as it would be now, and answers (soon)."""
        record = self.state.get(service.name)
        if record is None or not processes.is_alive(record.pid, record.created):
            return False
        if record.fingerprint != service.fingerprint():
            self.say(f"{service.name}: restarted, since its settings changed")
            return False
        age = time.time() - record.created
        try:
            self._wait(service, record, max(SECOND_CHANCE, self.patience - age))
        except BacksightError:
            self.say(f"{service.name}: restarted, since it does not answer")
            return False
        return True

    def _start(self, service: Service) -> None:
        """Start a service and wait until it answers."""
        begun = time.monotonic()
        service.folder.mkdir(exist_ok=True)
        service.prepare()
        environment = processes.service_environment(self.layout.home, service.name, service.environment)
        process = processes.spawn(service.command, environment, service.folder, self.layout.log(service.name))
        record = Record(process.pid, psutil.Process(process.pid).create_time(), service.port, service.fingerprint())
        self.state.put(service.name, record)
        self.started.append(service.name)
        self._wait(service, record, self.patience, process)
        self.say(f"{service.name}: answers after {time.monotonic() - begun:.1f} s")

    def _wait(
        self, service: Service, record: Record, patience: float, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        """Return when the service answers; raise when its process ends or patience does."""
        deadline, reason = time.monotonic() + patience, "nothing"
        while time.monotonic() < deadline:
            if self._halt.is_set():
                raise GaveUp(f"{service.name} was not waited for: `backsight up` goes on with it.")
            try:
                return check(service, record)
            except OtherAnswers as answer:
                if process is not None:
                    # It binds its port late, and now never will.
                    stop(self.layout, self.state, service)
                    raise PortTaken(service.name) from answer
                reason = str(answer)
            except NotReady as answer:
                reason = str(answer)
            if process is not None and process.poll() is not None:
                raise self._ended(service, process.returncode)
            time.sleep(POLL)
        raise BacksightError(
            f"{service.name} did not answer at {service.address} within {patience:.0f} s ({reason}); "
            f"{self._log(service)}"
        )

    def _ended(self, service: Service, code: int) -> Exception:
        """What to raise for a service whose process ended instead of answering."""
        if service.port is not None and not ports.is_free(service.port):
            return PortTaken(service.name)
        return BacksightError(f"{service.name} ended with code {code} instead of serving; {self._log(service)}")

    def _log(self, service: Service) -> str:
        """A service's log and how it ends."""
        path = self.layout.log(service.name)
        return f"its log {path} ends: {' | '.join(last_lines(path)) or '(empty)'}"
