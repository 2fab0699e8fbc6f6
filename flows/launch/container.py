"""Runs tasks as containers through the Docker API: of Docker, or of Podman's socket. The engine holds all state."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.launch.contract import Cause, Ending, Handle, Job, Notice, Report
from flows.launch.diagnosis import Remains, diagnose
from flows.launch.engine import called, connect, settled_start
from flows.launch.kubernetes import module_command
from flows.launch.lines import parse
from flows.launch.manifests import HOME, SECRET_NAME, SURROUNDINGS
from flows.launch.pods import seconds
from flows.launch.restricted import USER
from flows.launch.timed_lines import TimedLines
from tasks.errors import BacksightError, UsageError
from tasks.spec import Outcome, StageResult, StageSpec

if TYPE_CHECKING:
    from docker.models.containers import Container

JOB, ATTEMPT, STAGE, OWNER, DEADLINE, GRACE = (
    f"dev.backsight.{name}" for name in ("job", "attempt", "stage", "flow-run", "deadline", "grace")
)
SPEC, RESULT, STOPPED = f"{HOME}/spec.json", f"{HOME}/result.json", f"{HOME}/stopped"
KEPT_ATTEMPTS = 3
MADE_WITHIN = 120.0
"""Seconds that an engine may take to make a container of a large image."""
TAIL = 200
GIB = 2**30


@dataclass
class ContainerLauncher:
    """One container an attempt, with the spec, the platform's addresses and the result in a volume of its own."""

    images: dict[str, str]
    """`collector`, `trainer` -> image reference."""
    address: str | None = None
    """Of the engine's socket; none = $DOCKER_HOST or the usual one."""
    network: str = "host"
    """`host`, so that tasks reach a stack on this machine's loopback."""
    platform: Path | None = None
    """File of addresses and secrets (`stack.env`) that goes into the container's home, never into its settings."""
    user: int = USER
    """Whom the task runs as."""
    command: Callable[[StageSpec], tuple[str, ...]] = module_command
    poll: float = 0.5
    clock: Callable[[], float] = time.time
    _client: Any = field(default=None, repr=False)

    @property
    def client(self) -> Any:
        """The engine; a `BacksightError` where none answers."""
        if self._client is None:
            self._client = connect(self.address)
        return self._client

    def start(self, job: Job) -> Handle:
        """Start a job. While one of this name runs, its handle is returned and nothing is started."""
        latest = self.attach(job.name)
        if latest is not None and self.ending(latest) is None:
            self._launch(job, self._find(latest))
            return latest
        handle = Handle(job.name, latest.attempt + 1 if latest else 1)
        self._launch(job, self._made(job, handle) or self._awaited(handle))
        self._forget(job.name, handle.attempt - KEPT_ATTEMPTS)
        return handle

    def attach(self, name: str) -> Handle | None:
        """The latest attempt under a name, running or ended; None where there was none."""
        attempts = [int(c.labels[ATTEMPT]) for c in self._all(name)]
        return Handle(name, max(attempts)) if attempts else None

    def follow(self, handle: Handle) -> Iterator[Report]:
        """All that the attempt has written and goes on to write, until it ends. Enforces the deadline."""
        lines = TimedLines()
        while (container := self._find(handle)) is not None:
            running = _is_running(container)
            for line in lines.new(self._log(container, lines.since)):
                yield parse(line)
            if not running:
                return
            if (limit := _deadline(container)) and self.clock() - _began(container, self.clock()) > limit:
                self._stop(container, Cause.DEADLINE)
            time.sleep(self.poll)
        yield Notice(f"The container of {handle.name} was removed by somebody.")

    def ending(self, handle: Handle) -> Ending | None:
        """How the attempt ended; None while it runs."""
        container = self._find(handle)
        if container is None:
            gone = f"The container of {handle.name} is gone without a word: somebody removed it; run it again."
            return _failed(gone)
        if _is_running(container):
            return None
        state = container.attrs["State"]
        result, stopped = self._result(container), self._held(container, STOPPED)
        spent = max(0.0, (seconds(_stamp(state["FinishedAt"])) or 0.0) - _began(container, 0.0))
        remains = Remains(
            stage=container.labels[STAGE],
            seconds=spent,
            exit_code=state["ExitCode"],
            last_lines=TimedLines().new(self._log(container, tail=TAIL)),
            said=result.error if result and result.outcome is Outcome.FAILED else None,
            has_result=result is not None,
            stopped_for=Cause(stopped.decode()) if stopped else None,
            deadline=_deadline(container),
            kernel_killed=bool(state.get("OOMKilled")),
        )
        verdict = diagnose(remains)
        return Ending(verdict.state, spent, verdict.cause, verdict.sentence, remains.exit_code, result)

    def cancel(self, handle: Handle) -> None:
        """End the attempt; returns when none of its processes is left. Does nothing where it has ended."""
        container = self._find(handle)
        if container is not None and _is_running(container):
            self._stop(container, Cause.CANCELLED)

    def _awaited(self, handle: Handle) -> Container:
        """The container that another process is making: its name is taken before the engine lists it."""
        until = self.clock() + MADE_WITHIN
        while (container := self._find(handle)) is None:
            if self.clock() > until:
                raise BacksightError(
                    f"The container engine holds the name of {handle.name} but lists no such container: "
                    f"remove it (`docker rm -f backsight-{handle.name}-{handle.attempt}`), and run the stage again."
                )
            time.sleep(self.poll)
        return container

    def _launch(self, job: Job, container: Container | None) -> None:
        """Start a container that was made; whoever made it may have died before it could, or be about to."""
        if container is not None and container.status == "created":
            container.put_archive(HOME, self._cargo(job))
            settled_start(container, job.spec.stage)

    def _made(self, job: Job, handle: Handle) -> Container | None:
        """A container that has not started; None where another process has made the same one."""
        r = job.resources
        image = self.images.get(r.image)
        if not image:
            raise UsageError(f"No image is named for {job.spec.stage}: set BACKSIGHT_LAUNCH_IMAGE_{r.image.upper()}.")
        if secret := next((name for name in job.environment if SECRET_NAME.search(name)), None):
            raise UsageError(f"{secret} looks like a secret and would stand readable in the container's settings.")
        own = {**SURROUNDINGS, "BACKSIGHT_HOME": HOME}
        force = ("--force",) if job.force else ()
        settings: dict[str, Any] = {
            "name": f"backsight-{handle.name}-{handle.attempt}",
            "command": [*self.command(job.spec), "--spec", SPEC, "--result", RESULT, *force],
            "entrypoint": "",
            "environment": {**job.environment, **own},
            "labels": {
                JOB: job.name,
                ATTEMPT: str(handle.attempt),
                STAGE: job.spec.stage,
                OWNER: job.owner or "",
                DEADLINE: f"{job.deadline or r.deadline_hours * 3600:g}",
                GRACE: str(r.grace_seconds),
            },
            "network_mode": self.network,
            "nano_cpus": round(r.cpu * 1e9),
            "mem_limit": round(r.memory_gib * GIB),
            "memswap_limit": round(r.memory_gib * GIB),
            "shm_size": round(r.shm_gib * GIB),
            "pids_limit": 4096,
            "read_only": True,
            "tmpfs": {"/tmp": "mode=1777"},
            "volumes": [HOME],
            "working_dir": HOME,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "init": True,
            "user": f"{self.user}:{self.user}",
            "device_requests": _gpus(r.gpus),
        }
        return called(self.client, image, job.spec.stage, settings)

    def _cargo(self, job: Job) -> bytes:
        """What lies in the container's home when it starts, as a tar; the platform's file is the task's alone."""
        files = {"spec.json": job.spec.model_dump_json().encode()}
        if self.platform and self.platform.exists():
            files["stack.env"] = self.platform.read_bytes()
        if job.spec.task == "promote":
            files |= signing_files()
        return packed(files, 0o600, self.user)

    def _all(self, name: str) -> list[Container]:
        return list(self.client.containers.list(all=True, filters={"label": f"{JOB}={name}"}, ignore_removed=True))

    def _find(self, handle: Handle) -> Container | None:
        found = [c for c in self._all(handle.name) if int(c.labels[ATTEMPT]) == handle.attempt]
        return found[0] if found else None

    def _log(self, container: Container, since: str | None = None, tail: int | None = None) -> str:
        wanted: dict[str, Any] = {"timestamps": True, "tail": tail or "all"}
        if since:
            wanted["since"] = int(seconds(since) or 0)
        return str(container.logs(**wanted).decode(errors="replace"))

    def _held(self, container: Container, path: str) -> bytes | None:
        """A file of the container, running or not."""
        from docker.errors import NotFound

        try:
            chunks, _ = container.get_archive(path)
        except NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            return member.read() if member else None

    def _result(self, container: Container) -> StageResult | None:
        held = self._held(container, RESULT)
        return StageResult.model_validate_json(held) if held else None

    def _stop(self, container: Container, cause: Cause) -> None:
        container.put_archive(HOME, packed({"stopped": cause.value.encode()}, 0o644, self.user))
        container.stop(timeout=int(container.labels[GRACE]))

    def _forget(self, name: str, upto: int) -> None:
        for container in self._all(name):
            if int(container.labels[ATTEMPT]) <= upto:
                container.remove(v=True, force=True)


