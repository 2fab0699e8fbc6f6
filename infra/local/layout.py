"""Where the local stack keeps things inside its home folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BacksightError, UsageError
from tasks.settings import STACK_ENV

ROOM_NEEDED = 300 * 2**20
"""Bytes: a fresh stack takes about 120 MB, and Postgres does not survive a full disk gracefully."""


@dataclass(frozen=True)
class Layout:
    """The paths of one stack. Two stacks with different homes share nothing."""

    home: Path

    @property
    def state(self) -> Path:
        """Which processes run: see `infra.local.state`."""
        return self.home / "state.json"

    @property
    def stack_env(self) -> Path:
        """Addresses and credentials for `tasks.settings`; mode 600."""
        return self.home / STACK_ENV

    @property
    def lock(self) -> Path:
        """Held while `up` or `down` is at work."""
        return self.home / "stack.lock"

    @property
    def conformance(self) -> Path:
        """What the S3 server was found able to do."""
        return self.home / "conformance.json"

    def folder(self, service: str) -> Path:
        """A service's own folder: its state and working directory."""
        return self.home / service

    def log(self, service: str) -> Path:
        """A service's log file."""
        return self.home / "logs" / f"{service}.log"

    def create(self) -> None:
        """Make the home, readable by its owner alone; refuse one that cannot be written or has no room."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self.home.chmod(0o700)
            (self.home / "logs").mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The stack's home {self.home} cannot be written ({error.strerror}): "
                "set BACKSIGHT_HOME to a folder that you may write."
            ) from error
        if not os.access(self.home, os.W_OK):
            raise UsageError(
                f"The stack's home {self.home} is read-only: set BACKSIGHT_HOME to a folder you may write."
            )
        self.check_room()

    def check_room(self) -> None:
        """Refuse to start anything on a disk that is all but full."""
        free = shutil.disk_usage(self.home).free
        if free < ROOM_NEEDED:
            raise BacksightError(
                f"Only {free / 2**20:.0f} MB are free on the disk that holds {self.home}, and the stack needs "
                f"{ROOM_NEEDED / 2**20:.0f}: free some, or set BACKSIGHT_HOME to a folder on another disk."
            )
