"""A real local stack for tests: the command line on a home of its own, and what to look at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.local.credentials import read_env
from infra.local.processes import FOREIGN, members

PLATFORM = (*FOREIGN, "BACKSIGHT_")

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""Types of the states that a flow run does not leave again."""


@dataclass(frozen=True)
class LocalStack:
    """One stack, started or not."""

    home: Path
    launch: Mapping[str, str] = field(default_factory=dict)
    """The profile and what its launcher needs, as variables; empty = processes of this machine."""

    @property
    def engine(self) -> str:
        """Address of the engine that runs its stages as containers; empty where they are processes."""
        return self.launch.get("BACKSIGHT_LAUNCH_ENGINE", "")

    def environment(self) -> dict[str, str]:
        """For child processes: this stack is theirs, and no variable of the person's shell points elsewhere."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PLATFORM)}
        return {**inherited, **self.launch, "BACKSIGHT_HOME": str(self.home)}

    def settings(self) -> dict[str, str]:
        """What `stack.env` says now: PREFECT_API_URL, MLFLOW_TRACKING_URI, BACKSIGHT_S3_*. An `up` may move ports."""
        return read_env(self.home / "stack.env")

    def backsight(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the `backsight` command on this stack."""
        command = [sys.executable, "-m", "flows.cli", *words]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True)

    def up(self) -> str:
        """Start or heal it; returns what was said."""
        done = self.healed()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def healed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`backsight up`, and deployments that know of the launcher; the command that failed, or the last."""
        done = self.backsight("up", *words)
        return self.backsight("deploy", "--profile", "local") if self.launch and done.returncode == 0 else done

    def down(self) -> str:
        """Stop it; returns what was said."""
        done = self.backsight("down")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pids(self) -> dict[str, int]:
        """Service -> pid, as recorded."""
        services = json.loads((self.home / "state.json").read_text())["services"]
        return {name: record["pid"] for name, record in services.items()}

    def processes(self, service: str | None = None) -> list[psutil.Process]:
        """All running processes of the stack, or of one service."""
        return members(self.home, service)

    def prefect(self, what: str, body: Mapping[str, Any]) -> Any:
        """What Prefect's API answers to a body posted to `what`, a path below its address."""
        return ask(f"{self.settings()['PREFECT_API_URL']}/{what}", body)


def ask(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON that an address answers with; a body is posted to it as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def flow_run_id(output: str) -> str:
    """The flow run that `backsight run` has told of."""
    found = re.search(r"runs/flow-run/([0-9a-f-]{36})", output)
    assert found, output
    return found[1]


def wait_for(what: Callable[[], Any], patience: float) -> Any:
    """What `what` gives as soon as that is something; asked for `patience` seconds at most."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not come about within {patience} s")
