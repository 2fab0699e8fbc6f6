"""The stages' containers on the engine of a trial: who runs in them, and their removal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psutil

from flows.launch.container import JOB
from flows.launch.engine import connect


def containers(address: str, ended: bool = False) -> list[Any]:
    """The stages' containers on the engine at an address, those that have ended too if asked."""
    return list(connect(address).containers.list(all=ended, filters={"label": JOB}, ignore_removed=True))


def contained(address: str) -> list[psutil.Process]:
    """All processes in those that run, as this machine numbers them: the engine has to run on it."""
    from docker.errors import APIError

    found = []
    for container in containers(address):
        with contextlib.suppress(APIError):  # it has ended since it was listed
            table = container.top()
            column = table["Titles"].index("PID")
            found += [int(row[column]) for row in table["Processes"]]
    return [psutil.Process(pid) for pid in found if psutil.pid_exists(pid)]


@contextlib.contextmanager
def swept(address: str) -> Iterator[None]:
    """Afterwards no stage's container is left that was not there before."""
    before = {container.id for container in containers(address, ended=True)}
    try:
        yield
    finally:
        for container in containers(address, ended=True):
            if container.id not in before:
                container.remove(v=True, force=True)
