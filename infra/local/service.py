"""What a service of the local stack is to the supervisor: how to start it, and how to tell that it answers."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.credentials import S3Keys
from infra.local.layout import Layout
from infra.local.ports import LOOPBACK

Say = Callable[[str], None]
"""Takes one line for the person who waits."""


class NotReady(Exception):
    """A service does not answer yet; the message says what it said instead."""


def nothing() -> None:
    """The preparation of a service that needs none."""


@dataclass(frozen=True)
class StackPlan:
    """What the services of one stack are built from."""

    layout: Layout
    ports: Mapping[str, int]
    keys: S3Keys

    def url(self, service: str) -> str:
        """Address of a service that speaks HTTP."""
        return f"http://{LOOPBACK}:{self.ports[service]}"


@dataclass(frozen=True)
class Service:
    """One process of the stack."""

    name: str
    command: tuple[str, ...]
    answers: Callable[[float], None]
    """Given the Unix time at which the process was made: returns when it serves, raises `NotReady` until then."""
    address: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Its own variables, beside those of the person's shell."""
    port: int | None = None
    needs: tuple[str, ...] = ()
    """Services that must answer before this one is started."""
    prepare: Callable[[], None] = nothing
    """Run before each start, when no process of the service is left."""
    spares_children: bool = False
    """Whether what the process has started goes on usefully without it, so that healing leaves it alone."""
    stop_signal: int = signal.SIGTERM
    stop_patience: float = 10.0
    """Seconds between the stop signal and SIGKILL."""

    def fingerprint(self) -> str:
        """Digest of what the process is started with."""
        started_with = [list(self.command), dict(sorted(self.environment.items()))]
        return hashlib.sha256(json.dumps(started_with).encode()).hexdigest()
