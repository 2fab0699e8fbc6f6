"""The parts of a local stack that a SIGKILL can hit, and who they are at this moment."""

from __future__ import annotations

import contextlib

import psutil

from flows.launch.container import STAGE
from flows.launch.process import MARK
from tests.chaos.containers import contained, containers
from tests.local_stack import LocalStack

WORKER, RANK = "worker", "rank"
PARTS = (WORKER, "prefect", "postgres", "s3", "mlflow", RANK)
RANK_VARIABLE = "RANK"
"""torchrun tells each training process its rank by this variable; what a rank starts inherits it."""


def victims(stack: LocalStack, part: str) -> list[psutil.Process]:
    """The processes of a part. Of the worker its own alone, for flow runs are not it; of the ranks the last one."""
    if part == RANK:
        return ranks(stack)[-1:]
    if part == WORKER:
        worker = stack.pids()[WORKER]
        return [process for process in stack.processes(WORKER) if process.pid == worker]
    return stack.processes(part)


def ranks(stack: LocalStack) -> list[psutil.Process]:
    """The ranks of the training that runs, the highest last."""
    found = [(rank, process) for process in tasks(stack) if (rank := rank_of(process)) is not None]
    return [process for _, process in sorted(found, key=lambda pair: pair[0])]


def rank_of(process: psutil.Process) -> int | None:
    """The rank that a process is; None for one that is none, or that a rank has started."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        rank = process.environ().get(RANK_VARIABLE)
        if rank is not None and (parent is None or RANK_VARIABLE not in parent.environ()):
            return int(rank)
    return None


def tasks(stack: LocalStack) -> list[psutil.Process]:
    """All processes of the stages that run."""
    if stack.engine:
        return contained(stack.engine)
    return [process for process in psutil.process_iter() if job_of(process, stack)]


def stages(stack: LocalStack) -> list[str]:
    """Names of the stages that run."""
    if stack.engine:
        return sorted(container.labels[STAGE] for container in containers(stack.engine))
    return sorted({job.rsplit("-", 1)[0] for process in tasks(stack) if (job := job_of(process, stack))})


def job_of(process: psutil.Process, stack: LocalStack) -> str:
    """Name of the job that a process belongs to on this stack; empty for all others."""
    with contextlib.suppress(psutil.Error, OSError):
        mark = process.environ().get(MARK, "")
        if mark.startswith(f"{stack.home}/jobs/") and process.status() != psutil.STATUS_ZOMBIE:
            return mark.removeprefix(f"{stack.home}/jobs/").split("/")[0]
    return ""


def strike(stack: LocalStack, part: str) -> bool:
    """SIGKILL a part; False where it was not there."""
    found = victims(stack, part)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(found)
