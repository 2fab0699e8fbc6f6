"""Runs tasks as child processes of this machine, each in a session and a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock
from pydantic import BaseModel

from flows.launch.contract import Cause, Ending, Handle, Job, Report
from flows.launch.diagnosis import Remains, diagnose
from flows.launch.lines import Tail, last_lines, parse
from tasks.spec import Outcome, StageResult

MARK = "BACKSIGHT_JOB"
"""Environment variable of all processes of an attempt, also of those that leave its session (torchrun's ranks)."""

# The shell outlives a SIGTERM to its group and notes the exit code, which nobody else could once the flow has died.
NOTE_THE_END = 'trap : TERM INT; "$@" >>output.log 2>&1 </dev/null; echo $? >exit.part; mv exit.part exit'

KEPT_ATTEMPTS = 3


class Record(BaseModel):
    """What a started attempt leaves for those who attach to it later."""

    stage: str
    pid: int
    created: float
    """The shell's creation time, so that a pid that was given to another process is not taken for it."""
    started: float
    """Seconds since the epoch."""
    deadline: float | None
    kernel_kills: int


@dataclass(frozen=True)
class Attempt:
    """The folder of one attempt."""

    folder: Path

    @property
    def output(self) -> Path:
        """All that the task wrote, both streams."""
        return self.folder / "output.log"

    @property
    def result(self) -> Path:
        """The task's StageResult."""
        return self.folder / "result.json"

    def record(self) -> Record:
        """What was noted at the start."""
        return Record.model_validate_json((self.folder / "job.json").read_text())

    def exit_code(self) -> int | None:
        """The exit code as a shell gives it; None where no end was noted."""
        noted = self.folder / "exit"
        return int(noted.read_text()) if noted.exists() else None

    def stopped_for(self) -> Cause | None:
        """Why it was ended on purpose, if it was."""
        noted = self.folder / "stopped"
        return Cause(noted.read_text()) if noted.exists() else None

    def ended_at(self) -> float:
        """Seconds since the epoch of its end, or of its last sign of life."""
        noted = self.folder / "exit"
        return (noted if noted.exists() else self.output).stat().st_mtime

    def processes(self) -> list[psutil.Process]:
        """All living processes of the attempt, also those that were orphaned."""
        everyone = psutil.process_iter(["environ", "status"])
        ours = [p for p in everyone if (p.info["environ"] or {}).get(MARK) == str(self.folder)]
        return [p for p in ours if p.info["status"] != psutil.STATUS_ZOMBIE]

    def heads(self) -> list[psutil.Process]:
        """Those that no other process of the task has started: a wish to stop goes to them, as it does in a container.

        They end their own in the right order: a training rank still needs its loaders for the last update.
        """
        shell = self.record().pid
        task = [p for p in self.processes() if p.pid != shell]
        pids = {p.pid for p in task}
        return [p for p in task if _parent(p) not in pids]


@dataclass
class ProcessLauncher:
    """`python -m tasks.<task> --spec ... --result ...` as a child process; see `Launcher` for the contract."""

    root: Path
    """Folder of all jobs: `<root>/<name>/<attempt>/`."""
    package: str = "tasks"
    poll: float = 0.1
    """Seconds between looks at a running job."""
    grace: float = 10.0
    """Seconds between SIGTERM and SIGKILL."""
    shells: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    """Children of this very process, to be reaped."""

    def start(self, job: Job) -> Handle:
        """Start a job. While one of this name runs, its handle is returned and nothing is started."""
        place = self.root / job.name
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "lock"):
            latest = self.attach(job.name)
            if latest is not None and self.ending(latest) is None:
                return latest
            handle = Handle(job.name, latest.attempt + 1 if latest else 1)
            self._forget(place, handle.attempt - KEPT_ATTEMPTS)
            self._spawn(job, self._attempt(handle))
        return handle

    def attach(self, name: str) -> Handle | None:
        """The latest attempt under a name, running or ended; None where there was none."""
        attempts = [int(record.parent.name) for record in (self.root / name).glob("*/job.json")]
        return Handle(name, max(attempts)) if attempts else None

    def follow(self, handle: Handle) -> Iterator[Report]:
        """All that the attempt has written and goes on to write, until it ends. Enforces the deadline."""
        attempt = self._attempt(handle)
        tail = Tail(attempt.output)
        while True:
            running = self._running(attempt)
            yield from map(parse, tail.new_lines())
            if not running:
                break
            self._hold_to_deadline(handle)
            time.sleep(self.poll)
        yield from map(parse, tail.last_line())
        self._sweep(attempt)

    def ending(self, handle: Handle) -> Ending | None:
        """How the attempt ended; None while it runs."""
        attempt = self._attempt(handle)
        if self._running(attempt):
            return None
        record, result = attempt.record(), _read_result(attempt.result)
        seconds = attempt.ended_at() - record.started
        remains = Remains(
            stage=record.stage,
            seconds=seconds,
            exit_code=attempt.exit_code(),
            last_lines=last_lines(attempt.output),
            said=result.error if result and result.outcome is Outcome.FAILED else None,
            has_result=result is not None,
            stopped_for=attempt.stopped_for(),
            deadline=record.deadline,
            kernel_killed=kernel_kills() > record.kernel_kills,
        )
        verdict = diagnose(remains)
        return Ending(verdict.state, seconds, verdict.cause, verdict.sentence, remains.exit_code, result)

    def cancel(self, handle: Handle) -> None:
        """End the attempt; returns when none of its processes is left. Does nothing where it has ended."""
        self._stop(self._attempt(handle), Cause.CANCELLED)

    def _attempt(self, handle: Handle) -> Attempt:
        return Attempt(self.root / handle.name / str(handle.attempt))

    def _spawn(self, job: Job, attempt: Attempt) -> None:
        shutil.rmtree(attempt.folder, ignore_errors=True)
        attempt.folder.mkdir()
        attempt.output.touch()
        spec = attempt.folder / "spec.json"
        spec.write_text(job.spec.model_dump_json())
        module = f"{self.package}.{job.spec.task}"
        task = [sys.executable, "-m", module, "--spec", str(spec), "--result", str(attempt.result)]
        own = {"BACKSIGHT_PROGRESS": "json", "PYTHONUNBUFFERED": "1", MARK: str(attempt.folder)}
        kills, started = kernel_kills(), time.time()
        shell = subprocess.Popen(
            ["/bin/sh", "-c", NOTE_THE_END, "sh", *task, *(["--force"] if job.force else [])],
            cwd=attempt.folder,
            env={**os.environ, **job.environment, **own},
            start_new_session=True,
        )
        self.shells[shell.pid] = shell
        record = Record(
            stage=job.spec.stage,
            pid=shell.pid,
            created=psutil.Process(shell.pid).create_time(),
            started=started,
            deadline=job.deadline,
            kernel_kills=kills,
        )
        (attempt.folder / "job.json").write_text(record.model_dump_json())

    def _running(self, attempt: Attempt) -> bool:
        record = attempt.record()
        if record.pid in self.shells:
            self.shells[record.pid].poll()
        if attempt.exit_code() is not None:
            return False
        return _same_process_lives(record.pid, record.created) or bool(attempt.processes())

    def _hold_to_deadline(self, handle: Handle) -> None:
        attempt = self._attempt(handle)
        record = attempt.record()
        if record.deadline is not None and time.time() > record.started + record.deadline:
            self._stop(attempt, Cause.DEADLINE)

    def _stop(self, attempt: Attempt, cause: Cause) -> None:
        if self._running(attempt):
            (attempt.folder / "stopped").write_text(cause)
            _send(attempt.heads(), signal.SIGTERM)
            psutil.wait_procs(attempt.processes(), timeout=self.grace)
        self._sweep(attempt)

    def _sweep(self, attempt: Attempt) -> None:
        """Kill what is left of an attempt; its shell goes last, so that it can note the end."""
        shell = attempt.record().pid
        while left := [p for p in attempt.processes() if p.pid != shell]:
            _send(left, signal.SIGKILL)
            psutil.wait_procs(left, timeout=1.0)
        psutil.wait_procs(attempt.processes(), timeout=2.0)
        _send(attempt.processes(), signal.SIGKILL)
        if shell in self.shells:
            self.shells.pop(shell).wait()

    def _forget(self, place: Path, upto: int) -> None:
        for old in place.iterdir():
            if old.name.isdigit() and int(old.name) <= upto:
                shutil.rmtree(old)


def kernel_kills() -> int:
    """How often the kernel's out-of-memory killer has struck since the machine's start; 0 where it does not say."""
    counters = Path("/proc/vmstat")
    if not counters.exists():
        return 0
    return next((int(line.split()[1]) for line in counters.read_text().splitlines() if line.startswith("oom_kill ")), 0)


def _same_process_lives(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 0.01 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _read_result(path: Path) -> StageResult | None:
    return StageResult.model_validate_json(path.read_text()) if path.exists() else None