def signing_files() -> dict[str, bytes]:
    """This machine's keys, made where there are none yet: those of a container would be gone with it."""
    from tasks.promote.signing import key_path, signing_key

    signing_key()
    path = key_path()
    return {f"keys/model{p.suffix}": p.read_bytes() for p in (path, path.with_suffix(".pub")) if p.is_file()}


def packed(files: dict[str, bytes], mode: int, owner: int) -> bytes:
    """Files as a tar, as the engine takes them."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid = len(data), mode, owner, owner
            archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


def _gpus(count: int) -> list[Any] | None:
    if not count:
        return None
    from docker.types import DeviceRequest

    return [DeviceRequest(count=count, capabilities=[["gpu"]])]


def _is_running(container: Container) -> bool:
    container.reload()
    return container.attrs["State"]["Status"] in ("created", "running", "restarting", "paused")


def _deadline(container: Container) -> float | None:
    return float(container.labels[DEADLINE]) or None


def _began(container: Container, otherwise: float) -> float:
    stamp = _stamp(container.attrs["State"]["StartedAt"])
    return otherwise if stamp.startswith("0001") else seconds(stamp) or otherwise


def _stamp(text: str) -> str:
    """A time with at most microseconds, which is all that Python reads."""
    whole, dot, rest = text.partition(".")
    digits = rest.rstrip("Z")[:6]
    return f"{whole}.{digits}Z" if dot and not ("+" in rest or "-" in rest) else text


def _failed(sentence: str) -> Ending:
    from flows.launch.contract import JobState

    return Ending(JobState.FAILED, 0.0, Cause.KILLED, sentence)
